/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm_lab.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/event.h>

#include "launcher/process/child.h"

/* Devices that another process serves: sluiced's network, virtiofsd's files. */

static int setup_q35(void **state)
{
	return vmm_lab_setup(state, &vmm_qemu, "q35");
}

static int setup_microvm(void **state)
{
	return vmm_lab_setup(state, &vmm_qemu, "microvm");
}

static int setup_uml(void **state)
{
	return vmm_lab_setup(state, &vmm_uml, NULL);
}

/* --- servers --------------------------------------------------------------------------------- */

static void server_ended(void *owner, struct child *child, int status)
{
	char text[64];

	fail_msg("%s: %s", child_name(child), child_describe_status(status, text));
}

/* Returns when it listens at `socket`; what it says goes to the test's stderr. */
static struct child *start_server(struct vmm_lab *lab, char *const *argv, const char *socket)
{
	struct child_plan plan = { .name = "server",
		.program = argv[0],
		.argv = argv,
		.capabilities = UINT64_MAX, /* virtiofsd makes itself namespaces */
		.in = -1,
		.out = -1,
		.err = STDERR_FILENO,
		.keeper = lab->keeper,
		.ended = server_ended };
	struct child *child = NULL;
	struct err err = { "" };
	struct stat st;

	unlink(socket);
	if (child_start(lab->loop, &plan, &child, &err) < 0)
		fail_msg("%s", err.text);
	for (int ms = 0; stat(socket, &st) < 0; ms++) {
		if (ms > 60000)
			fail_msg("%s does not listen", argv[0]);
		event_base_loop(lab->loop, EVLOOP_NONBLOCK);
		usleep(1000);
	}
	return child;
}

static struct child *start_switch(struct vmm_lab *lab, const char *socket)
{
	char path[PATH_MAX];
	char *argv[] = { getenv("SLUICED"), (char *)"--config", path, NULL };
	FILE *file;

	assert_non_null(argv[0]);
	snprintf(path, sizeof(path), "%s/switch.json", lab->dir);
	file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file,
		"{ \"control-socket\": \"%s/ctl\", \"ports\": [ { \"name\": \"vm0\", \"kind\": "
		"\"vhost-user\", \"socket\": \"%s\", \"mac\": \"aa:fc:00:00:00:01\", \"mtu\": 1400 "
		"} ] }",
		lab->dir, socket);
	fclose(file);
	return start_server(lab, argv, socket);
}

/* --- network --------------------------------------------------------------------------------- */

#define NET_UP                                                                                     \
	"mount -t proc proc /proc; mount -t sysfs sys /sys; cd /sys/class/net/eth0; "              \
	"ip link set eth0 up; until [ $(cat carrier) = 1 ]; do usleep 1000; done; "                \
	"echo eth0 is $(cat address) $(cat mtu); "

static const char *nic_at(struct vmm_lab *lab)
{
	static char socket[96];

	snprintf(socket, sizeof(socket), "%s/vm0.sock", lab->dir);
	lab->plan.nics[0] = (struct vmm_nic) {
		.socket = socket, .mac = { { 0xaa, 0xfc, 0, 0, 0, 1 } }, .mtu = 1400
	};
	lab->plan.n_nics = 1;
	return socket;
}

static void test_network_of_uml(void **state)
{
	struct vmm_lab *lab = *state;
	struct child *sluiced = start_switch(lab, nic_at(lab));

	vmm_lab_boot(lab, &vmm_uml, "modprobe virtio_net; " NET_UP "poweroff -f", NULL);
	vmm_lab_await_text(lab, "eth0 is aa:fc:00:00:00:01 1400");
	vmm_lab_await_event(lab, VMM_ENDED);
	child_kill(sluiced);
}

/* sluiced is killed and started again: the guest's network comes back. */
static void test_network_comes_back(void **state)
{
	struct vmm_lab *lab = *state;
	const char *socket = nic_at(lab);
	const char *files[] = { vmm_lab_module("drivers/virtio/virtio_mmio.ko"), NULL };
	struct child *sluiced = start_switch(lab, socket);

	vmm_lab_boot(lab, &vmm_qemu,
		"modprobe virtio_pci; insmod /test/virtio_mmio.ko; modprobe virtio_net; " NET_UP
		"until [ $(cat carrier) = 0 ]; do usleep 1000; done; echo it is gone; "
		"until [ $(cat carrier) = 1 ]; do usleep 1000; done; echo it is back; poweroff -f",
		files);
	vmm_lab_await_text(lab, "eth0 is aa:fc:00:00:00:01 1400");
	child_kill(sluiced);
	vmm_lab_await_text(lab, "it is gone");
	sluiced = start_switch(lab, socket);
	vmm_lab_await_text(lab, "it is back");
	vmm_lab_await_event(lab, VMM_ENDED);
	assert_string_equal(
		vmm_lab_story(lab), "running shutdown:guest-shutdown ended:exit status 0");
	child_kill(sluiced);
}

/* --- files ----------------------------------------------------------------------------------- */

static void write_file(const char *dir, const char *name, const char *text)
{
	char path[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

/* virtiofsd sees the end of its only client and ends as well: nobody waits for that. */
static struct child *start_virtiofsd(struct vmm_lab *lab, char *dir, const char *socket)
{
	char source[PATH_MAX], path[PATH_MAX];
	char *argv[] = { (char *)"/usr/lib/qemu/virtiofsd", (char *)"-f", path, (char *)"-o",
		source, NULL };

	snprintf(source, sizeof(source), "source=%s,log_level=err", dir);
	snprintf(path, sizeof(path), "--socket-path=%s", socket);
	return start_server(lab, argv, socket);
}

static void test_share(void **state)
{
	struct vmm_lab *lab = *state;
	const char *files[] = { vmm_lab_module("drivers/virtio/virtio_mmio.ko"),
		vmm_lab_module("fs/fuse/fuse.ko"), vmm_lab_module("fs/fuse/virtiofs.ko"), NULL };
	char dir[96], socket[96], path[PATH_MAX];
	struct child *virtiofsd;

	snprintf(dir, sizeof(dir), "%s/share", lab->dir);
	snprintf(socket, sizeof(socket), "%s/fs.sock", lab->dir);
	assert_int_equal(mkdir(dir, 0755), 0);
	write_file(dir, "greeting", "hello from the host");
	virtiofsd = start_virtiofsd(lab, dir, socket);
	lab->plan.share = (struct vmm_share) { .socket = socket, .tag = "files" };
	vmm_lab_boot(lab, &vmm_qemu,
		"modprobe virtio_pci; insmod /test/virtio_mmio.ko; insmod /test/fuse.ko; "
		"insmod /test/virtiofs.ko; mount -t virtiofs files /test && cat /test/greeting && "
		"echo hello >/test/answer && sync && echo that was it; sleep 1000",
		files);
	vmm_lab_await_text(lab, "hello from the host");
	vmm_lab_await_text(lab, "that was it");
	snprintf(path, sizeof(path), "%s/answer", dir);
	assert_int_equal(access(path, F_OK), 0);
	child_kill(virtiofsd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_network_of_uml, setup_uml, vmm_lab_teardown),
		cmocka_unit_test_setup_teardown(
			test_network_comes_back, setup_q35, vmm_lab_teardown),
		cmocka_unit_test_setup_teardown(
			test_network_comes_back, setup_microvm, vmm_lab_teardown),
		cmocka_unit_test_setup_teardown(test_share, setup_q35, vmm_lab_teardown),
		cmocka_unit_test_setup_teardown(test_share, setup_microvm, vmm_lab_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
