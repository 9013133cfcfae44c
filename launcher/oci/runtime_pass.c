/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/oci/runtime_pass.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/vm_settings.h"

#define ADVICE "set path of \"runtime\" in " VM_CONFIG_PATH

int runtime_pass_check(const struct runtime_settings *settings, struct err *err)
{
	struct stat own, other;

	if (stat("/proc/self/exe", &own) == 0 && stat(settings->runtime, &other) == 0 &&
		own.st_dev == other.st_dev && own.st_ino == other.st_ino)
		return err_set(err, -ELOOP,
			"%s is sluice-runtime itself: " ADVICE " to what runs containers",
			settings->runtime);
	return 0;
}

int runtime_pass(const struct runtime_settings *settings, char **argv, struct err *err)
{
	int ret = runtime_pass_check(settings, err);

	if (ret < 0)
		return ret;
	argv[0] = (char *)settings->runtime;
	execv(settings->runtime, argv);
	return err_set(err, -errno, "cannot execute %s: %s (" ADVICE ")", settings->runtime,
		strerror(errno));
}
