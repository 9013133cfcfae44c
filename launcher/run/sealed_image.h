/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What one VM boots from: the initramfs, sealed with its machine spec, in which there are
 * environments and so secrets. It is in memory alone: in the VM's directory if that is on a tmpfs,
 * else in a memfd, which the VMM inherits and opens as /proc/self/fd/N (ours is out of its reach,
 * who has no capabilities) and which is gone with both of us, however we end. Where there is no
 * such thing either, it is written to the directory, and that is said.
 */

#include "launcher/image/initramfs.h"
#include "launcher/run/vm.h"

/* Writes it, in place of an earlier one: vm->initrd. As initramfs_seal(). */
int sealed_image_write(struct vm *vm, const char *archive, const struct initramfs_file *files,
	size_t n_files, struct err *err);

/* It has been read, or will not be. */
void sealed_image_remove(struct vm *vm);
