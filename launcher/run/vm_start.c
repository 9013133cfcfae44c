/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/run/vm.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/event.h>
#include <netlink/netlink.h>

#include "launcher/pod/host_link.h"
#include "launcher/pod/link_news.h"
#include "launcher/run/datapath_choice.h"
#include "launcher/run/dns_relay.h"
#include "launcher/process/loop.h"
#include "launcher/run/machine.h"
#include "launcher/process/programs.h"
#include "launcher/run/sealed_image.h"
#include "launcher/run/vm_ports.h"
#include "launcher/run/vm_switch.h"
#include "launcher/run/vm_tap.h"
#include "lib/agent_wire.h"
#include "lib/cleanup.h"
#include "lib/log.h"

#define SERVICE_READY_MS 10000

/* --- pod, guard ------------------------------------------------------------------------------ */

static int check_address(const struct vm *vm, struct err *err)
{
	const char *name = pod_network_interface(&vm->net, vm->net.pod_ifindex)->name;

	switch (pod_network_address_state(&vm->net)) {
	case POD_ADDRESS_READY:
		return 0;
	case POD_ADDRESS_TENTATIVE:
		log_warn("address", log_str("interface", name),
			log_str("reason", "none has passed duplicate address detection"));
		return 0;
	case POD_ADDRESS_NONE:
		break;
	}
	return err_set(err, -EADDRNOTAVAIL, "%s has no address after %u s (address-wait)", name,
		vm->settings->address_wait_s);
}

static int read_pod(struct vm *vm, struct err *err)
{
	const struct vm_settings *s = vm->settings;
	const char *name = s->interface[0] != '\0' ? s->interface : NULL;
	int ret = pod_network_await(&vm->net, name, s->address_wait_s * 1000, err);

	vm->has_net = ret == 0;
	return ret < 0 ? ret : check_address(vm, err);
}

static void on_news(evutil_socket_t fd, short what, void *arg)
{
	struct vm *vm = arg;
	struct err err = { "" };

	link_news_drain(vm->news);
	if (pod_guard_keep_up(&vm->guard, &err) < 0)
		vm_end(vm, VM_STATUS_START, err.text);
}

static int follow_links(struct vm *vm, struct err *err)
{
	int ret = link_news_open(&vm->news, err);

	if (ret < 0)
		return ret;
	vm->news_event =
		event_new(vm->loop, nl_socket_get_fd(vm->news), EV_READ | EV_PERSIST, on_news, vm);
	if (vm->news_event == NULL || event_add(vm->news_event, NULL) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

static bool needs_dns_relay(const struct vm *vm)
{
	return vm->settings->dns == VM_DNS_AUTO && dns_relay_is_needed(&vm->net.resolv_conf);
}

static int plan_guard(const struct vm *vm, struct guard_plan *plan, struct err *err)
{
	static const enum guard_mode modes[] = {
		[VM_GUARD_OFF] = GUARD_OFF,
		[VM_GUARD_EXCLUSIVE] = GUARD_EXCLUSIVE,
		[VM_GUARD_SHARED] = GUARD_SHARED,
	};
	const struct vm_settings *s = vm->settings;

	*plan = (struct guard_plan) { .mode = datapath_is_tap(s) ? GUARD_REDIRECT : modes[s->guard],
		.n_services = 1,
		.host_port = s->host_port || machine_has_nfs(vm) || needs_dns_relay(vm) };
	pod_network_ifname(&vm->net, vm->net.pod_ifindex, plan->interface);
	strcpy(plan->tap, vm->tap);
	(void)ip_addr_parse(HOST_LINK_IDENTITY, &plan->identity);
	(void)ip_addr_parse(HOST_LINK_SERVICE, &plan->service[0]);
	return vm_ports_plan(s, plan, err);
}

static int hold_guard(struct vm *vm, struct err *err)
{
	const struct pod_guard_options options = { .lab = vm->settings->lab,
		.outside_guard = vm->settings->outside_guard };
	struct guard_plan plan;
	int ret = plan_guard(vm, &plan, err);

	if (ret == 0)
		ret = pod_guard_start(&vm->guard, &plan, &options, err);
	vm->has_guard = ret == 0;
	return ret;
}

/* The guard has a chain on the TAP. */
static int guard_step(struct vm *vm, struct err *err)
{
	int ret = follow_links(vm, err);

	if (ret == 0)
		ret = datapath_check_pod(vm->settings, &vm->net, err);
	if (ret == 0)
		ret = vm_tap_make(vm, err);
	return ret < 0 ? ret : hold_guard(vm, err);
}

/* --- switch, vsock --------------------------------------------------------------------------- */

static bool is_ready_or_over(const void *arg)
{
	const struct service *s = arg;

	return s->ready || s->child == NULL;
}

static int await_service(struct vm *vm, struct service *s, const char *name, struct err *err)
{
	if (loop_until(vm->loop, SERVICE_READY_MS, is_ready_or_over, s) < 0)
		return err_set(err, -ETIMEDOUT, "%s was not ready in %d s: see %s", name,
			SERVICE_READY_MS / 1000, vm->paths.log);
	if (!s->ready)
		return err_set(err, -EIO, "%s ended: see %s", name, vm->paths.log);
	return 0;
}

static void on_vsock_ended(void *owner, const char *how)
{
	struct err err = { "" };

	(void)err_set(&err, -EIO, "sluice-vsock ended: %s", how);
	vm_end_unless_machine_does(owner, VM_STATUS_VSOCK, err.text);
}

static int switch_step(struct vm *vm, struct err *err)
{
	int ret;

	if (datapath_is_tap(vm->settings)) {
		if (vm->settings->anti_spoof)
			log_warn("no-anti-spoof", log_str("datapath", "tap"),
				log_str("reason",
					"there is no switch to hold the guest to its addresses"));
		return 0;
	}
	ret = vm_switch_start(vm, err);
	if (ret < 0 || vm_switch_is_attached(vm))
		return ret;
	return await_service(vm, &vm->sluiced, "sluiced", err);
}

static int dns_step(struct vm *vm, struct err *err)
{
	const struct dns_relay_plan plan = { .address = HOST_LINK_IDENTITY,
		.conf = &vm->net.resolv_conf,
		.log = vm->log,
		.keeper = vm->keeper };
	int ret = needs_dns_relay(vm) ? dns_relay_start(vm->loop, &plan, &vm->dns, err) : 0;

	return ret == 0 ? 0
			: err_wrap(err, ret,
				  "cannot relay the resolver on the pod's loopback (package "
				  "dnsmasq-base; --dns direct goes without)");
}

static int vsock_step(struct vm *vm, struct err *err)
{
	char program[PATH_MAX], cid[16];
	char *argv[] = { program, (char *)"--device", vm->paths.vsock_device, (char *)"--host",
		vm->paths.vsock, (char *)"--cid", cid, NULL };
	const struct service_plan plan = { .name = "sluice-vsock",
		.argv = argv,
		.notify_path = vm->paths.vsock_notify,
		.log = vm->log,
		.ended = on_vsock_ended,
		.owner = vm };
	int ret;

	/* One that has its own listens there itself, and fails if there is something. */
	if (!(vm->kind->can & VMM_CAN_VHOST_VSOCK)) {
		(void)unlink(vm->paths.vsock);
		return 0;
	}
	ret = programs_find("sluice-vsock", program, err);
	snprintf(cid, sizeof(cid), "%d", MACHINE_CID);
	if (ret == 0)
		ret = service_start(vm->loop, vm->keeper, &plan, &vm->vsock, err);
	return ret == 0 ? await_service(vm, &vm->vsock, "sluice-vsock", err) : ret;
}

/* --- agent ----------------------------------------------------------------------------------- */

static void on_workload_started(void *owner, uint32_t pid)
{
	struct vm *vm = owner;

	vm->started = true;
	vm->workload_pid = pid;
	vm_ports_follow(vm);
	/* It holds secrets, as environments do, and has been read. */
	sealed_image_remove(vm);
}

/* The VM is there for those who look at it, until it is told to end. */
static void go_idle(struct vm *vm, const char *reason)
{
	log_warn("idle", log_str("reason", reason));
	vm->idle = true;
	on_workload_started(vm, 0);
}

static void on_workload_ended(void *owner, const struct exec_end *end)
{
	struct vm *vm = owner;

	/* Without its files it ends, of SIGBUS for one; the machine only after we know of its end.
	 */
	if (vm_end_if_blamed(vm, VM_STATUS_STORAGE))
		return;
	switch (end->how) {
	case EXEC_EXITED:
		vm->done = true;
		vm_end(vm, (int)(end->ex.signalled ? 128 + end->ex.value : end->ex.value), NULL);
		return;
	case EXEC_FAILED:
		if (end->status == AGENT_NOTHING_TO_RUN) {
			go_idle(vm, end->err.text);
			return;
		}
		vm_end(vm, (int)end->status, end->err.text);
		return;
	case EXEC_UNREAD: /* of an exec only */
	case EXEC_LOST:
		vm_end(vm, VM_STATUS_AGENT, end->err.text);
		return;
	}
}

static bool is_up_or_over(const void *arg)
{
	const struct vm *vm = arg;

	return vm->started || vm->ended || vm->failed;
}

/* Of a guest that says nothing. */
static const char *suspicion(const struct vm *vm)
{
	if (vm->kvm)
		return ": perhaps KVM does not work here: try accel tcg";
	if (vm->kind->can & VMM_NEEDS_KVM)
		return ": perhaps KVM does not work here: try vmm qemu";
	return "";
}

static int agent_step(struct vm *vm, struct err *err)
{
	const struct workload_plan plan = { .vsock = vm->paths.vsock,
		.streams = { STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO },
		.retry_ms = 10000,
		.owner = { on_workload_started, on_workload_ended, vm } };
	int ret = workload_start(vm->loop, &plan, &vm->workload, err);

	if (ret < 0)
		return ret;
	ret = loop_until(vm->loop, vm->settings->boot_timeout_s * 1000, is_up_or_over, vm);
	if (ret == 0)
		return 0;
	if (machine_may_try_again(vm)) {
		vm->failed = true;
		return 0;
	}
	return err_set(err, -ETIMEDOUT, "the guest's agent did not answer in %u s (boot-timeout)%s",
		vm->settings->boot_timeout_s, suspicion(vm));
}

/* --- steps ----------------------------------------------------------------------------------- */

static const struct step {
	const char *name;
	int (*take)(struct vm *vm, struct err *err);
} steps[] = {
	{ "choose", machine_choose_step },
	{ "pod", read_pod },
	{ "guard", guard_step },
	{ "switch", switch_step },
	{ "dns", dns_step },
	{ "vsock", vsock_step },
	{ "ports", vm_ports_step },
	{ "storage", machine_storage_step },
	{ "image", machine_image_step },
	{ "vmm", machine_vmm_step },
	{ "agent", agent_step },
};

#define N_STEPS      (sizeof(steps) / sizeof(steps[0]))
#define MACHINE_STEP 5 /* from here on steps are about the machine */

static_assert(2 * N_STEPS - MACHINE_STEP <= VM_STEPS_MAX, "room for their times");

static void note_step(struct vm *vm, const char *name, double ms)
{
	vm->steps[vm->n_steps++] = (struct vm_step_time) { name, ms };
	log_info("step", log_str("name", name), log_int("us", (int64_t)(ms * 1e3)));
}

static int take_steps(struct vm *vm, size_t from)
{
	struct err err = { "" };
	int ret = 0;

	for (size_t i = from; ret == 0 && !vm->ended && !vm->failed && i < N_STEPS; i++) {
		double begun_ms = loop_now_ms();

		ret = steps[i].take(vm, &err);
		note_step(vm, steps[i].name, loop_now_ms() - begun_ms);
	}
	if (ret < 0)
		vm_end(vm, VM_STATUS_START, err.text);
	return vm->ended ? -ECANCELED : 0;
}

/* All that has to do with a machine that is no more; what serves one does so once. */
static void discard_machine(struct vm *vm)
{
	workload_free(vm->workload);
	vm->workload = NULL;
	if (vm->vmm != NULL)
		vm->kind->kill(vm->vmm);
	vm->vmm = NULL;
	vm->failed = false;
	vm->powered_off = false;
	if (vm->blame != NULL)
		(void)event_del(vm->blame);
	machine_storage_stop(vm);
	service_stop(vm->loop, &vm->vsock, 0);
	console_free(vm->console);
	vm->console = NULL;
}

int vm_start(struct vm *vm)
{
	int ret = take_steps(vm, 0);

	if (ret < 0 || !vm->failed)
		return ret;
	log_warn("kvm-suspected",
		log_str("reason", vm->vmm == NULL ? "QEMU ended" : "boot-timeout"),
		log_str("so", "it is started once more without KVM (accel tcg)"));
	discard_machine(vm);
	vm->accel = VMM_ACCEL_TCG;
	return take_steps(vm, MACHINE_STEP);
}
