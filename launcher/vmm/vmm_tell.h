/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* A VMM's voice: events to its owner, who may kill the VMM while he hears one. */

#include <stdbool.h>

#include "launcher/vmm/vmm.h"

struct vmm_teller {
	struct vmm_owner owner;
	bool *gone; /* of the event that is being told */
};

/* false: the owner killed the VMM meanwhile, which must not be touched any more. */
bool vmm_tell(struct vmm_teller *teller, enum vmm_event event, const char *detail);

/* By kill(), before the VMM is freed. */
void vmm_teller_end(struct vmm_teller *teller);
