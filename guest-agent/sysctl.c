/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest-agent/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define DIR "/proc/sys/"

static int write_value(const char *path, const char *value)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);
	size_t len = strlen(value);

	if (fd < 0)
		return -errno;
	/* At one stroke, or the kernel takes the parts for values. */
	return write(fd, value, len) == (ssize_t)len ? 0 : -errno;
}

/* As runc has it: each dot is a slash, also those of an interface's name. */
static int apply(const struct sysctl *sysctl, struct err *err)
{
	char path[sizeof(DIR) + SYSCTL_KEY_LEN_MAX];
	int ret;

	snprintf(path, sizeof(path), DIR "%s", sysctl->key);
	for (char *c = path + strlen(DIR); *c != '\0'; c++)
		if (*c == '.')
			*c = '/';
	ret = write_value(path, sysctl->value);
	if (ret == -ENOENT)
		return err_set(err, ret, "sysctl %s: the guest's kernel has none of this name",
			sysctl->key);
	return ret < 0 ? err_errno(err, -ret, "sysctl %s: cannot set it to \"%.64s\"", sysctl->key,
				 sysctl->value)
		       : 0;
}

int sysctl_apply(const struct sysctls *sysctls, struct err *err)
{
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < sysctls->n; i++)
		ret = apply(&sysctls->item[i], err);
	return ret;
}
