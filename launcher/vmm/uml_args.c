/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/vmm/uml_args.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Virtio's device numbers, section 5 of its specification. */
#define VIRTIO_ID_NET   1
#define VIRTIO_ID_VSOCK 19
#define VIRTIO_ID_FS    26

static int check_word(const char *word, struct err *err)
{
	if (word != NULL && strpbrk(word, " \t\n\"',:") != NULL)
		return err_set(err, -EINVAL,
			"UML cannot be given a name with spaces, quotes, ',' or ':': %s", word);
	return 0;
}

static int check_words(const struct vmm_plan *plan, struct err *err)
{
	const char *const words[] = { plan->initrd, plan->run_dir, plan->name, plan->share.socket,
		plan->vsock_socket };
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < sizeof(words) / sizeof(words[0]); i++)
		ret = check_word(words[i], err);
	for (size_t i = 0; ret == 0 && i < plan->n_nics; i++) {
		ret = check_word(plan->nics[i].socket, err);
		if (ret == 0)
			ret = check_word(plan->nics[i].tap, err);
	}
	for (size_t i = 0; ret == 0 && i < plan->n_drives; i++)
		ret = check_word(plan->drives[i].path, err);
	return ret;
}

/* Of a TAP its driver takes MAC and MTU from here, the MTU once and for all if it is more than
 * Ethernet's; vhost-user's asks the device for them. */
static void add_tap(const struct vmm_nic *nic, unsigned number, struct argv *argv)
{
	char mac[MAC_TEXT_MAX], mtu[16] = "";

	if (nic->mtu != 0)
		snprintf(mtu, sizeof(mtu), ",mtu=%u", nic->mtu);
	argv_add(argv, "vec%u:transport=tap,ifname=%s,depth=128,gro=1,mac=%s%s", number, nic->tap,
		mac_format(&nic->mac, mac), mtu);
}

static void add_nics(const struct vmm_plan *plan, struct argv *argv)
{
	unsigned n_taps = 0;

	for (size_t i = 0; i < plan->n_nics; i++) {
		const struct vmm_nic *nic = &plan->nics[i];

		if (nic->socket != NULL)
			argv_add(argv, "virtio_uml.device=%s:%d", nic->socket, VIRTIO_ID_NET);
		else
			add_tap(nic, n_taps++, argv);
	}
}

static void add_devices(const struct vmm_plan *plan, struct argv *argv)
{
	add_nics(plan, argv);
	if (plan->vsock_socket != NULL)
		argv_add(argv, "virtio_uml.device=%s:%d", plan->vsock_socket, VIRTIO_ID_VSOCK);
	if (plan->share.socket != NULL)
		argv_add(argv, "virtio_uml.device=%s:%d", plan->share.socket, VIRTIO_ID_FS);
	for (size_t i = 0; i < plan->n_drives; i++)
		argv_add(argv, "ubd%zu%s=%s", i, plan->drives[i].readonly ? "r" : "",
			plan->drives[i].path);
}

/* Its first console is stdout; nothing reads our stdin. Its directory would be below $HOME. */
static void add_consoles(const struct vmm_plan *plan, struct argv *argv)
{
	argv_add(argv, "con=null");
	argv_add(argv, "con0=null,fd:1");
	argv_add(argv, "ssl=null");
	argv_add(argv, "console=tty0");
	argv_add(argv, "uml_dir=%s/", plan->run_dir);
	argv_add(argv, "umid=uml");
}

int uml_args(const struct vmm_plan *plan, const char *program, struct argv *argv, struct err *err)
{
	int ret = check_words(plan, err);

	if (ret < 0)
		return ret;
	argv_add(argv, "%s", program);
	argv_add(argv, "mem=%uM", plan->memory_mib);
	argv_add(argv, "noreboot");
	if (plan->initrd != NULL) {
		argv_add(argv, "initrd=%s", plan->initrd);
		argv_add(argv, "root=/dev/ram0");
	}
	add_consoles(plan, argv);
	add_devices(plan, argv);
	if (plan->cmdline != NULL && plan->cmdline[0] != '\0')
		argv_add(argv, "%s", plan->cmdline);
	if (argv_check(argv) < 0)
		return err_errno(err, ENOMEM, "cannot start UML");
	return 0;
}
