/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/storage/share.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

#include "lib/cleanup.h"

#define NAME_LEN 32 /* "vol/4294967295" */

#define NO_NAMESPACE 1 /* we may not have one */

struct share {
	int dir;
	int ns; /* -1: nothing was mounted */
	const char *root;
	bool has_mounts;
};

/* Between the caller and the thread that enters the namespace. */
struct making {
	const struct share_plan *plan;
	struct share *share;
	struct err *err;
	int ret;
};

/* --- one item -------------------------------------------------------------------------------- */

/* A detached copy of the tree at `path`, with all that is mounted in it. */
static int clone_tree(const struct share_item *item, struct err *err)
{
	struct mount_attr attr = {
		.attr_set = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC |
			    (item->readonly ? MOUNT_ATTR_RDONLY : 0),
		.propagation = MS_PRIVATE,
	};
	cleanup_close int tree =
		open_tree(AT_FDCWD, item->path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);

	if (tree < 0)
		return err_errno(err, errno, "cannot share %s", item->path);
	if (mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0)
		return err_errno(err, errno, "cannot share %s %s", item->path,
			item->readonly ? "read-only" : "without devices");
	return steal_fd(&tree);
}

static int look_at_tree(int tree, const struct share_item *item, mode_t *type, struct err *err)
{
	struct stat st;

	if (fstat(tree, &st) < 0)
		return err_errno(err, errno, "cannot look at %s", item->path);
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
		return err_set(err, -EINVAL, "%s is neither a directory nor a file", item->path);
	*type = st.st_mode;
	return 0;
}

/* What a tree is mounted on: a directory on a directory, a file on a file. */
static int make_mount_point(int dir, const char *name, mode_t type)
{
	int fd;

	if (S_ISDIR(type))
		return mkdirat(dir, name, 0755) == 0 ? 0 : -errno;
	fd = openat(dir, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int mount_tree(
	int tree, int dir, const char *name, const struct share_item *item, struct err *err)
{
	mode_t type;
	int ret = look_at_tree(tree, item, &type, err);

	if (ret < 0)
		return ret;
	ret = make_mount_point(dir, name, type);
	if (ret == 0 && move_mount(tree, "", dir, name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		ret = -errno;
	return ret < 0 ? err_errno(err, -ret, "cannot share %s", item->path) : 0;
}

/* --- the namespace --------------------------------------------------------------------------- */

/* Detached, writable, and nowhere to be seen: -errno or a descriptor to be mounted. */
static int new_tmpfs(void)
{
	cleanup_close int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
	const unsigned attr = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
	int fd;

	if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0755", 0) < 0 ||
		fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	fd = fsmount(fs, FSMOUNT_CLOEXEC, attr);
	return fd >= 0 ? fd : -errno;
}

/* The trees are cloned by their paths before anything is mounted that could hide them. */
static int clone_all(const struct share_plan *plan, int *trees, struct err *err)
{
	for (size_t i = 0; i <= plan->n_volumes; i++) {
		const struct share_item *item = i == 0 ? &plan->root : &plan->volumes[i - 1];

		if (item->path == NULL)
			continue;
		trees[i] = clone_tree(item, err);
		if (trees[i] < 0)
			return trees[i];
	}
	return 0;
}

static int mount_all(const struct share_plan *plan, const int *trees, int dir, struct err *err)
{
	char name[NAME_LEN];
	int ret = 0;

	if (mkdirat(dir, "vol", 0755) < 0)
		return err_errno(err, errno, "cannot make the share directory");
	if (plan->root.path != NULL)
		ret = mount_tree(trees[0], dir, "rootfs", &plan->root, err);
	for (size_t i = 0; ret == 0 && i < plan->n_volumes; i++) {
		snprintf(name, sizeof(name), "vol/%zu", i);
		ret = mount_tree(trees[i + 1], dir, name, &plan->volumes[i], err);
	}
	return ret;
}

/* What is ours in it cannot be written from here on, what is the user's as he said. */
static int seal(int dir)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

	return mount_setattr(dir, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0 ? -errno : 0;
}

static int build(
	const struct share_plan *plan, const int *trees, struct share *share, struct err *err)
{
	cleanup_close int dir = new_tmpfs();
	cleanup_close int ns = open("/proc/thread-self/ns/mnt", O_RDONLY | O_CLOEXEC);
	int ret;

	if (dir < 0)
		return err_errno(err, -dir, "cannot make a tmpfs for the share directory");
	if (ns < 0)
		return err_errno(err, errno, "cannot open /proc/thread-self/ns/mnt");
	if (move_mount(dir, "", AT_FDCWD, plan->run_dir, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_errno(err, errno, "cannot mount on %s", plan->run_dir);
	ret = mount_all(plan, trees, dir, err);
	if (ret < 0)
		return ret;
	ret = seal(dir);
	if (ret < 0)
		return err_errno(err, -ret, "cannot make the share directory read-only");
	*share = (struct share) {
		.dir = steal_fd(&dir),
		.ns = steal_fd(&ns),
		.root = "/rootfs",
		.has_mounts = true,
	};
	return 0;
}

/* The namespace is this thread's: unshare(2) gives it a working directory and root of its own.
 * NO_NAMESPACE, 0 or negative errno. */
static int enter_and_build(const struct making *making)
{
	const struct share_plan *plan = making->plan;
	cleanup_free int *trees = malloc((plan->n_volumes + 1) * sizeof(*trees));
	int ret;

	if (trees == NULL)
		return err_set(making->err, -ENOMEM, "out of memory");
	memset(trees, -1, (plan->n_volumes + 1) * sizeof(*trees));
	if (unshare(CLONE_NEWNS) < 0)
		return errno == EPERM
			       ? NO_NAMESPACE
			       : err_errno(making->err, errno, "cannot make a mount namespace");
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return err_errno(making->err, errno, "cannot make mounts private");
	ret = clone_all(plan, trees, making->err);
	if (ret == 0)
		ret = build(plan, trees, making->share, making->err);
	for (size_t i = 0; i <= plan->n_volumes; i++)
		if (trees[i] >= 0)
			close(trees[i]);
	return ret;
}

static void *making_thread(void *arg)
{
	struct making *making = arg;

	making->ret = enter_and_build(making);
	return NULL;
}

static int make_namespace(const struct share_plan *plan, struct share *share, struct err *err)
{
	struct making making = { .plan = plan, .share = share, .err = err };
	pthread_t thread;
	int ret = pthread_create(&thread, NULL, making_thread, &making);

	if (ret != 0)
		return err_errno(err, ret, "cannot start a thread");
	pthread_join(thread, NULL);
	return making.ret;
}

/* --- without mounts -------------------------------------------------------------------------- */

/* As it is; whether other file systems are mounted in it is not known, so that it is to be taken
 * for given. */
static int take_directory(const char *path, const char *root, struct share *share, struct err *err)
{
	int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return err_errno(err, errno, "cannot share %s", path);
	*share = (struct share) { .dir = dir, .ns = -1, .root = root, .has_mounts = true };
	return 0;
}

static int share_without_mounts(const struct share_plan *plan, struct share *share, struct err *err)
{
	const char *why = plan->n_volumes > 0   ? "volumes"
			  : plan->root.readonly ? "a read-only root"
						: NULL;

	if (why != NULL)
		return err_set(err, -EPERM,
			"cannot share %s: that takes CAP_SYS_ADMIN, to mount them in a namespace "
			"of their own",
			why);
	return take_directory(plan->root.path, "/", share, err);
}

int share_check_ready(const struct share_item *item, struct err *err)
{
	cleanup_close int fd = open(item->path, O_PATH | O_CLOEXEC);
	struct statvfs fs;
	mode_t type;
	int ret;

	if (fd < 0)
		return err_errno(err, errno, "cannot share %s", item->path);
	ret = look_at_tree(fd, item, &type, err);
	if (ret < 0 || !item->readonly)
		return ret;
	if (fstatvfs(fd, &fs) < 0)
		return err_errno(err, errno, "cannot look at %s", item->path);
	return fs.f_flag & ST_RDONLY
		       ? 0
		       : err_set(err, -EROFS, "%s is to be read-only, but is not mounted so",
				 item->path);
}

static int take_ready(const struct share_plan *plan, struct share *share, struct err *err)
{
	int ret = plan->root.path != NULL ? share_check_ready(&plan->root, err) : 0;

	for (size_t i = 0; ret == 0 && i < plan->n_volumes; i++)
		ret = share_check_ready(&plan->volumes[i], err);
	return ret < 0 ? ret : take_directory(plan->ready, "/rootfs", share, err);
}

static int fill(const struct share_plan *plan, struct share *share, struct err *err)
{
	int ret;

	if (plan->ready != NULL)
		return take_ready(plan, share, err);
	if (plan->root.path == NULL && plan->n_volumes == 0)
		return err_set(err, -EINVAL, "there is nothing to share");
	ret = make_namespace(plan, share, err);
	return ret == NO_NAMESPACE ? share_without_mounts(plan, share, err) : ret;
}

/* --- life ------------------------------------------------------------------------------------ */

int share_open(const struct share_plan *plan, struct share **out, struct err *err)
{
	cleanup_free struct share *share = calloc(1, sizeof(*share));
	int ret;

	if (share == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	ret = fill(plan, share, err);
	if (ret == 0)
		*out = steal_ptr(&share);
	return ret;
}

int share_check(const struct share_item *item, struct err *err)
{
	cleanup_close int tree = clone_tree(item, err);
	mode_t type;

	return tree < 0 ? tree : look_at_tree(tree, item, &type, err);
}

int share_dir(const struct share *share)
{
	return share->dir;
}

const char *share_root(const struct share *share)
{
	return share->root;
}

bool share_has_mounts(const struct share *share)
{
	return share->has_mounts;
}

void share_close(struct share *share)
{
	if (share == NULL)
		return;
	close(share->dir);
	if (share->ns >= 0)
		close(share->ns);
	free(share);
}
