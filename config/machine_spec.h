/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What a guest is told about itself: written by sluice-vm into the last segment of the guest's
 * initramfs, read there by sluice-agent before anything else:
 *
 *   /run/sluice/machine.json   this, 0600
 *   /run/sluice/argv, env      the workload's vectors: bytes, each string ended by NUL. No argv:
 *                              the entrypoint that the root has (/.runcvm/entrypoint), or none
 *
 * It is JSON, strict in both directions, version 1:
 *
 *   version *      1
 *   hostname       "web-0"
 *   hosts, resolv_conf
 *                  contents of /etc/hosts and /etc/resolv.conf; absent: the root's own stay
 *   network        { interfaces *, addresses *, routes *, rules *, neighbours * }: machine_net.h
 *   root *         { kind * "virtiofs" | "ext4" | "nfs" | "initramfs", source *, options,
 *                  readonly }
 *                  source: a virtiofs tag with the directory in it ("sluice:/rootfs"), a block
 *                  device ("/dev/ubda", "/dev/vda"), an NFS export ("169.254.1.254:/root"), a
 *                  directory of the initramfs ("/image"); options as mount(2) takes them
 *   mounts * []    { kind * "virtiofs" | "nfs" | "tmpfs", source, destination *, options, readonly,
 *                  optional }: in this order; destinations are paths in the root, whose symlinks
 *                  are followed as in a container (never out of the root) and which are made if
 *                  missing. A tmpfs has no source
 *   sharedPorts    [ 8080 ]: TCP ports of programs beside the machine, which it reaches on its own
 *                  127.0.0.1 and ::1
 *   sysctl {}      { "net.ipv4.ip_forward": "1" }: of its kernel, sysctls.h
 *   process *      process_spec.h
 */

#include "config/machine_net.h"
#include "config/process_spec.h"
#include "config/shared_ports.h"
#include "config/sysctls.h"

#define MACHINE_SPEC_VERSION 1
#define MACHINE_SPEC_MAX     (1U << 20) /* bytes of its JSON */
#define MACHINE_MOUNTS_MAX   256

#define MACHINE_SPEC_PATH "/run/sluice/machine.json"
#define MACHINE_ARGV_PATH "/run/sluice/argv"
#define MACHINE_ENV_PATH  "/run/sluice/env"

enum machine_fs { MACHINE_VIRTIOFS, MACHINE_EXT4, MACHINE_NFS, MACHINE_TMPFS, MACHINE_INITRAMFS };

struct machine_mount {
	enum machine_fs kind;
	char *source;      /* NULL of a tmpfs */
	char *destination; /* of the root: "/" */
	char *options;     /* NULL: none */
	bool readonly;
	bool optional; /* the machine starts without it */
};

struct machine_spec {
	char *hostname, *hosts, *resolv_conf; /* NULL: not said */
	struct machine_net net;
	struct machine_mount root;
	struct machine_mount *mounts;
	size_t n_mounts;
	uint16_t shared_ports[SHARED_PORTS_MAX];
	uint8_t n_shared_ports;
	struct sysctls sysctls;
	struct process_spec process;
};

/* "virtiofs". */
const char *machine_fs_name(enum machine_fs kind);

/* The caller frees *spec if this returns 0. -EINVAL: not such a text; one line says what and where.
 */
int machine_spec_parse(const char *text, size_t len, struct machine_spec *spec, struct err *err);

/* To be freed; NULL: no memory. */
char *machine_spec_format(const struct machine_spec *spec);

void machine_spec_free(struct machine_spec *spec);
