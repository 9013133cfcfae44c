/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* The numbers that a runtime is told when a call fails (CNI specification 1.1.0, "Error"). */

enum cni_code {
	CNI_OK = 0,
	CNI_INCOMPATIBLE_VERSION = 1,
	CNI_UNSUPPORTED_FIELD = 2,
	CNI_UNKNOWN_CONTAINER = 3, /* nothing is to be cleaned up */
	CNI_BAD_ENVIRONMENT = 4,
	CNI_IO_FAILURE = 5,
	CNI_NOT_DECODED = 6,
	CNI_BAD_CONFIG = 7,
	CNI_TRY_AGAIN = 11,
	CNI_NOT_AVAILABLE = 50, /* STATUS: an ADD would fail */
	/* From 100 on they are a plugin's own. */
	CNI_ADDED_ALREADY = 100,
	CNI_CHANGED = 101, /* CHECK: not as ADD left it */
};

/*
 * Functions here return negative errno values as elsewhere; these have a code of their own, and all
 * others are CNI_IO_FAILURE:
 *
 *	-EPROTONOSUPPORT  CNI_INCOMPATIBLE_VERSION	-EADDRNOTAVAIL  CNI_TRY_AGAIN
 *	-EOPNOTSUPP       CNI_UNSUPPORTED_FIELD		-EHOSTDOWN      CNI_NOT_AVAILABLE
 *	-ESRCH            CNI_UNKNOWN_CONTAINER		-EALREADY       CNI_ADDED_ALREADY
 *	-EDESTADDRREQ     CNI_BAD_ENVIRONMENT		-ESTALE         CNI_CHANGED
 *	-EBADMSG          CNI_NOT_DECODED
 *	-EINVAL           CNI_BAD_CONFIG
 */
enum cni_code cni_code_of(int ret);

/* What the code says, in a few words. */
const char *cni_code_text(enum cni_code code);
