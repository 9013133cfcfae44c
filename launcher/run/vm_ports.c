/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/run/vm_ports.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "config/shared_ports.h"
#include "launcher/forward/port_mirror.h"
#include "launcher/forward/port_share.h"
#include "launcher/pod/host_link.h"
#include "launcher/run/switch_plan.h"
#include "launcher/run/vm.h"
#include "lib/log.h"
#include "lib/nofile.h"

#define NOFILE_WISH 8192 /* of which, at most, half are for ports */

/* Each connection has two descriptors. */
#define PORTS_MAX        1024
#define CONNS_MAX        512
#define SHARED_CONNS_MAX 256

#define PATIENCE_MS 10000 /* with an agent that does not tell its ports */
#define LOOK_MS     5000  /* at the pod's own */

struct vm_ports {
	struct port_mirror *mirror; /* NULL: not wanted, or not yet */
	struct port_share *share;   /* NULL: nothing is shared */
};

static int parse(const struct vm_settings *settings, struct shared_ports *shared, struct err *err)
{
	int ret = shared_ports_parse(settings->shared_ports, shared, err);

	return ret < 0 ? err_wrap(err, ret, "shared-ports") : 0;
}

static const struct l4_port_range ephemeral = { L4_TCP, GUARD_EPHEMERAL_FIRST,
	GUARD_EPHEMERAL_LAST };

static int add_shared(
	const struct shared_ports *shared, struct l4_ports *kernel_ports, struct err *err)
{
	struct l4_ports all;
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < shared->ranges.n; i++)
		ret = l4_ports_add(kernel_ports, shared->ranges.range[i]);
	all = *kernel_ports;
	if (ret == 0)
		ret = l4_ports_add(&all, ephemeral);
	return ret < 0 ? err_set(err, ret, "kernel-ports and shared-ports: more than %d ranges",
				 L4_PORTS_MAX - 1)
		       : 0;
}

int vm_ports_plan(const struct vm_settings *settings, struct guard_plan *plan, struct err *err)
{
	struct shared_ports shared;
	int ret = parse(settings, &shared, err);

	if (ret < 0)
		return ret;
	if (settings->kernel_ports[0] != '\0' && plan->mode != GUARD_SHARED)
		return err_set(err, -EINVAL, "kernel-ports: is for guard shared");
	if (settings->kernel_ports[0] != '\0')
		ret = l4_ports_parse(settings->kernel_ports, &plan->kernel_ports, err);
	if (ret < 0 || plan->mode != GUARD_SHARED)
		return ret;
	return add_shared(&shared, &plan->kernel_ports, err);
}

/* No more descriptors than there are: others need some, too. */
static unsigned most(unsigned wanted, unsigned part)
{
	struct rlimit limit = { .rlim_cur = 1024 };

	(void)getrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur / part < wanted ? (unsigned)(limit.rlim_cur / part) : wanted;
}

/* --- the pod's in the guest ------------------------------------------------------------------ */

int vm_ports_step(struct vm *vm, struct err *err)
{
	struct shared_ports shared;
	int ret = parse(vm->settings, &shared, err);

	if (ret < 0 || vm->ports != NULL)
		return ret;
	(void)nofile_raise(NOFILE_WISH);
	vm->ports = calloc(1, sizeof(*vm->ports));
	if (vm->ports == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	if (shared.n == 0)
		return 0;
	return port_share_start(vm->loop, vm->paths.shared_ports, &shared,
		most(SHARED_CONNS_MAX, 16), &vm->ports->share, err);
}

/* --- the guest's in the pod ------------------------------------------------------------------ */

static bool is_wanted(const struct vm *vm)
{
	const struct vm_settings *s = vm->settings;

	if (s->forward_ports == VM_FORWARD_AUTO)
		return s->guard != VM_GUARD_OFF && !s->lab;
	return s->forward_ports == VM_FORWARD_ON;
}

static bool is_guarded(const struct vm *vm)
{
	return vm->settings->guard != VM_GUARD_OFF &&
	       (vm->guard.guard != NULL || vm->settings->outside_guard);
}

/* Those that it has by agreement with the guest; a list to be freed. */
static struct ip_addr *common_addresses(const struct vm *vm, size_t *n)
{
	struct ip_addr *list = calloc(vm->net.n_addresses + 1, sizeof(*list));

	*n = 0;
	for (size_t i = 0; list != NULL && is_guarded(vm) && i < vm->net.n_addresses; i++)
		if (switch_plan_is_guests(&vm->net, &vm->net.addresses[i]))
			list[(*n)++] = vm->net.addresses[i].local;
	return list;
}

/* It fits, as vm_ports_plan() has seen. */
static void keep(const struct vm *vm, struct l4_ports *kept)
{
	struct shared_ports shared;

	if (vm->settings->guard == VM_GUARD_SHARED) {
		*kept = vm->guard.plan.kernel_ports;
		(void)l4_ports_add(kept, ephemeral);
		return;
	}
	if (parse(vm->settings, &shared, NULL) == 0)
		*kept = shared.ranges;
}

void vm_ports_follow(struct vm *vm)
{
	struct port_mirror_plan plan = { .vsock = vm->paths.vsock,
		.n_ports_max = most(PORTS_MAX, 4),
		.n_conns_max = most(CONNS_MAX, 16),
		.patience_ms = PATIENCE_MS,
		.look_ms = LOOK_MS };
	struct ip_addr *addresses;

	if (vm->ports == NULL || vm->ports->mirror != NULL || !is_wanted(vm))
		return;
	(void)ip_addr_parse(HOST_LINK_IDENTITY, &plan.own);
	keep(vm, &plan.kept);
	addresses = common_addresses(vm, &plan.n_addresses);
	plan.addresses = addresses;
	if (addresses != NULL)
		vm->ports->mirror = port_mirror_start(vm->loop, &plan);
	if (vm->ports->mirror == NULL)
		log_error("ports", log_str("reason", "out of memory"));
	free(addresses);
}

/* --- both ------------------------------------------------------------------------------------ */

json_t *vm_ports_status(const struct vm *vm)
{
	const struct vm_ports *ports = vm->ports;
	json_t *all = ports != NULL && ports->mirror != NULL ? port_mirror_status(ports->mirror)
							     : json_object();

	if (ports != NULL && ports->share != NULL)
		json_object_set_new(all, "shared", port_share_status(ports->share));
	return all;
}

void vm_ports_stop(struct vm *vm)
{
	if (vm->ports == NULL)
		return;
	port_mirror_free(vm->ports->mirror);
	port_share_free(vm->ports->share);
	free(vm->ports);
	vm->ports = NULL;
}
