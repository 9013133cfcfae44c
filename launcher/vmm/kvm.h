/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "lib/err.h"

/*
 * Whether this process can have virtual machines from KVM: /dev/kvm opens, speaks the one version
 * that there is, and creates a machine. 0, or negative errno and what stands in the way. (A guest
 * may hang all the same, where virtualisation is nested: only booting one tells.) It is tried once:
 * later calls tell what came of it.
 *
 * Thread-safety: main thread.
 */
int kvm_usable(struct err *err);
