/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Where things of a VM are. RUN is the setting run-dir, NAME the VM's name:
 *
 *   RUN/NAME.sock          its vhost-user port
 *   RUN/NAME.vsock         CONNECT <port>, and RUN/NAME.vsock_<port> for what the guest connects to
 *   RUN/NAME.log           what sluice-vm and its children say; stays
 *   RUN/NAME/              private, 0700, removed at the end:
 *     control              sluice-vm's own socket: status, stop
 *     sluiced.sock         the switch's control socket (sluicectl)
 *     console, console.old what the guest's kernel said last
 *     initrd               what the guest boots from, until it has (sealed_image.h)
 *     sluiced.json, vsock.device, fs.device, ...
 */

#include <limits.h>
#include <stddef.h>

#include "lib/err.h"

/* A socket's path has 108 bytes. */
#define VM_PATH_MAX 108

struct vm_paths {
	char run_dir[VM_PATH_MAX], dir[VM_PATH_MAX];
	char switch_control[VM_PATH_MAX], switch_port[VM_PATH_MAX], vsock[VM_PATH_MAX];
	char shared_ports[VM_PATH_MAX];
	char control[VM_PATH_MAX], console[VM_PATH_MAX];
	char switch_config[VM_PATH_MAX], vsock_device[VM_PATH_MAX], fs_device[VM_PATH_MAX];
	char initrd[VM_PATH_MAX], switch_notify[VM_PATH_MAX], vsock_notify[VM_PATH_MAX];
	char log[VM_PATH_MAX], nfs_dir[VM_PATH_MAX];
};

/* -ENAMETOOLONG: run_dir is too long for the sockets in it. */
int vm_paths_make(struct vm_paths *paths, const char *run_dir, const char *name, struct err *err);
