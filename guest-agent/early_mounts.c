/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest-agent/early_mounts.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "guest-agent/console.h"

struct early_mount {
	const char *type, *at;
	unsigned long flags;
	const char *data;
	bool needed;
};

static const struct early_mount dev = { "devtmpfs", "/dev", MS_NOSUID, "mode=0755", true };

static const struct early_mount rest[] = {
	{ "proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, true },
	{ "sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, true },
	{ "devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "gid=5,mode=0620,ptmxmode=0666", false },
	{ "tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777", false },
	{ "tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=0755", true },
	{ "cgroup2", "/sys/fs/cgroup", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, false },
};

static int mount_early(const struct early_mount *m, struct err *err)
{
	if (mkdir(m->at, 0755) < 0 && errno != EEXIST && m->needed)
		return err_errno(err, errno, "cannot create %s", m->at);
	if (mount(m->type, m->at, m->type, m->flags, m->data) == 0 || errno == EBUSY)
		return 0;
	if (m->needed)
		return err_errno(err, errno, "cannot mount %s", m->at);
	console_say("cannot mount %s: %m", m->at);
	return 0;
}

int early_mounts_dev(struct err *err)
{
	return mount_early(&dev, err);
}

int early_mounts_rest(struct err *err)
{
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < sizeof(rest) / sizeof(rest[0]); i++)
		ret = mount_early(&rest[i], err);
	if (ret == 0 && mkdir(AGENT_DIR, 0700) < 0 && errno != EEXIST)
		ret = err_errno(err, errno, "cannot create " AGENT_DIR);
	return ret;
}
