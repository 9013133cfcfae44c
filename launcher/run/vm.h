/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * One VM from start to end, as `sluice-vm run` has it. It is started in this order, each step timed
 * in the log, and ended in reverse:
 *
 *   choose    VMM, kernel, root
 *   pod       what the CNI gave (pod_network.h)
 *   guard     the pod's kernel is mute, the host port is there (pod_guard.h), and the TAP of a VMM
 *             without vhost-user (tap_link.h); without a switch, the TAP is the pod's network
 *             (vm_tap.h)
 *   switch    sluiced, or the guest's port on somebody else's, if there is to be one
 *   dns       what relays the pod's resolver on loopback (dns_relay.h), if it has one
 *   vsock     sluice-vsock, unless the VMM has its own
 *   ports     the pod's that the guest is to reach (vm_ports.h); those of the guest follow it
 *   storage   what serves the root
 *   image     the guest's initramfs, sealed with its machine spec
 *   vmm       the machine runs
 *   agent     it has answered, and the workload has started
 *
 * While it runs, sluiced is started anew when it ends (vm_switch.h), and so are the relay for names
 * and the NFS server (nfs.h). Anything else that ends before the workload has is the VM's end.
 *
 * Exit status: the workload's exit code, or 128 and its signal's number; 126 or 127 if the agent
 * could not run it; and of ours
 *
 *   120   the VMM ended by itself, or the guest powered off
 *   121   sluice-vsock ended
 *   122   what serves the storage ended
 *   123   the agent was lost
 *   125   it could not be started
 *
 * Thread-safety: main thread.
 */

#include "config/vm_settings.h"
#include "launcher/image/kernel.h"
#include "launcher/pod/pod_guard.h"
#include "launcher/pod/pod_network.h"
#include "launcher/run/console.h"
#include "launcher/process/keeper.h"
#include "launcher/process/service.h"
#include "launcher/run/vm_paths.h"
#include "launcher/run/volume.h"
#include "launcher/run/workload.h"
#include "launcher/vmm/vmm.h"
#include "lib/err.h"

enum vm_status {
	VM_STATUS_VMM = 120,
	VM_STATUS_VSOCK = 121,
	VM_STATUS_STORAGE = 122,
	VM_STATUS_AGENT = 123,
	VM_STATUS_START = 125,
};

/* What it runs; borrowed. */
struct vm_command {
	char *const *argv; /* NULL: the root's own entrypoint */
	char *const *env;
	const struct volumes *volumes;
	const struct process_spec *process;
	const struct sysctls *sysctls; /* NULL: none */
	const char *
		share; /* a share that is ready (share.h), of which root and volumes are; or NULL */
};

#define VM_STEPS_MAX 20

/* How long a step of the start took. */
struct vm_step_time {
	const char *name;
	double ms;
};

struct vm_halt;
struct vm_ports;
struct vm_switch;

struct vm {
	const struct vm_settings *settings;
	const struct vm_command *command;
	struct volumes
		volumes; /* those that it gets (volume_choice.h); the paths are the command's */
	struct vm_paths paths;
	struct event_base *loop;
	struct keeper *keeper;
	int log; /* for what children say */
	struct pod_network net;
	struct pod_guard guard;
	char tap[IF_NAMESIZE]; /* the guest's network; empty: it is vhost-user */
	struct nl_sock *news;
	struct event *news_event;
	struct service sluiced, vsock;
	struct vm_ports *ports; /* NULL: none either way */
	struct dns_relay *dns;  /* NULL: none is needed, or wanted */
	enum vm_root root;      /* never VM_ROOT_AUTO */
	struct share *share;
	struct virtiofs *virtiofs;
	char *root_image; /* NULL: it is none */
	struct nfs *nfs;
	bool nfs_ready;
	enum vmm_accel accel;
	bool kvm;    /* the machine is one of KVM's */
	bool failed; /* it ended before it said anything, and may be worth another try */
	struct console *console;
	struct kernel kernel;
	char initrd[VM_PATH_MAX]; /* see sealed_image.h */
	int initrd_fd;            /* -1: none, or it is a file in paths.dir */
	const struct vmm_kind *kind;
	struct vmm *vmm;
	struct workload *workload;
	struct event *blame; /* see vm_end_unless_machine_does() */
	int blamed_status;
	struct err blamed;
	struct vm_halt *halt; /* NULL: nobody has asked for the end */
	struct vm_switch *network;
	unsigned n_switch_starts; /* or how often the port was added to somebody else's */
	struct vm_step_time steps[VM_STEPS_MAX];
	unsigned n_steps; /* taken */
	uint32_t workload_pid;
	bool has_net, has_guard;
	bool started;     /* the workload has, or idle */
	bool idle;        /* the root has no command of its own, and none was given */
	bool done;        /* the workload has ended by itself */
	bool powered_off; /* the guest has */
	bool ended;       /* status and err are final */
	int status;       /* exit status */
	struct err err;   /* why, if it is one of ours */
};

/* Starts it, up to the workload's first moment. A negative errno: it is to be stopped, its status
 * says why. */
int vm_start(struct vm *vm);

/* Until the end. */
void vm_run(struct vm *vm);

/* Everything in reverse; also after a failed start. */
void vm_stop(struct vm *vm);

/* The end, for the first reason that is given. */
void vm_end(struct vm *vm, int status, const char *reason);

/*
 * The same, a second later, of a program that serves the machine: if it is the machine that ends,
 * it takes them along, and is the reason.
 */
void vm_end_unless_machine_does(struct vm *vm, int status, const char *reason);

/* Without that second, if such a program has been given as a reason with this status. */
bool vm_end_if_blamed(struct vm *vm, int status);

/* To the workload; the end, if there is none yet. */
void vm_signal(struct vm *vm, int signo);
