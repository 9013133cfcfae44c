/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/process/capability.h"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

bool capability_held(unsigned number)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

	return syscall(SYS_capget, &head, sets) == 0 &&
	       (sets[CAP_TO_INDEX(number)].effective & CAP_TO_MASK(number)) != 0;
}
