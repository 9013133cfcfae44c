/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * QEMU's command line: a pure function of the plan and of what was decided and opened for this
 * start. Of what it says and why:
 *
 *  - q35 has its devices on PCI, microvm on MMIO, which its firmware tells the guest by ACPI.
 *  - The guest's memory is a shared memfd: vhost-user's backends map it.
 *  - A vhost-user network connects again when sluiced was restarted; QEMU 7.2 can do so for no
 * other vhost-user device.
 *  - Without KVM, QEMU 7.2 crashes when a driver sets up MSI-X on a vhost-user PCI device: it gets
 *    no vectors there.
 *  - Without KVM, a microvm has no clock that its kernel could measure its TSC by. A kernel that is
 *    not told how fast that is hangs, or counts ticks instead and may hang when it stops them.
 *  - It starts stopped, so that nothing happens before the monitor is listened to, and ends when
 *    the guest resets.
 */

#include <stdbool.h>

#include "launcher/vmm/argv.h"
#include "launcher/vmm/vmm.h"

struct qemu_run {
	const char *program;
	bool kvm;
	unsigned tsc_khz; /* without KVM: of this machine */
	int monitor;      /* a connected socket, by the number it has in QEMU */
};

/* -EINVAL: there is no such machine; -ENOMEM. */
int qemu_args(const struct vmm_plan *plan, const struct qemu_run *run, struct argv *argv,
	struct err *err);
