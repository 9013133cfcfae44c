/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/image/image_modules.h"

#include <stddef.h>

/* Of QEMU's power button: the driver, and how a process hears of it. */
#define BUTTON "?button", "?evdev"

/* Which ports are listened on (lib/listening.h). */
#define LISTENING "?tcp_diag"

static const char *const qemu[] = { "virtio_pci", "?virtio_mmio", "virtio_net", "virtio_blk",
	"vmw_vsock_virtio_transport", "virtiofs", "ext4", "?ipv6", LISTENING, BUTTON, NULL };

static const char *const qemu_nfs[] = { "virtio_pci", "?virtio_mmio", "virtio_net", "virtio_blk",
	"vmw_vsock_virtio_transport", "virtiofs", "ext4", "?ipv6", LISTENING, BUTTON, "nfsv4",
	NULL };

static const char *const in_uml[] = { "virtio_net", "vmw_vsock_virtio_transport", "virtiofs",
	"ext4", "?ipv6", LISTENING, NULL };

static const char *const in_uml_nfs[] = { "virtio_net", "vmw_vsock_virtio_transport", "virtiofs",
	"ext4", "?ipv6", LISTENING, "nfsv4", NULL };

const char *const *image_modules(bool uml, bool nfs)
{
	if (uml)
		return nfs ? in_uml_nfs : in_uml;
	return nfs ? qemu_nfs : qemu;
}
