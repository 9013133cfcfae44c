/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* What ADD answers: the plugin's own result, or the one before it with a socket added. */

#include "launcher/cni/cni_attachment.h"
#include "launcher/cni/cni_config.h"

/* An address that the container has got, of that range. */
struct cni_given {
	struct ip_addr addr;
	const struct cni_range *range;
};

/*
 * One interface, which has the addresses and which nobody makes: its MAC address is there because
 * some runtimes refuse an interface in a sandbox without. *result is a new reference.
 */
int cni_result_make(const struct cni_config *config, const struct cni_attachment *who,
	const struct cni_given *given, size_t n, json_t **result, struct err *err);

/* A copy of prevResult, which was checked, with all that is in it. *result is a new reference. */
int cni_result_pass_on(const struct cni_config *config, const struct cni_attachment *who,
	json_t **result, struct err *err);

/* The container's interface in it; NULL: it has none. */
json_t *cni_result_interface(const json_t *result, const struct cni_attachment *who);

/* Whether it says that the interface's socket is where the configuration has it. True as well if it
 * need not say. */
bool cni_result_has_socket(
	const json_t *result, const struct cni_config *config, const struct cni_attachment *who);

bool cni_result_has_addr(const json_t *result, const struct ip_addr *addr);
