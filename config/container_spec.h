/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A container that is to run in a VM, as sluice-runtime tells `sluice-vm run --container FILE`:
 * what of the engine's config.json is the guest's. The file is /sluice/container.json of the
 * machine root, 0600, because environments hold secrets and command lines are everybody's to read.
 * JSON, strict, version 1:
 *
 *   version *      1
 *   settings {}    of the table (vm_settings.h), each a string as an annotation has it:
 *                  { "vmm": "uml", "memory": "448" }. Stronger than sluice.json, weaker than
 *                  SLUICE_* and the command line; whoever wrote them has decided that they may
 *                  be set. Not those that say what the rest of this file does (run_container.h)
 *   hostname       "web-0"; absent: the pod's
 *   share *        "/sluice/share": a directory that is ready to be exported, with rootfs and
 *                  vol/0, vol/1 ... in it (storage/share.h)
 *   readonly       false: of the root
 *   volumes []     { kind * "virtiofs" | "nfs" | "tmpfs", destination *, options, readonly,
 *                  optional }: in the order of mounting. Those that are no tmpfs are vol/0,
 *                  vol/1 ... of the share, in this order. What is to be read-only on virtiofs,
 *                  the root too, is mounted so
 *   sysctl {}      { "net.ipv4.ip_forward": "1" }: of the guest's kernel, sysctls.h
 *   process *      process_spec.h
 *   args * []      strings, at least one
 *   env []         "NAME=VALUE"
 *
 * What it takes to run in a container (tried one by one, with no_new_privs set): capabilities
 *
 *   always             NET_ADMIN (guard, host port, TAP), NET_RAW (uplink)
 *   virtiofs           CHOWN, DAC_OVERRIDE, FOWNER, FSETID, SETFCAP, SETGID, SETPCAP, SETUID,
 *                      SYS_CHROOT: virtiofsd ends without any of them. A guest cannot make devices
 *   ext4, initramfs    none, but DAC_OVERRIDE where files of the root are not root's to read
 *   NFS                DAC_READ_SEARCH, without which it is refused; SETGID, without which its
 *                      guest hangs; SETUID, CHOWN, FOWNER, DAC_OVERRIDE, FSETID for what its
 *                      guest may do to files
 *   relayed resolver   NET_BIND_SERVICE; SETUID, SETGID, KILL: it runs as nobody
 *
 * never SYS_ADMIN. Root is read-only but for /run/sluice (UML's memory is there, or in /dev/shm:
 * not noexec, and as large as the guest) and /var/cache/sluice. Of /etc it needs resolv.conf, and
 * hosts with the pod's own name, or nfs-ganesha waits 20 s for a name server; mtab ->
 * /proc/self/mounts and netconfig for nfs-ganesha; passwd for the resolver's `nobody`.
 */

#include <stddef.h>

#include "config/machine_spec.h"
#include "config/process_spec.h"
#include "config/sysctls.h"
#include "lib/err.h"

#define CONTAINER_SPEC_VERSION 1
#define CONTAINER_SPEC_MAX     (8U << 20) /* bytes of its JSON */
#define CONTAINER_SPEC_PATH    "/sluice/container.json"
#define CONTAINER_SHARE        "/sluice/share"

struct container_setting {
	char *key, *value;
};

struct container_spec {
	struct container_setting *settings;
	size_t n_settings;
	char *hostname; /* NULL: not said */
	char *share;
	bool readonly;
	struct machine_mount *volumes; /* source NULL */
	size_t n_volumes;
	struct sysctls sysctls;
	struct process_spec process;
	char **args, **env; /* ended by NULL */
};

/* The caller frees *spec if this returns 0. -EINVAL: one line says what and where. */
int container_spec_parse(
	const char *text, size_t len, struct container_spec *spec, struct err *err);

void container_spec_free(struct container_spec *spec);
