/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/vmm/kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/ioctl.h>

#include "lib/cleanup.h"

static int probe(struct err *err)
{
	cleanup_close int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	cleanup_close int machine = -1;

	if (kvm < 0)
		return err_errno(err, errno, "cannot open /dev/kvm%s",
			errno == EACCES || errno == EPERM || errno == ENOENT
				? " (is it in the container's device list?)"
				: "");
	if (ioctl(kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
		return err_set(err, -ENODEV, "/dev/kvm is not KVM");
	machine = ioctl(kvm, KVM_CREATE_VM, 0);
	if (machine < 0)
		return err_errno(err, errno, "KVM cannot create a machine");
	return 0;
}

int kvm_usable(struct err *err)
{
	static struct err why;
	static bool probed;
	static int ret;

	if (!probed)
		ret = probe(&why);
	probed = true;
	if (ret < 0 && err != NULL)
		*err = why;
	return ret;
}
