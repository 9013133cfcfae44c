/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/run/vm.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <event2/event.h>
#include <netlink/netlink.h>

#include "launcher/run/dns_relay.h"
#include "launcher/process/loop.h"
#include "launcher/run/machine.h"
#include "launcher/run/sealed_image.h"
#include "launcher/run/vm_halt.h"
#include "launcher/run/vm_ports.h"
#include "launcher/run/vm_switch.h"
#include "launcher/run/vm_tap.h"
#include "lib/log.h"

#define SERVICE_GRACE_MS 2000
#define POWEROFF_MS      3000

void vm_end(struct vm *vm, int status, const char *reason)
{
	if (vm->ended)
		return;
	vm->ended = true;
	vm->status = status;
	if (reason != NULL)
		(void)err_set(&vm->err, -status, "%s", reason);
	log_info("ended", log_int("status", status), log_str("reason", reason));
}

static void on_blame(evutil_socket_t fd, short what, void *arg)
{
	struct vm *vm = arg;

	vm_end(vm, vm->blamed_status, vm->blamed.text);
}

void vm_end_unless_machine_does(struct vm *vm, int status, const char *reason)
{
	const struct timeval patience = { 1, 0 };

	if (vm->ended)
		return;
	if (vm->blame == NULL)
		vm->blame = evtimer_new(vm->loop, on_blame, vm);
	if (vm->blame == NULL) {
		vm_end(vm, status, reason);
		return;
	}
	if (evtimer_pending(vm->blame, NULL))
		return;
	vm->blamed_status = status;
	(void)err_set(&vm->blamed, -EIO, "%s", reason);
	(void)event_add(vm->blame, &patience);
}

bool vm_end_if_blamed(struct vm *vm, int status)
{
	if (vm->blame == NULL || !evtimer_pending(vm->blame, NULL) || vm->blamed_status != status)
		return false;
	vm_end(vm, vm->blamed_status, vm->blamed.text);
	return true;
}

static bool is_over(const void *arg)
{
	const struct vm *vm = arg;

	return vm->ended;
}

void vm_run(struct vm *vm)
{
	/* A day at a time. */
	while (loop_until(vm->loop, 86400 * 1000, is_over, vm) < 0)
		;
}

/* What ends nobody who does not listen for it. */
static bool is_harmless(int signo)
{
	return signo == SIGCONT || signo == SIGWINCH || signo == SIGURG || signo == SIGTSTP ||
	       signo == SIGTTIN || signo == SIGTTOU;
}

void vm_signal(struct vm *vm, int signo)
{
	if (vm->started && !vm->idle)
		workload_signal(vm->workload, signo);
	else if (!is_harmless(signo))
		vm_end(vm, 128 + signo, NULL);
}

static bool machine_is_gone(const void *arg)
{
	const struct vm *vm = arg;

	return vm->vmm == NULL;
}

/* The agent turns the machine off when the workload's end has been told. */
static void stop_machine(struct vm *vm)
{
	if (vm->vmm == NULL)
		return;
	if (vm->done)
		(void)loop_until(vm->loop, POWEROFF_MS, machine_is_gone, vm);
	if (vm->vmm != NULL)
		vm->kind->kill(vm->vmm);
	vm->vmm = NULL;
}

static void stop_pod(struct vm *vm)
{
	struct err err = { "" };

	if (vm->has_guard && pod_guard_stop(&vm->guard, &err) < 0)
		log_error("guard", log_str("reason", err.text));
	vm_tap_stop(vm);
	if (vm->news_event != NULL)
		event_free(vm->news_event);
	if (vm->news != NULL)
		nl_socket_free(vm->news);
	if (vm->has_net)
		pod_network_free(&vm->net);
}

void vm_stop(struct vm *vm)
{
	double begun_ms = loop_now_ms();

	if (vm->blame != NULL)
		event_free(vm->blame);
	vm->blame = NULL;
	vm_halt_free(vm->halt);
	vm->halt = NULL;
	workload_free(vm->workload);
	vm->workload = NULL;
	stop_machine(vm);
	vm_ports_stop(vm);
	sealed_image_remove(vm);
	machine_storage_close(vm);
	dns_relay_stop(vm->dns);
	vm->dns = NULL;
	service_stop(vm->loop, &vm->vsock, SERVICE_GRACE_MS);
	vm_switch_stop(vm);
	stop_pod(vm);
	console_free(vm->console);
	log_info("stopped", log_int("us", (int64_t)((loop_now_ms() - begun_ms) * 1e3)));
}
