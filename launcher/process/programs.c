/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/process/programs.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* From the directory of this program: installed, then of the build tree. */
static const char *const places[] = {
	"",
	"../sbin/",
	"../libexec/sluice/",
	"../switch/",
	"../switch/vsock/",
	"../guest-agent/",
	"exec/",
};

/* Its directory, with the last '/', into dir[PATH_MAX]. */
static int own_directory(char *dir, struct err *err)
{
	ssize_t n = readlink("/proc/self/exe", dir, PATH_MAX - 1);

	if (n < 0)
		return err_errno(err, errno, "/proc/self/exe");
	dir[n] = '\0';
	*(strrchr(dir, '/') + 1) = '\0';
	return 0;
}

int programs_find(const char *name, char *path, struct err *err)
{
	char dir[PATH_MAX];
	int ret = own_directory(dir, err);

	if (ret < 0)
		return ret;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int n = snprintf(path, PATH_MAX, "%s%s%s", dir, places[i], name);

		if (n < PATH_MAX && access(path, X_OK) == 0)
			return 0;
	}
	return err_set(err, -ENOENT,
		"cannot find %s, which is installed with this program: "
		"it is not below %s",
		name, dir);
}
