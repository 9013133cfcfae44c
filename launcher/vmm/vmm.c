/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/vmm/vmm.h"

#include <string.h>

static const struct vmm_kind *const kinds[] = { &vmm_qemu, &vmm_uml, &vmm_cloud_hypervisor,
	&vmm_firecracker };

const struct vmm_kind *vmm_find(const char *name)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i]->name, name) == 0)
			return kinds[i];
	return NULL;
}
