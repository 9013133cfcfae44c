/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The network configuration that a runtime writes to the plugin's standard input.
 *
 *	cniVersion, name	the specification's
 *	prevResult		of the plugin before, or of the ADD that is asked about
 *	subnet, ranges, ...	stand-alone: the addresses to give (cni_range.h). Without them the
 *				plugin is chained behind one that makes the interface
 *	dns			stand-alone: is passed on
 *	dataDir			where it is kept who has which address
 *	socketDir		from version 1.1.0 on, the result says that the interface's socket
 *is DIR/CONTAINER-INTERFACE.sock
 *
 * Which of the two it is cannot be told by prevResult, which comes with every CHECK and DEL.
 */

#include <jansson.h>

#include "launcher/cni/cni_range.h"
#include "launcher/cni/cni_version.h"
#include "lib/err.h"

#define CNI_DATA_DIR "/var/lib/cni/sluice"

/* All pointers are into the JSON that it was read from. */
struct cni_config {
	enum cni_version version;
	const char *name;
	const char *data_dir;
	/* What only cni_config_read_details() reads. */
	const char *socket_dir;    /* NULL: none */
	const json_t *prev_result; /* an object; NULL: none */
	const json_t *dns;         /* an object; NULL: none */
	struct cni_ranges ranges;
};

/* The text's object, which the caller releases; NULL: it is none (-EBADMSG). */
json_t *cni_config_decode(const char *text, size_t len, struct err *err);

/* The version alone: -EPROTONOSUPPORT, or -EBADMSG if it is no text. */
int cni_config_read_version(const json_t *json, enum cni_version *version, struct err *err);

/* What is needed to take something back, also with a configuration that has been changed since, to
 * one that is wrong. -EINVAL. */
int cni_config_read(const json_t *json, struct cni_config *config, struct err *err);

/* The rest, of one that was read. -EINVAL; -EOPNOTSUPP: it asks for what is not done here. */
int cni_config_read_details(const json_t *json, struct cni_config *config, struct err *err);
