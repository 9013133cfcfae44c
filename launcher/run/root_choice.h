/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * How the root gets into the guest: as the setting `root` says or, if that is auto, by the first of
 * these that works here:
 *
 *   virtiofs   the directory itself
 *   ext4       a copy of it, on a drive
 *   nfs        the directory itself, if it is a file system of its own (nfs_export.h)
 *   initramfs  a copy of it, in the guest's memory
 */

#include "launcher/run/vm.h"

/* Sets vm->root, when it is known what runs the machine. -EINVAL: there is no such directory;
 * -ENOENT: what was asked for does not work, and why. */
int root_choice_make(struct vm *vm, struct err *err);
