/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* The versions of the CNI specification that are spoken, oldest first: they can be compared. */

enum cni_version {
	CNI_0_3_1,
	CNI_0_4_0, /* CHECK */
	CNI_1_0_0, /* addresses do not say their family */
	CNI_1_1_0, /* STATUS, GC, an interface's socketPath */
};

#define CNI_N_VERSIONS 4
#define CNI_NEWEST     CNI_1_1_0

/* -EPROTONOSUPPORT: another one. */
int cni_version_parse(const char *text, enum cni_version *version);

const char *cni_version_text(enum cni_version version);
