/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/storage/nfs_export.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"

/* A line of /proc/self/mountinfo, proc(5). */
struct mount_line {
	uint64_t id;
	bool whole; /* shows its file system from the root on, not a directory that was bound */
	const char *target; /* where it is mounted */
};

static bool is_octal(const char *c)
{
	for (int i = 1; i <= 3; i++)
		if (c[i] < '0' || c[i] > '7')
			return false;
	return true;
}

/* A field, ended by NUL and with its \040 and the like undone, in place: what is behind it. NULL:
 * the line ends here. */
static char *take_field(char *field)
{
	char *to = field, *c = field;

	for (; *c != ' ' && *c != '\0' && *c != '\n'; c++, to++) {
		*to = *c;
		if (*c == '\\' && is_octal(c)) {
			*to = (char)((c[1] - '0') << 6 | (c[2] - '0') << 3 | (c[3] - '0'));
			c += 3;
		}
	}
	if (*c != ' ')
		return NULL;
	*to = '\0';
	return c + 1;
}

static bool parse_line(char *line, struct mount_line *m)
{
	char *root, *target, *rest;
	int at = 0;

	if (sscanf(line, "%" SCNu64 " %*u %*u:%*u %n", &m->id, &at) != 1 || at == 0)
		return false;
	root = line + at;
	target = take_field(root);
	rest = target != NULL ? take_field(target) : NULL;
	m->whole = strcmp(root, "/") == 0;
	m->target = target;
	return rest != NULL;
}

static bool is_below(const char *target, const char *path)
{
	size_t len = strlen(path);

	return strncmp(target, path, len) == 0 &&
	       (target[len] == '/' || (len == 1 && target[1] != '\0'));
}

static int refuse(const char *what, const char *path, struct err *err)
{
	return err_set(err, -EXDEV,
		"%s%s is not the root of a file system of its own: a guest could reach all of the "
		"one it is on through NFS; use virtiofs",
		path, what);
}

/* Of the mount with this ID, and of those below `path`, which the server exports as well. */
static int check_mounts(uint64_t id, const char *path, struct err *err)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	cleanup_free char *line = NULL;
	struct mount_line m;
	size_t size = 0;
	int ret = 0;

	if (file == NULL)
		return err_errno(err, errno, "cannot open /proc/self/mountinfo");
	while (ret == 0 && getline(&line, &size, file) >= 0) {
		if (!parse_line(line, &m) || m.whole)
			continue;
		if (m.id == id)
			ret = refuse("", path, err);
		else if (is_below(m.target, path))
			ret = refuse(
				", which is mounted in what is to be exported,", m.target, err);
	}
	fclose(file);
	return ret;
}

static int check_whole(int dir, const char *path, struct err *err)
{
	cleanup_free char *real = realpath(path, NULL);
	struct statx st;

	if (real == NULL || statx(dir, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0)
		return err_errno(err, errno, "cannot look at %s", path);
	if (!(st.stx_mask & STATX_MNT_ID) || !(st.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT))
		return err_set(
			err, -EOPNOTSUPP, "this kernel does not tell what %s is a part of", path);
	if (!(st.stx_attributes & STATX_ATTR_MOUNT_ROOT))
		return refuse("", path, err);
	return check_mounts(st.stx_mnt_id, real, err);
}

/* A handle made and used, as the server will. */
static int probe_handle(int dir, const char *path, struct err *err)
{
	union {
		struct file_handle handle;
		char bytes[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} h = { .handle.handle_bytes = MAX_HANDLE_SZ };
	cleanup_close int mount = -1, again = -1;
	int mount_id;

	if (name_to_handle_at(dir, "", &h.handle, &mount_id, AT_EMPTY_PATH) < 0)
		return errno == EOPNOTSUPP
			       ? err_set(err, -EOPNOTSUPP,
					 "the file system of %s has no file handles, which NFS "
					 "takes "
					 "(an overlay, say); use virtiofs",
					 path)
			       : err_errno(err, errno, "cannot get a file handle of %s", path);
	mount = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (mount < 0)
		return err_errno(err, errno, "cannot open %s", path);
	again = open_by_handle_at(mount, &h.handle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (again < 0 && errno == EPERM)
		return err_set(err, -EPERM,
			"cannot find %s by its file handle: NFS takes CAP_DAC_READ_SEARCH, and a "
			"seccomp profile that lets open_by_handle_at through; use virtiofs",
			path);
	return again >= 0 ? 0 : err_errno(err, errno, "cannot find %s by its file handle", path);
}

int nfs_export_check(const struct nfs_export *nfs_export, bool allow_shared, struct err *err)
{
	const char *path = nfs_export->path;
	cleanup_close int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int ret = 0;

	if (dir < 0)
		return err_errno(err, errno, "cannot export %s", path);
	if (!allow_shared)
		ret = check_whole(dir, path, err);
	return ret < 0 ? ret : probe_handle(dir, path, err);
}
