/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* What a runtime can ask for, but VERSION. cni_code.h says what becomes of their errors. */

#include "launcher/cni/cni_attachment.h"
#include "launcher/cni/cni_config.h"

struct cni_request {
	const json_t *json; /* the configuration, which was read */
	struct cni_config config;
	struct cni_attachment who;
};

/* *result is a new reference; NULL, as it comes: nothing is answered. */
typedef int (*cni_verb_fn)(const struct cni_request *request, json_t **result, struct err *err);

/* Gives a container its addresses, or passes on what the plugin before did. */
int cni_add(const struct cni_request *request, json_t **result, struct err *err);

/* Whether all that ADD made is still there, and is what prevResult says. */
int cni_check(const struct cni_request *request, json_t **result, struct err *err);

/* Takes a container's addresses back, if it has any. */
int cni_del(const struct cni_request *request, json_t **result, struct err *err);

/* Takes back the addresses of all attachments that the configuration does not list. */
int cni_gc(const struct cni_request *request, json_t **result, struct err *err);

/* Whether an ADD would find an address and could write it down. */
int cni_status(const struct cni_request *request, json_t **result, struct err *err);
