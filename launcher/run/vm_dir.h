/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The VM's private directory, which by its name there is one VM at a time in. Two locks (flock(2)):
 * the directory is locked for as long as anything of the VM may be there, its keeper cleaning up
 * behind it included, and a file in it for as long as sluice-vm itself lives. So a successor can
 * tell whom it finds there: one that lives, or one that is as good as gone.
 */

#include "launcher/run/vm_paths.h"
#include "lib/err.h"

#define VM_DIR_WAIT_MS 5000

struct vm_dir {
	int kept;  /* the directory's lock: for the keeper, too (keeper_hold()) */
	int alive; /* the file's; CLOEXEC, as the other */
};

#define VM_DIR_NONE                                                                                \
	(struct vm_dir)                                                                            \
	{                                                                                          \
		.kept = -1, .alive = -1                                                            \
	}

/*
 * Makes it, or takes it over from a predecessor and removes what that left; one that is being
 * cleaned up behind is waited for, VM_DIR_WAIT_MS at most. -EBUSY: it is somebody's; -ENOTEMPTY:
 * there are files in it that are no VM's.
 */
int vm_dir_claim(const struct vm_paths *paths, struct vm_dir *dir, struct err *err);

/* Gives up the locks, and no more. */
void vm_dir_release(struct vm_dir *dir);
