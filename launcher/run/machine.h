/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* The steps of vm_start() that make the machine itself. */

#include "launcher/run/vm.h"

/* The guest's address on its vsock, of which there is one machine each. */
#define MACHINE_CID 3

/* What it mounts from virtiofsd. */
#define MACHINE_SHARE_TAG "sluice"

/* Of NFS: unprivileged, as the server is; the guest's source address is that of its route there. */
#define MACHINE_NFS_PORT 20490
#define MACHINE_NFS_OPTIONS                                                                        \
	"vers=4.2,proto=tcp,port=20490,addr=" HOST_LINK_IDENTITY ",clientaddr=" HOST_LINK_SERVICE

/* Whether an NFS server is to serve it, which takes a host port. */
bool machine_has_nfs(const struct vm *vm);

int machine_storage_step(struct vm *vm, struct err *err);
int machine_image_step(struct vm *vm, struct err *err);
int machine_vmm_step(struct vm *vm, struct err *err);

/* Chooses what runs it, which volumes it gets and how its root gets there, which decides how the
 * rest is done, and finds the kernel; the first step, as nothing is to be undone if it cannot be.
 */
int machine_choose_step(struct vm *vm, struct err *err);

/*
 * Stock kernels do not run under KVM on some machines that are virtual themselves: they hang
 * without a word, or QEMU aborts. Whether a machine that has not come up may be tried without.
 */
bool machine_may_try_again(const struct vm *vm);

/* What serves it ends; what it has opened and made stays until it is closed. */
void machine_storage_stop(struct vm *vm);
void machine_storage_close(struct vm *vm);

/* "virtiofs". */
const char *machine_root_name(enum vm_root root);
