/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/run/sealed_image.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/log.h"

static bool is_in_memory(const char *dir)
{
	struct statfs fs;

	return statfs(dir, &fs) == 0 && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

/* A file without a name, and one that others find it by. */
static int make_memfd(struct vm *vm)
{
	vm->initrd_fd = memfd_create("sluice-initrd", MFD_CLOEXEC);
	if (vm->initrd_fd < 0 || fchmod(vm->initrd_fd, 0600) < 0)
		return -errno;
	/* By the same name in the VMM, which inherits it. */
	snprintf(vm->initrd, sizeof(vm->initrd), "/proc/self/fd/%d", vm->initrd_fd);
	return access(vm->initrd, R_OK) == 0 ? 0 : -errno;
}

int sealed_image_write(struct vm *vm, const char *archive, const struct initramfs_file *files,
	size_t n_files, struct err *err)
{
	int ret = 0;

	sealed_image_remove(vm);
	if (!is_in_memory(vm->paths.dir)) {
		ret = make_memfd(vm);
		if (ret == 0)
			return initramfs_seal_fd(archive, files, n_files, vm->initrd_fd, err);
		sealed_image_remove(vm);
		log_warn("secrets-on-disk", log_str("path", vm->paths.initrd),
			log_str("reason", strerror(-ret)));
	}
	strcpy(vm->initrd, vm->paths.initrd);
	return initramfs_seal(archive, files, n_files, vm->initrd, err);
}

void sealed_image_remove(struct vm *vm)
{
	(void)unlink(vm->paths.initrd);
	if (vm->initrd_fd >= 0)
		close(vm->initrd_fd);
	vm->initrd_fd = -1;
}
