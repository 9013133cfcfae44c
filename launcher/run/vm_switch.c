/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/run/vm_switch.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include <event2/event.h>
#include <jansson.h>

#include "launcher/process/backoff.h"
#include "launcher/process/capability.h"
#include "launcher/process/loop.h"
#include "launcher/process/programs.h"
#include "launcher/run/switch_attach.h"
#include "launcher/run/switch_plan.h"
#include "launcher/run/vm.h"
#include "lib/log.h"

#define GRACE_MS 2000

struct vm_switch {
	struct vm *vm;
	struct switch_attach *attach; /* NULL: it is a child of ours */
	struct backoff backoff;
	struct event *again;
};

/* The switch has gone from under the machine, if it runs. */
static void note_loss(const struct vm *vm)
{
	if (vm->vmm != NULL && !(vm->kind->can & VMM_CAN_RECONNECT))
		log_error("no-network", log_str("reason", "this VMM cannot connect again"));
}

/* --- a child of ours ------------------------------------------------------------------------- */

static int start_child(struct vm_switch *s, struct err *err);

static void start_later(struct vm_switch *s)
{
	(void)loop_set_timer(s->again, backoff_ended(&s->backoff, loop_now_ms()));
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
	struct vm_switch *s = arg;
	struct err err = { "" };

	if (s->vm->ended || start_child(s, &err) == 0)
		return;
	log_error("switch-not-started", log_str("reason", err.text));
	start_later(s);
}

static void on_ended(void *owner, const char *how)
{
	struct vm_switch *s = owner;

	log_error("switch-ended", log_str("how", how), log_int("starts", s->vm->n_switch_starts));
	if (s->vm->ended)
		return;
	note_loss(s->vm);
	start_later(s);
}

static int start_child(struct vm_switch *s, struct err *err)
{
	struct vm *vm = s->vm;
	char program[PATH_MAX];
	char *argv[] = { program, (char *)"--config", vm->paths.switch_config, NULL };
	const struct service_plan plan = { .name = "sluiced",
		.argv = argv,
		/* Packet sockets, their buffers' sizes, TAPs. */
		.capabilities = CAPABILITY(CAP_NET_ADMIN) | CAPABILITY(CAP_NET_RAW),
		.notify_path = vm->paths.switch_notify,
		.log = vm->log,
		.ended = on_ended,
		.owner = s };
	int ret = programs_find("sluiced", program, err);

	vm->n_switch_starts++;
	if (ret == 0)
		ret = service_start(vm->loop, vm->keeper, &plan, &vm->sluiced, err);
	if (ret == 0)
		backoff_begun(&s->backoff, loop_now_ms());
	return ret;
}

static int configure(const struct vm *vm, const struct switch_plan *plan, struct err *err)
{
	json_t *root = switch_plan_encode(plan);
	int ret = root == NULL ? -1 : json_dump_file(root, vm->paths.switch_config, JSON_INDENT(2));

	json_decref(root);
	return ret < 0 ? err_errno(err, errno, "cannot write %s", vm->paths.switch_config) : 0;
}

/* --- somebody else's ------------------------------------------------------------------------- */

static void on_attached(void *owner)
{
	struct vm_switch *s = owner;

	s->vm->n_switch_starts++;
}

static void on_lost(void *owner)
{
	struct vm_switch *s = owner;

	note_loss(s->vm);
}

static int attach(struct vm_switch *s, const struct switch_plan *plan, struct err *err)
{
	json_t *port = switch_plan_guest(plan);
	const struct switch_attach_plan attach = { .socket = s->vm->settings->switch_socket,
		.port = port,
		.keeper = s->vm->keeper,
		.attached = on_attached,
		.lost = on_lost,
		.owner = s };
	int ret;

	if (plan->guard->host_port)
		ret = err_set(err, -EINVAL,
			"not with host-port, NFS, or a resolver on loopback (unless dns is "
			"direct), which need a switch of one's own");
	else
		ret = switch_attach_start(s->vm->loop, &attach, &s->attach, err);
	json_decref(port);
	return ret < 0 ? err_wrap(err, ret, "switch-socket") : 0;
}

/* --- either ---------------------------------------------------------------------------------- */

static struct vm_switch *make(struct vm *vm)
{
	struct vm_switch *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->vm = vm;
	s->again = evtimer_new(vm->loop, on_again, s);
	if (s->again != NULL)
		return s;
	free(s);
	return NULL;
}

int vm_switch_start(struct vm *vm, struct err *err)
{
	const struct pod_interface *pod = pod_network_interface(&vm->net, vm->net.pod_ifindex);
	const struct switch_plan plan = { .settings = vm->settings,
		.paths = &vm->paths,
		.net = &vm->net,
		.guard = &vm->guard.plan,
		.tap = vm->tap[0] != '\0' ? vm->tap : NULL,
		.guest_mac = switch_plan_guest_mac(vm->settings, &pod->mac) };
	int ret;

	vm->network = make(vm);
	if (vm->network == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	if (vm_switch_is_attached(vm))
		return attach(vm->network, &plan, err);
	ret = configure(vm, &plan, err);
	return ret < 0 ? ret : start_child(vm->network, err);
}

void vm_switch_stop(struct vm *vm)
{
	if (vm->network == NULL)
		return;
	event_free(vm->network->again);
	switch_attach_stop(vm->network->attach);
	service_stop(vm->loop, &vm->sluiced, GRACE_MS);
	free(vm->network);
	vm->network = NULL;
}

bool vm_switch_is_attached(const struct vm *vm)
{
	return vm->settings->switch_socket[0] != '\0';
}

const char *vm_switch_control(const struct vm *vm)
{
	return vm_switch_is_attached(vm) ? vm->settings->switch_socket : vm->paths.switch_control;
}
