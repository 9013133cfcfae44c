/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/vmm/vmm_tell.h"

bool vmm_tell(struct vmm_teller *teller, enum vmm_event event, const char *detail)
{
	bool gone = false;

	teller->gone = &gone;
	teller->owner.event(teller->owner.owner, event, detail);
	if (!gone)
		teller->gone = NULL;
	return !gone;
}

void vmm_teller_end(struct vmm_teller *teller)
{
	if (teller->gone != NULL)
		*teller->gone = true;
}
