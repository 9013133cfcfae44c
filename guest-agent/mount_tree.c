/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest-agent/mount_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/openat2.h>

#include "guest-agent/early_mounts.h"
#include "lib/cleanup.h"

#define STAGE_DIR AGENT_DIR "/stage" /* where a file system is mounted for a moment */
#define SHARE_DIR AGENT_DIR "/share" /* virtiofs devices, by tag */

/* --- options --------------------------------------------------------------------------------- */

/* Words of mount(8) that are no file system's. attr 0: not for a part of one that is mounted. */
static const struct {
	const char *word;
	unsigned long flag;
	uint64_t attr;
} words[] = {
	{ "ro", MS_RDONLY, MOUNT_ATTR_RDONLY },
	{ "nosuid", MS_NOSUID, MOUNT_ATTR_NOSUID },
	{ "nodev", MS_NODEV, MOUNT_ATTR_NODEV },
	{ "noexec", MS_NOEXEC, MOUNT_ATTR_NOEXEC },
	{ "noatime", MS_NOATIME, MOUNT_ATTR_NOATIME },
	{ "nodiratime", MS_NODIRATIME, MOUNT_ATTR_NODIRATIME },
	{ "sync", MS_SYNCHRONOUS, 0 },
	{ "dirsync", MS_DIRSYNC, 0 },
	{ "rw", 0, 0 },
	{ "defaults", 0, 0 },
};

#define N_WORDS (sizeof(words) / sizeof(words[0]))

struct options {
	unsigned long flags;
	char *data; /* the file system's own; "" */
};

static bool take_flag(struct options *options, const char *word)
{
	for (size_t i = 0; i < N_WORDS; i++)
		if (strcmp(words[i].word, word) == 0) {
			options->flags |= words[i].flag;
			return true;
		}
	return false;
}

/* options->data is to be freed. */
static int parse_options(const char *text, bool read_only, struct options *options)
{
	cleanup_free char *copy = strdup(text != NULL ? text : "");
	char *rest = copy, *word;

	*options = (struct options) { .flags = read_only ? MS_RDONLY : 0 };
	options->data = calloc(1, (text != NULL ? strlen(text) : 0) + 2);
	if (copy == NULL || options->data == NULL) {
		free(options->data);
		return -ENOMEM;
	}
	while ((word = strsep(&rest, ",")) != NULL)
		if (word[0] != '\0' && !take_flag(options, word)) {
			strcat(options->data, options->data[0] != '\0' ? "," : "");
			strcat(options->data, word);
		}
	return 0;
}

/* --- parts of what is mounted ---------------------------------------------------------------- */

static int clone_fd(int fd, int *tree)
{
	int ret = open_tree(
		fd, "", AT_EMPTY_PATH | AT_RECURSIVE | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (ret < 0)
		return -errno;
	*tree = ret;
	return 0;
}

int mount_tree_clone(const char *path, int *tree, struct err *err)
{
	cleanup_close int fd = open(path, O_PATH | O_CLOEXEC);
	int ret = fd < 0 ? -errno : clone_fd(fd, tree);

	return ret < 0 ? err_errno(err, -ret, "cannot take %s", path) : 0;
}

/* The flags that can be had without mounting anew. */
static int set_flags(int tree, unsigned long flags)
{
	struct mount_attr attr = { 0 };

	for (size_t i = 0; i < N_WORDS; i++)
		if ((flags & words[i].flag) != 0)
			attr.attr_set |= words[i].attr;
	if ((attr.attr_set & MOUNT_ATTR_NOATIME) != 0)
		attr.attr_clr = MOUNT_ATTR__ATIME;
	if (attr.attr_set == 0)
		return 0;
	return mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0
		       ? -errno
		       : 0;
}

/* --- kinds ----------------------------------------------------------------------------------- */

/* Mounts at a place of our own, and takes the mount away from there. */
static int mount_fresh(const char *type, const char *source, const struct options *options,
	int *tree, struct err *err)
{
	int ret;

	if (mkdir(STAGE_DIR, 0700) < 0 && errno != EEXIST)
		return err_errno(err, errno, "cannot create " STAGE_DIR);
	if (mount(source, STAGE_DIR, type, options->flags, options->data) < 0) {
		if (errno == ENODEV)
			return err_set(
				err, -ENODEV, "the kernel has no %s (is its module there?)", type);
		return err_errno(err, errno, "cannot mount %s %s", type, source);
	}
	ret = mount_tree_clone(STAGE_DIR, tree, err);
	umount2(STAGE_DIR, MNT_DETACH);
	return ret;
}

/* Mounts the device with that tag if it is not: *share is its top. */
static int open_share(const char *tag, int *share, struct err *err)
{
	char path[PATH_MAX];
	struct stat st, parent;

	if (tag[0] == '\0' || tag[0] == '.' || strchr(tag, '/') != NULL)
		return err_set(err, -EINVAL, "virtiofs: \"%s\" is not a tag", tag);
	snprintf(path, sizeof(path), SHARE_DIR "/%s", tag);
	if ((mkdir(SHARE_DIR, 0700) < 0 && errno != EEXIST) ||
		(mkdir(path, 0700) < 0 && errno != EEXIST) || stat(SHARE_DIR, &parent) < 0 ||
		stat(path, &st) < 0)
		return err_errno(err, errno, "cannot create %s", path);
	if (st.st_dev == parent.st_dev && mount(tag, path, "virtiofs", 0, NULL) < 0)
		return err_errno(err, errno,
			"cannot mount the virtiofs device \"%s\" (is it there, and the module?)",
			tag);
	*share = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return *share < 0 ? err_errno(err, errno, "cannot open %s", path) : 0;
}

static int clone_below(int share, const char *path, int *tree)
{
	const struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	cleanup_close int fd = (int)syscall(SYS_openat2, share, path, &how, sizeof(how));

	return fd < 0 ? -errno : clone_fd(fd, tree);
}

/* "TAG:/dir" */
static int open_virtiofs(
	const char *source, const struct options *options, int *tree, struct err *err)
{
	cleanup_free char *tag = strdup(source);
	cleanup_close int share = -1;
	char *colon = tag != NULL ? strchr(tag, ':') : NULL;
	int ret;

	if (colon == NULL || colon[1] != '/')
		return err_set(err, -EINVAL, "virtiofs: \"%s\" is not TAG:/DIRECTORY", source);
	*colon = '\0';
	if (options->data[0] != '\0')
		return err_set(err, -EINVAL, "virtiofs: unknown options \"%s\"", options->data);
	ret = open_share(tag, &share, err);
	if (ret < 0)
		return ret;
	ret = clone_below(share, colon + 1, tree);
	return ret < 0 ? err_errno(err, -ret, "virtiofs %s", source) : 0;
}

static int open_kind(const struct machine_mount *mount, const struct options *options, int *tree,
	struct err *err)
{
	switch (mount->kind) {
	case MACHINE_VIRTIOFS:
		return open_virtiofs(mount->source, options, tree, err);
	case MACHINE_INITRAMFS:
		return mount_tree_clone(mount->source, tree, err);
	case MACHINE_TMPFS:
		return mount_fresh("tmpfs", "tmpfs", options, tree, err);
	case MACHINE_EXT4:
	case MACHINE_NFS:
		return mount_fresh(machine_fs_name(mount->kind), mount->source, options, tree, err);
	}
	return err_set(err, -EINVAL, "unknown kind of mount");
}

int mount_tree_open(const struct machine_mount *mount, bool read_only, int *tree, struct err *err)
{
	struct options options;
	cleanup_close int fd = -1;
	int ret = parse_options(mount->options, read_only, &options);

	if (ret < 0)
		return err_set(err, ret, "out of memory");
	ret = open_kind(mount, &options, &fd, err);
	free(options.data);
	if (ret < 0)
		return ret;
	ret = set_flags(fd, options.flags);
	if (ret < 0)
		return err_errno(err, -ret, "cannot set the options of %s",
			mount->source != NULL ? mount->source : "a tmpfs");
	*tree = steal_fd(&fd);
	return 0;
}

/* --- where it goes --------------------------------------------------------------------------- */

int mount_tree_is_directory(int tree)
{
	struct stat st;

	return fstat(tree, &st) < 0 ? -errno : S_ISDIR(st.st_mode);
}

int mount_tree_attach(int tree, int at, struct err *err)
{
	if (move_mount(tree, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return err_errno(err, errno, "cannot mount");
	return 0;
}

int mount_tree_make_read_only(const char *path, struct err *err)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

	if (mount_setattr(AT_FDCWD, path, 0, &attr, sizeof(attr)) < 0)
		return err_errno(err, errno, "cannot make %s read-only", path);
	return 0;
}
