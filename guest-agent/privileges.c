/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest-agent/privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define N_CAPABILITIES 64

/* Up to the last one that the kernel knows. */
static int bound(uint64_t capabilities)
{
	for (unsigned long cap = 0; cap < N_CAPABILITIES; cap++) {
		if ((capabilities & (1ULL << cap)) != 0)
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return errno == EINVAL ? 0 : -errno;
	}
	return 0;
}

static int raise_ambient(uint64_t capabilities)
{
	for (unsigned long cap = 0; cap < N_CAPABILITIES; cap++)
		if ((capabilities & (1ULL << cap)) != 0 &&
			prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
			return -errno;
	return 0;
}

/*
 * What remains of the permitted ones; execve(2) then makes of it what the user may have: root all
 * of them, others those that are ambient.
 */
static int keep(uint64_t capabilities, uint64_t ambient)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
		return -errno;
	if (syscall(SYS_capget, &head, sets) < 0)
		return -errno;
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		sets[i].permitted &= (uint32_t)(capabilities >> (32 * i));
		sets[i].effective = sets[i].permitted;
		sets[i].inheritable = sets[i].permitted & (uint32_t)(ambient >> (32 * i));
	}
	return syscall(SYS_capset, &head, sets) < 0 ? -errno : raise_ambient(ambient);
}

int privileges_drop(const struct process_spec *spec, const struct guest_user *user, struct err *err)
{
	uint64_t capabilities = spec->has_capabilities ? spec->capabilities : UINT64_MAX;
	uint64_t ambient = user->uid != 0 ? spec->ambient & capabilities : 0;
	int ret;

	if (setgroups(user->n_groups, user->groups) < 0)
		return err_errno(err, errno, "cannot set the groups");
	if (setresgid(user->gid, user->gid, user->gid) < 0)
		return err_errno(err, errno, "cannot become group %u", (unsigned)user->gid);
	ret = bound(capabilities);
	if (ret < 0)
		return err_errno(err, -ret, "cannot bound the capabilities");
	if (prctl(PR_SET_KEEPCAPS, ambient != 0, 0, 0, 0) < 0)
		return err_errno(err, errno, "cannot keep capabilities");
	if (setresuid(user->uid, user->uid, user->uid) < 0)
		return err_errno(err, errno, "cannot become user %u", (unsigned)user->uid);
	ret = keep(ambient != 0 ? ambient : capabilities, ambient);
	if (ret < 0)
		return err_errno(err, -ret, "cannot set the capabilities");
	if (spec->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_errno(err, errno, "cannot set no_new_privs");
	return 0;
}

int privileges_set_rlimits(const struct process_spec *spec, struct err *err)
{
	for (size_t i = 0; i < spec->n_rlimits; i++) {
		const struct process_rlimit *row = &spec->rlimits[i];
		const struct rlimit64 limit = { .rlim_cur = row->soft, .rlim_max = row->hard };

		if (setrlimit64(row->resource, &limit) < 0)
			return err_errno(err, errno, "cannot set resource limit %d", row->resource);
	}
	return 0;
}
