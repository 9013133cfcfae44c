/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/run/machine_kind.h"

#include <errno.h>

#include "launcher/run/datapath_choice.h"

const struct vmm_kind *machine_kind(const struct vm_settings *settings)
{
	switch ((enum vm_vmm)settings->vmm) {
	case VM_VMM_UML:
		return &vmm_uml;
	case VM_VMM_CLOUD_HYPERVISOR:
		return &vmm_cloud_hypervisor;
	case VM_VMM_FIRECRACKER:
		return &vmm_firecracker;
	case VM_VMM_AUTO:
	case VM_VMM_QEMU:
		break;
	}
	return &vmm_qemu;
}

static int check_volumes(
	const struct vmm_kind *kind, const struct volumes *volumes, struct err *err)
{
	for (size_t i = 0; i < volumes->n; i++) {
		const struct volume *v = &volumes->item[i];

		if (v->source != NULL && !v->nfs && !v->optional)
			return err_set(err, -ENOTSUP,
				"volume %s:%s: %s has no virtio-fs: give it by NFS (%s:%s:nfs), if "
				"it is a file system of its own, or set vmm to one that has",
				v->source, v->destination, kind->name, v->source, v->destination);
	}
	return 0;
}

int machine_kind_check(const struct vmm_kind *kind, const struct vm_settings *settings,
	const struct volumes *volumes, struct err *err)
{
	int ret = datapath_check(settings, volumes, err);

	if (ret < 0)
		return ret;
	if ((kind->can & VMM_NEEDS_KVM) && settings->accel == VM_ACCEL_TCG)
		return err_set(err, -ENOTSUP,
			"accel: tcg: %s does not emulate: set accel to auto, or vmm to qemu",
			kind->name);
	if (!(kind->can & VMM_CAN_VHOST_NET) && !settings->lab &&
		(settings->guard == VM_GUARD_OFF || settings->outside_guard))
		return err_set(err, -ENOTSUP,
			"guard: what a guest of %s sends to its TAP is kept from the pod's kernel "
			"by our guard alone: set it to exclusive or shared, or in a lab say --lab",
			kind->name);
	if (kind->can & VMM_CAN_VIRTIOFS)
		return 0;
	if (settings->root == VM_ROOT_VIRTIOFS)
		return err_set(err, -ENOTSUP,
			"root: virtiofs: %s has no virtio-fs: set root to ext4, initramfs or auto",
			kind->name);
	return check_volumes(kind, volumes, err);
}
