/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/process/capability.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

bool capability_held(unsigned number)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

	return syscall(SYS_capget, &head, sets) == 0 &&
	       (sets[CAP_TO_INDEX(number)].effective & CAP_TO_MASK(number)) != 0;
}

/* Who may not change it (CAP_SETPCAP) has it bounded by no_new_privs alone. */
static int bound(uint64_t kept)
{
	for (unsigned long i = 0; i < 64 && prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++)
		if ((kept & CAPABILITY(i)) == 0 && prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0 &&
			errno != EPERM)
			return -errno;
	return 0;
}

int capability_keep(uint64_t kept)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = { { 0 } };
	int ret = bound(kept);

	if (ret < 0)
		return ret;
	/* With it execve(2) gives nobody more than is permitted here, root included. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_capget, &head, sets) < 0)
		return -errno;
	for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		sets[i].permitted &= (uint32_t)(kept >> 32 * i);
		sets[i].effective = sets[i].permitted;
		sets[i].inheritable = 0; /* and with it what is ambient */
	}
	return syscall(SYS_capset, &head, sets) < 0 ? -errno : 0;
}
