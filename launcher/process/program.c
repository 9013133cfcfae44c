/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/process/program.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define USUAL_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static int check(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || access(path, X_OK) < 0)
		return -EACCES;
	return 0;
}

/* As execvp(3): one that cannot be executed is passed over, and is the error if there is no other.
 */
static int look_up(const char *name, char *path)
{
	const char *dirs = getenv("PATH");
	int ret = -ENOENT;

	if (dirs == NULL || dirs[0] == '\0')
		dirs = USUAL_PATH;
	while (dirs != NULL) {
		int len = (int)strcspn(dirs, ":");
		int n = snprintf(path, PATH_MAX, "%.*s/%s", len, dirs, name);
		int found = len > 0 && n < PATH_MAX ? check(path) : -ENOENT;

		if (found == 0)
			return 0;
		if (found == -EACCES)
			ret = found;
		dirs = dirs[len] == ':' ? dirs + len + 1 : NULL;
	}
	return ret;
}

int program_find(const char *name, char *path, struct err *err)
{
	int ret;

	if (name[0] == '\0' || strlen(name) >= PATH_MAX)
		return err_set(err, -ENOENT, "no program is named");
	if (strchr(name, '/') == NULL) {
		ret = look_up(name, path);
		return ret == 0 ? 0 : err_errno(err, -ret, "cannot find %s in PATH", name);
	}
	snprintf(path, PATH_MAX, "%s", name);
	ret = check(path);
	return ret == 0 ? 0 : err_errno(err, -ret, "cannot execute %s", name);
}
