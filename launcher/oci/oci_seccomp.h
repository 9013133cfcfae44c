/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The system calls that are let through in a machine root: Sluice's own profile, in the place of
 * the engine's. That one was made for the capabilities the container would have had, and before we
 * are asked: it would refuse open_by_handle_at(2) to nfs-ganesha and unshare(CLONE_FS) to
 * virtiofsd, whatever capabilities we add.
 *
 * The profile is config/oci-seccomp.json, which is part of this library and also an engine's
 * --security-opt seccomp=FILE, for Sluice's image in an ordinary container. Only our programs run
 * under it: sluice-vm, the switch (DPDK), the VMMs, virtiofsd, nfs-ganesha, dnsmasq, mke2fs. It is
 * a list of what they use:
 *
 *   - UML is a kernel that runs its guest's processes by ptrace(2), modify_ldt(2), arch_prctl(2);
 *     what a guest's process calls is no call of the node's kernel (PTRACE_SYSEMU).
 *   - virtiofsd: chroot(2), unshare(CLONE_FS), set*id(2), mknod(2); nfs-ganesha: file handles.
 *   - sockets: unix, inet, inet6, netlink and packet; no other family of the kernel's.
 *   - no namespaces of users, in which the kernel would let through all that is refused here; and
 *     no clone3(2), whose flags a filter cannot see: as of a kernel without it, so that the C
 *     library takes clone(2).
 *   - no mounts, which nobody may make here (CAP_SYS_ADMIN is not given); no modules, kexec, bpf,
 *     perf, keys, clocks, swap, userfaultfd, io_uring.
 *
 * A call that is not named is one that the kernel does not have (ENOSYS): programs then do without,
 * which they do not after EPERM. Those that are old and refused are EPERM. Calls of other
 * architectures (32 bits, x32) end the process: we have no such programs.
 */

#include <json-c/json.h>

/* config.json's linux.seccomp, a new reference; NULL: no memory. */
json_object *oci_seccomp_profile(void);
