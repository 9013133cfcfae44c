/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/run/describe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/shared_ports.h"
#include "launcher/pod/host_link.h"
#include "launcher/pod/hosts_text.h"
#include "launcher/pod/pod_machine.h"
#include "launcher/pod/resolv_conf_text.h"
#include "launcher/run/machine.h"
#include "launcher/run/switch_plan.h"
#include "launcher/storage/nfs.h"
#include "launcher/storage/share.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/whole_file.h"

#define NO_MEMORY(err) err_set(err, -ENOMEM, "out of memory")

/* NULL stays NULL; false: no memory. */
static bool copy(char **to, const char *text)
{
	*to = text != NULL ? strdup(text) : NULL;
	return text == NULL || *to != NULL;
}

static int describe_network(const struct vm *vm, struct machine_spec *spec, struct err *err)
{
	const struct pod_interface *pod = pod_network_interface(&vm->net, vm->net.pod_ifindex);
	struct mac mac = switch_plan_guest_mac(vm->settings, &pod->mac);
	const struct pod_machine_plan plan = { .mac = &mac, .host_port = vm->guard.plan.host_port };

	return pod_machine_net(&vm->net, &plan, &spec->net, err);
}

/* The first of the guest's addresses of a family: its name is that one's. */
static size_t add_own(const struct vm *vm, int family, struct ip_addr *addr)
{
	for (size_t i = 0; i < vm->net.n_addresses; i++) {
		const struct pod_address *a = &vm->net.addresses[i];

		if (a->family != family || !switch_plan_is_guests(&vm->net, a))
			continue;
		*addr = a->local;
		return 1;
	}
	return 0;
}

/* One that cannot be had is told of in the log, and is no more than that. */
static int describe_hosts(const struct vm *vm, struct machine_spec *spec, struct err *err)
{
	cleanup_free char *pods = NULL;
	struct ip_addr addrs[2];
	struct hosts_own own = { .hostname = spec->hostname, .addrs = addrs };
	size_t len = 0;
	int ret = whole_file_read(HOSTS_PATH, HOSTS_SIZE_MAX, &pods, &len);

	if (ret < 0 && ret != -ENOENT)
		log_warn("hosts", log_str("path", HOSTS_PATH), log_str("reason", strerror(-ret)));
	own.n_addrs = add_own(vm, AF_INET, addrs);
	own.n_addrs += add_own(vm, AF_INET6, addrs + own.n_addrs);
	spec->hosts = hosts_text(pods, ret < 0 ? 0 : len, &own);
	return spec->hosts != NULL ? 0 : NO_MEMORY(err);
}

static int describe_names(const struct vm *vm, struct machine_spec *spec, struct err *err)
{
	const char *set = vm->settings->hostname;
	struct ip_addr relay;

	(void)ip_addr_parse(HOST_LINK_IDENTITY, &relay);
	spec->resolv_conf = resolv_conf_text(&vm->net.resolv_conf, vm->dns != NULL ? &relay : NULL);
	if (spec->resolv_conf == NULL ||
		!copy(&spec->hostname, set[0] != '\0' ? set : vm->net.hostname))
		return NO_MEMORY(err);
	return describe_hosts(vm, spec, err);
}

static int describe_root(const struct vm *vm, struct machine_spec *spec, struct err *err)
{
	struct machine_mount *root = &spec->root;
	bool ok = true;

	root->readonly = vm->settings->readonly;
	switch (vm->root) {
	case VM_ROOT_VIRTIOFS:
		root->kind = MACHINE_VIRTIOFS;
		ok = asprintf(&root->source, MACHINE_SHARE_TAG ":%s", share_root(vm->share)) >= 0;
		break;
	case VM_ROOT_NFS:
		root->kind = MACHINE_NFS;
		ok = copy(&root->source, HOST_LINK_IDENTITY ":" NFS_ROOT_NAME) &&
		     copy(&root->options, MACHINE_NFS_OPTIONS);
		break;
	case VM_ROOT_EXT4:
		root->kind = MACHINE_EXT4;
		ok = copy(&root->source, vm->kind->drive_device);
		break;
	default:
		root->kind = MACHINE_INITRAMFS;
		ok = copy(&root->source, "/image");
		break;
	}
	return ok && copy(&root->destination, "/") ? 0 : NO_MEMORY(err);
}

/* Each server counts those of its own. */
struct volume_numbers {
	unsigned virtiofs, nfs;
};

static int format_source(
	const struct volume *v, struct volume_numbers *next, struct machine_mount *mount)
{
	if (!v->nfs)
		return asprintf(&mount->source, MACHINE_SHARE_TAG ":/vol/%u",
			v->ready ? v->number : next->virtiofs++);
	return asprintf(&mount->source, HOST_LINK_IDENTITY ":/vol/%u", next->nfs++);
}

static bool format_options(const struct volume *v, struct machine_mount *mount)
{
	if (!v->nfs)
		return copy(&mount->options, v->options);
	return asprintf(&mount->options, MACHINE_NFS_OPTIONS "%s%s", v->options != NULL ? "," : "",
		       v->options != NULL ? v->options : "") >= 0;
}

static bool describe_volume(
	const struct volume *v, struct volume_numbers *next, struct machine_mount *mount)
{
	*mount = (struct machine_mount) {
		.kind = v->source == NULL ? MACHINE_TMPFS
			: v->nfs          ? MACHINE_NFS
					  : MACHINE_VIRTIOFS,
		.readonly = v->readonly,
		.optional = v->optional,
	};
	if (v->source != NULL && format_source(v, next, mount) < 0)
		return false;
	return copy(&mount->destination, v->destination) && format_options(v, mount);
}

static int describe_volumes(const struct vm *vm, struct machine_spec *spec, struct err *err)
{
	const struct volumes *volumes = &vm->volumes;
	struct volume_numbers next = { 0 };

	spec->mounts = calloc(volumes->n + 1, sizeof(*spec->mounts));
	if (spec->mounts == NULL)
		return NO_MEMORY(err);
	for (size_t i = 0; i < volumes->n; i++) {
		spec->n_mounts = i + 1;
		if (!describe_volume(&volumes->item[i], &next, &spec->mounts[i]))
			return NO_MEMORY(err);
	}
	return 0;
}

static int describe_ports(const struct vm *vm, struct machine_spec *spec, struct err *err)
{
	struct shared_ports shared;
	int ret = shared_ports_parse(vm->settings->shared_ports, &shared, err);

	if (ret < 0)
		return err_wrap(err, ret, "shared-ports");
	memcpy(spec->shared_ports, shared.port, sizeof(shared.port));
	spec->n_shared_ports = shared.n;
	return 0;
}

int describe_machine(const struct vm *vm, struct machine_spec *spec, struct err *err)
{
	int ret;

	*spec = (struct machine_spec) { 0 };
	ret = describe_network(vm, spec, err);
	if (ret == 0)
		ret = describe_names(vm, spec, err);
	if (ret == 0)
		ret = describe_root(vm, spec, err);
	if (ret == 0)
		ret = describe_volumes(vm, spec, err);
	if (ret == 0)
		ret = describe_ports(vm, spec, err);
	if (ret == 0 && process_spec_copy(vm->command->process, &spec->process) < 0)
		ret = NO_MEMORY(err);
	if (ret == 0 && vm->command->sysctls != NULL &&
		sysctls_copy(vm->command->sysctls, &spec->sysctls) < 0)
		ret = NO_MEMORY(err);
	return ret;
}
