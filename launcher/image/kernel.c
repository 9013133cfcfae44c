/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/image/kernel.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define UML_PATH "/usr/bin/linux.uml"

/* The last of what matches in version order, into path[PATH_MAX]; false: nothing does. */
static bool find_newest(const char *pattern, char *path)
{
	const char *best = NULL;
	glob_t found;

	if (glob(pattern, 0, NULL, &found) != 0)
		return false;
	for (size_t i = 0; i < found.gl_pathc; i++)
		if (best == NULL || strverscmp(found.gl_pathv[i], best) > 0)
			best = found.gl_pathv[i];
	snprintf(path, PATH_MAX, "%s", best);
	globfree(&found);
	return true;
}

static bool has_modules(const char *dir)
{
	char path[PATH_MAX];

	return snprintf(path, sizeof(path), "%s/modules.dep", dir) < PATH_MAX &&
	       access(path, R_OK) == 0;
}

/* `real` is the kernel's path without symlinks. */
static void find_modules(bool uml, const char *real, char *modules_dir)
{
	int dir_len = (int)(strrchr(real, '/') - real);
	const char *version = strstr(real + dir_len, "vmlinuz-");
	char pattern[PATH_MAX + 64];

	modules_dir[0] = '\0';
	if (uml) {
		snprintf(pattern, sizeof(pattern), "%.*s/../lib/uml/modules/*", dir_len, real);
		(void)find_newest(pattern, modules_dir);
	} else if (version != NULL) {
		snprintf(modules_dir, PATH_MAX, "%.*s/../lib/modules/%s", dir_len, real,
			version + strlen("vmlinuz-"));
	}
	if (!has_modules(modules_dir))
		modules_dir[0] = '\0';
}

int kernel_find(
	bool uml, const char *path, const char *modules_dir, struct kernel *kernel, struct err *err)
{
	cleanup_free char *real = NULL;

	*kernel = (struct kernel) { "" };
	if (path[0] != '\0')
		snprintf(kernel->path, sizeof(kernel->path), "%s", path);
	else if (uml)
		snprintf(kernel->path, sizeof(kernel->path), "%s", UML_PATH);
	else if (!find_newest("/boot/vmlinuz-*", kernel->path))
		return err_set(err, -ENOENT,
			"there is no kernel in /boot: say which the guest is to have (kernel)");
	real = realpath(kernel->path, NULL);
	if (real == NULL || access(real, uml ? R_OK | X_OK : R_OK) < 0)
		return err_errno(err, errno, "kernel: %s", kernel->path);
	if (modules_dir[0] == '\0') {
		find_modules(uml, real, kernel->modules_dir);
		return 0;
	}
	if (!has_modules(modules_dir))
		return err_errno(err, errno, "modules-dir: %s/modules.dep", modules_dir);
	snprintf(kernel->modules_dir, sizeof(kernel->modules_dir), "%s", modules_dir);
	return 0;
}
