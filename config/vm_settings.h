/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The settings of `sluice-vm run`: one table, and the layers that fill it, weakest first:
 *
 *   defaults < /etc/sluice/sluice.json < annotations < a container's file < SLUICE_* environment
 *   < command line
 *
 * The configuration file is one JSON object, whose member "runtime" is that of sluice-runtime
 * (runtime_settings.h). An annotations file is what Kubernetes' downward API
 * writes of a pod's annotations, KEY="VALUE" a line with the value quoted as strconv.Quote() of Go
 * does; keys that do not begin with "sluice.dev/" are others' and are ignored, those that do are
 * strict. RUNCVM_LOG_LEVEL is read where SLUICE_LOG_LEVEL is not set. A container's file is that of
 * container_spec.h, whose settings may be any: whoever wrote it has judged them.
 */

#include <limits.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "config/l4_ports.h"
#include "lib/err.h"
#include "lib/log.h"
#include "lib/mac.h"

#define VM_CONFIG_PATH       "/etc/sluice/sluice.json"
#define VM_ANNOTATION_PREFIX "sluice.dev/"
#define VM_NAME_MAX          32
#define VM_TEXT_MAX          1024

enum vm_vmm {
	VM_VMM_AUTO,
	VM_VMM_QEMU,
	VM_VMM_CLOUD_HYPERVISOR,
	VM_VMM_FIRECRACKER,
	VM_VMM_UML,
};
enum vm_machine { VM_MACHINE_Q35, VM_MACHINE_MICROVM };
enum vm_accel { VM_ACCEL_AUTO, VM_ACCEL_KVM, VM_ACCEL_TCG };
enum vm_guard { VM_GUARD_OFF, VM_GUARD_EXCLUSIVE, VM_GUARD_SHARED };
enum vm_root { VM_ROOT_AUTO, VM_ROOT_VIRTIOFS, VM_ROOT_EXT4, VM_ROOT_NFS, VM_ROOT_INITRAMFS };
enum vm_dns { VM_DNS_AUTO, VM_DNS_DIRECT };
enum vm_forward { VM_FORWARD_AUTO, VM_FORWARD_ON, VM_FORWARD_OFF };
enum vm_mac_mode { VM_MAC_ADOPT, VM_MAC_SUBSTITUTE };
enum vm_datapath { VM_DATAPATH_VHOST_USER, VM_DATAPATH_TAP };

struct vm_settings {
	/* the machine */
	char name[VM_NAME_MAX];
	uint32_t vmm;     /* enum vm_vmm */
	uint32_t machine; /* enum vm_machine */
	uint32_t accel;   /* enum vm_accel */
	char vmm_program[PATH_MAX];
	uint32_t cpus, memory_mib;
	char kernel[PATH_MAX], modules_dir[PATH_MAX];
	char kernel_append[VM_TEXT_MAX];
	uint32_t boot_timeout_s;

	/* what it runs */
	char rootfs[PATH_MAX];
	uint32_t root; /* enum vm_root */
	bool readonly;
	char hostname[65];
	char user[128], cwd[PATH_MAX];
	char group_add[VM_TEXT_MAX], umask[8], ulimit[VM_TEXT_MAX];
	char cap_add[VM_TEXT_MAX], cap_drop[VM_TEXT_MAX];
	bool no_new_privileges, tty;
	uint32_t stop_signal, stop_timeout_s; /* 0: nothing happens by itself */

	/* the pod */
	char interface[IF_NAMESIZE];
	uint32_t datapath; /* enum vm_datapath */
	uint32_t mac_mode; /* enum vm_mac_mode */
	struct mac mac;    /* of the guest in substitute mode; zero: made of its name */
	uint32_t guard;    /* enum vm_guard */
	char kernel_ports[L4_PORTS_TEXT_MAX];
	char shared_ports[L4_PORTS_TEXT_MAX];
	uint32_t forward_ports; /* enum vm_forward */
	bool outside_guard, host_port, lab;
	uint32_t dns;                   /* enum vm_dns */
	uint32_t anti_spoof;            /* 0: off */
	uint32_t nfs_shared_filesystem; /* 0: refused */
	uint32_t address_wait_s;
	char switch_socket[108]; /* as long as a socket's path can be; empty: its own switch */

	/* this program */
	char run_dir[PATH_MAX], cache_dir[PATH_MAX], log_file[PATH_MAX];
	char agent[PATH_MAX], virtiofsd[PATH_MAX];
	enum log_level log_level;
	enum log_format log_format;
	uint32_t console_kib;
};

struct container_spec;

/* Where the layers come from; NULL: that one is left out. */
struct vm_sources {
	const char *config_path;
	bool config_required; /* it was asked for: it must be there */
	const char *annotations_path;
	const struct container_spec *container;
	char *const *words; /* of the command line, see settings_from_args() */
};

/* -EINVAL and one line that begins with where it was said; other codes: a file cannot be read. */
int vm_settings_load(
	const struct vm_sources *sources, struct vm_settings *settings, struct err *err);

/* The lines of an annotations file that are ours, as settings. */
int vm_settings_annotations(
	const char *text, size_t len, struct vm_settings *settings, struct err *err);

/*
 * One annotation of a pod, on the node that is to run it: `key` is without its prefix. What affects
 * the node or other pods, a setting or a value of one, takes the setting's name in `allowed`
 * ("kernel,vmm"). -EPERM: it is not there; -EINVAL, -ERANGE: no such setting, no such value, or
 * one that the container has of its own; the message names the whole key and what is allowed.
 */
int vm_settings_check_annotation(
	const char *key, const char *value, const char *allowed, struct err *err);

/* The first half of that: -EPERM if `key`, which is the administrator's to set, is not in
 * `allowed`. */
int vm_settings_check_allowed(const char *key, const char *allowed, struct err *err);

/* The table's rows, in order, for whoever has to look at each; NULL: there are no more. */
struct setting;
const struct setting *vm_settings_row(size_t i);

/* Whether a container that becomes a VM says this itself, so that no setting can. */
bool vm_settings_is_container_own(const char *key);

/* Every setting, for --help, and for a manual page: entries of a list. */
bool vm_settings_take_next(const char *word); /* settings_takes_next() of this table */
void vm_settings_print_help(FILE *out);
void vm_settings_print_man(FILE *out);
