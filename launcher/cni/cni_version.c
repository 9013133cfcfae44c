/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/cni/cni_version.h"

#include <errno.h>
#include <string.h>

static const char *const texts[CNI_N_VERSIONS] = {
	[CNI_0_3_1] = "0.3.1",
	[CNI_0_4_0] = "0.4.0",
	[CNI_1_0_0] = "1.0.0",
	[CNI_1_1_0] = "1.1.0",
};

int cni_version_parse(const char *text, enum cni_version *version)
{
	for (unsigned i = 0; i < CNI_N_VERSIONS; i++) {
		if (strcmp(text, texts[i]) == 0) {
			*version = (enum cni_version)i;
			return 0;
		}
	}
	return -EPROTONOSUPPORT;
}

const char *cni_version_text(enum cni_version version)
{
	return texts[version];
}
