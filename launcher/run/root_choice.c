/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/run/root_choice.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>

#include "launcher/run/datapath_choice.h"
#include "launcher/run/machine.h"
#include "launcher/process/program.h"
#include "launcher/storage/nfs.h"
#include "launcher/storage/virtiofsd.h"
#include "lib/log.h"

/* Why a root cannot be had by virtiofs; NULL: it can. */
static const char *without_virtiofs(const struct vm *vm, struct err *err)
{
	char program[PATH_MAX];
	const char *set = vm->settings->virtiofsd;

	if (!(vm->kind->can & VMM_CAN_VIRTIOFS))
		return "this VMM has no such device";
	return virtiofsd_find(set[0] != '\0' ? set : NULL, program, err) < 0 ? err->text : NULL;
}

/* Why it cannot be had as an image of the machine's own. */
static const char *without_ext4(const struct vm *vm, struct err *err)
{
	char program[PATH_MAX];

	if (!(vm->kind->can & VMM_CAN_DRIVE))
		return "this VMM has no drives";
	return program_find("mke2fs", program, err) < 0 ? err->text : NULL;
}

static struct nfs_export root_export(const struct vm *vm)
{
	return (struct nfs_export) { vm->settings->rootfs, vm->settings->readonly };
}

/* Why it cannot be had over NFS: mostly that the guest would get more than its root. */
static const char *without_nfs(const struct vm *vm, struct err *err)
{
	const struct nfs_export root = root_export(vm);
	char program[PATH_MAX];

	if (datapath_is_tap(vm->settings))
		return "datapath tap has no host port";
	if (program_find(NFS_PROGRAM, program, err) < 0 ||
		nfs_export_check(&root, vm->settings->nfs_shared_filesystem, err) < 0)
		return err->text;
	return NULL;
}

/* The first that works; what does not is told of, with its reason. */
static void choose(struct vm *vm)
{
	static const struct {
		enum vm_root root;
		const char *(*without)(const struct vm *vm, struct err *err);
	} order[] = {
		{ VM_ROOT_VIRTIOFS, without_virtiofs },
		{ VM_ROOT_EXT4, without_ext4 },
		{ VM_ROOT_NFS, without_nfs },
	};
	struct err err = { "" };
	const char *why = "";

	vm->root = VM_ROOT_INITRAMFS;
	for (size_t i = 0; why != NULL && i < sizeof(order) / sizeof(order[0]); i++) {
		why = order[i].without(vm, &err);
		if (why == NULL)
			vm->root = order[i].root;
		else
			log_info("root", log_str("not", machine_root_name(order[i].root)),
				log_str("because", why));
	}
	log_info("root", log_str("kind", machine_root_name(vm->root)),
		log_str("because", "it is the first that works here"));
}

static int check_choice(const struct vm *vm, struct err *err)
{
	struct err reason = { "" };
	const char *why = vm->root == VM_ROOT_VIRTIOFS ? without_virtiofs(vm, &reason)
			  : vm->root == VM_ROOT_NFS    ? without_nfs(vm, &reason)
						       : NULL;

	return why == NULL
		       ? 0
		       : err_set(err, -ENOENT, "root: %s: %s", machine_root_name(vm->root), why);
}

static int check_rootfs(const char *path, struct err *err)
{
	struct stat st;

	if (path[0] == '\0')
		return err_set(err, -EINVAL, "rootfs: not set: say which directory is the root");
	if (stat(path, &st) < 0)
		return err_errno(err, errno, "rootfs: %s", path);
	if (!S_ISDIR(st.st_mode))
		return err_errno(err, ENOTDIR, "rootfs: %s", path);
	return 0;
}

int root_choice_make(struct vm *vm, struct err *err)
{
	vm->root = vm->settings->root;
	if (check_rootfs(vm->settings->rootfs, err) < 0)
		return -EINVAL;
	if (vm->root != VM_ROOT_AUTO)
		return check_choice(vm, err);
	choose(vm);
	return 0;
}
