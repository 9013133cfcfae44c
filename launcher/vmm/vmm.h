/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What all VMMs have in common: how one is told what to boot, and what it tells.
 *
 * A machine is started from a plan, in which everything already exists: sockets listen, files are
 * written. It says what happens by events, from the event loop and never from within a call. After
 * VMM_ENDED nothing of it is left: its process group is gone. It is still to be freed by kill(),
 * which may be called from within any event.
 *
 *      (none) -- start --> VMM_RUNNING --> VMM_SHUTDOWN (the guest powered off) --> VMM_ENDED
 *                                     \--> VMM_ENDED (it crashed, or was killed)
 *
 * A VMM's own command line and protocol are its own file's business; what its guest's kernel has to
 * be told because of it (console=, virtio_mmio.device=) it appends to the plan's command line.
 *
 * Thread-safety: main thread. The program ignores SIGPIPE.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "launcher/process/child.h"
#include "launcher/process/keeper.h"
#include "lib/err.h"
#include "lib/mac.h"

#define VMM_NICS_MAX   8
#define VMM_DRIVES_MAX 8

enum vmm_accel { VMM_ACCEL_AUTO, VMM_ACCEL_KVM, VMM_ACCEL_TCG };

struct vmm_nic {
	const char *socket; /* sluiced's, vhost-user; or NULL: */
	const char *tap;    /* an interface that exists, and that nobody has opened */
	struct mac mac;
	uint16_t mtu;
};

/* A virtio-fs device: what serves it listens at `socket`. */
struct vmm_share {
	const char *socket;
	const char *tag;
};

struct vmm_drive {
	const char *path; /* a raw image */
	bool readonly;
};

struct vmm_plan {
	const char *name;    /* of the VM: letters, digits, '.', '_' and '-' */
	const char *program; /* NULL: the VMM's usual name, looked up in PATH */
	const char *run_dir; /* private directory for sockets and files, absolute */
	const char *kernel;  /* of UML: its program, unless there is one */
	const char *initrd;
	int initrd_fd;       /* above 2: that initrd is a descriptor, which the VMM inherits */
	const char *cmdline; /* may be empty */
	unsigned n_cpus;
	unsigned memory_mib;
	enum vmm_accel accel; /* of QEMU */
	const char *machine;  /* of QEMU: "q35" or "microvm" */
	struct vmm_nic nics[VMM_NICS_MAX];
	size_t n_nics;
	struct vmm_share share; /* socket NULL: none */
	struct vmm_drive drives[VMM_DRIVES_MAX];
	size_t n_drives;
	uint32_t cid;
	/* sluice-vsock's vhost-user socket; NULL: the VMM has a vsock device of its own, whose
	 * host side is to be at vsock_path (CONNECT <port>), where there must be nothing yet. */
	const char *vsock_socket;
	const char *vsock_path;
	/* Gets what the guest's kernel says, and what the VMM has to complain of: the writing end
	 * of a pipe, which is read always; above 2. */
	int console;
};

enum vmm_event {
	VMM_RUNNING,  /* the guest's processors run */
	VMM_SHUTDOWN, /* the guest has powered off, or reset itself (which ends it as well) */
	VMM_PANICKED, /* the guest's kernel said so */
	VMM_ENDED,    /* detail: "exit status 1"; the last one */
};

struct vmm;

struct vmm_owner {
	void (*event)(void *owner, enum vmm_event event, const char *detail);
	void *owner;
};

/* What a kind of VMM can do: bits. */
enum {
	VMM_CAN_VHOST_VSOCK = 1 << 0, /* takes sluice-vsock's device; not: has its own */
	VMM_CAN_VIRTIOFS = 1 << 1,
	VMM_CAN_DRIVE = 1 << 2,
	VMM_CAN_VHOST_NET = 1 << 3, /* takes sluiced's; not: needs a TAP */
	VMM_CAN_RECONNECT = 1 << 4, /* its network is back when sluiced is */
	VMM_CAN_POWERDOWN = 1 << 5,
	VMM_IS_BOUNDARY = 1 << 6, /* its guest is kept in by it: not UML */
	VMM_NEEDS_ELF = 1 << 7,   /* its kernel has to be an ELF file (kernel_elf.h) */
	VMM_NEEDS_KVM = 1 << 8,   /* it does not emulate */
};

struct vmm_kind {
	const char *name; /* "qemu", as the setting vmm has it */
	unsigned can;
	const char *drive_device; /* the first drive in the guest: "/dev/vda", "/dev/ubda" */
	/* Whether it could start here: the program is there, and so on. 0, or -ENOENT ... and why.
	 */
	int (*check)(const struct vmm_plan *plan, struct err *err);
	/* Starts it; *plan is borrowed for the call. The keeper, which may be NULL, learns of its
	 * group. */
	int (*start)(struct event_base *loop, struct keeper *keeper, const struct vmm_plan *plan,
		const struct vmm_owner *owner, struct vmm **out, struct err *err);
	/* Asks the guest to power off, as its power button would. -ENOTSUP, -EIO. */
	int (*powerdown)(struct vmm *vmm, struct err *err);
	/* Ends it at once and frees it, without an event. */
	void (*kill)(struct vmm *vmm);
	/* The state in one word, "running" or "starting" ...; static. */
	const char *(*state)(const struct vmm *vmm);
	pid_t (*pid)(const struct vmm *vmm);
};

struct vmm {
	const struct vmm_kind *kind; /* the rest is the kind's own */
};

extern const struct vmm_kind vmm_qemu, vmm_uml, vmm_cloud_hypervisor, vmm_firecracker;

/* NULL: there is none of that name. */
const struct vmm_kind *vmm_find(const char *name);
