/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/oci/runtime_client.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* From the directory of programs: in it, installed, in the build tree. */
static const char *const places[] = {
	"",
	"../libexec/sluice/",
	"../sbin/",
	"exec/",
	"../guest-agent/",
	"../switch/",
	"../switch/vsock/",
};

int runtime_client_find(
	const struct runtime_settings *settings, const char *name, char *path, struct err *err)
{
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		char outside[2 * PATH_MAX];
		int n = snprintf(path, PATH_MAX, "%s/%s%s", settings->programs, places[i], name);

		snprintf(outside, sizeof(outside), "%s%s", settings->machine_root, path);
		if (n < PATH_MAX && access(outside, X_OK) == 0)
			return 0;
	}
	return err_set(err, -ENOENT, "there is no %s in %s of %s (programs of \"runtime\")", name,
		settings->programs,
		settings->machine_root[0] != '\0' ? settings->machine_root : "this node");
}
