/* SPDX-License-Identifier: BSD-3-Clause */

/* The machine spec's decoder, with the network and the process in it: whatever the bytes, a sound
 * spec that is written and read as the same, or one line. */

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/machine_prefix.h"
#include "config/machine_spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_of(int family, const struct ip_addr *addr)
{
	return ip_addr_is_unspecified(addr) || machine_family_of(addr) == family;
}

static void check_dev(const struct machine_net *net, const char *dev)
{
	bool found = strcmp(dev, "lo") == 0;

	for (size_t i = 0; i < net->n_nics; i++)
		found |= strcmp(net->nics[i].name, dev) == 0;
	assert(found);
}

static void check_route(const struct machine_net *net, const struct machine_route *route)
{
	assert(route->family == AF_INET || route->family == AF_INET6);
	assert(route->dst.len <= machine_prefix_len_max(route->family));
	assert(route->table > 0 && route->n_nexthops <= MACHINE_NEXTHOPS_MAX);
	assert(is_of(route->family, &route->prefsrc));
	for (size_t i = 0; i < route->n_nexthops; i++) {
		const struct machine_nexthop *hop = &route->nexthops[i];

		assert(hop->weight >= 1 && hop->weight <= 256);
		assert(hop->dev[0] != '\0' || !ip_addr_is_unspecified(&hop->gateway));
		assert(route->family == AF_INET || is_of(AF_INET6, &hop->gateway));
		if (hop->dev[0] != '\0')
			check_dev(net, hop->dev);
	}
}

static void check_rule(const struct machine_rule *rule)
{
	assert(rule->src.len <= machine_prefix_len_max(rule->family));
	assert(rule->dst.len <= machine_prefix_len_max(rule->family));
	assert(rule->src.len == 0 || machine_family_of(&rule->src.addr) == rule->family);
	assert(rule->dport.first <= rule->dport.last && rule->sport.first <= rule->sport.last);
	assert(rule->suppress_prefix_len >= -1 && rule->suppress_prefix_len <= 128);
}

static void check_net(const struct machine_net *net)
{
	assert(net->n_nics <= MACHINE_NICS_MAX);
	for (size_t i = 0; i < net->n_nics; i++)
		assert(net->nics[i].name[0] != '\0' && net->nics[i].mtu >= 68);
	for (size_t i = 0; i < net->n_addrs; i++) {
		check_dev(net, net->addrs[i].dev);
		assert(machine_family_of(&net->addrs[i].local) == net->addrs[i].family);
		assert(is_of(net->addrs[i].family, &net->addrs[i].peer));
	}
	for (size_t i = 0; i < net->n_routes; i++)
		check_route(net, &net->routes[i]);
	for (size_t i = 0; i < net->n_rules; i++)
		check_rule(&net->rules[i]);
	for (size_t i = 0; i < net->n_neighbours; i++) {
		check_dev(net, net->neighbours[i].dev);
		assert(!mac_is_multicast(&net->neighbours[i].mac));
	}
}

static void check_mounts(const struct machine_spec *spec)
{
	assert(spec->root.source != NULL && strcmp(spec->root.destination, "/") == 0);
	assert(spec->root.kind != MACHINE_TMPFS && spec->n_mounts <= MACHINE_MOUNTS_MAX);
	for (size_t i = 0; i < spec->n_mounts; i++) {
		const struct machine_mount *mount = &spec->mounts[i];

		assert(mount->destination[0] == '/');
		assert((mount->source == NULL) == (mount->kind == MACHINE_TMPFS));
	}
}

static void check_process(const struct process_spec *process)
{
	assert(process->cwd == NULL || process->cwd[0] == '/');
	assert(process->umask <= 0777 && process->n_gids <= PROCESS_GIDS_MAX);
	assert(process->n_rlimits <= PROCESS_RLIMITS_MAX);
	for (size_t i = 0; i < process->n_rlimits; i++)
		assert(process->rlimits[i].soft <= process->rlimits[i].hard);
	assert(process->has_capabilities || process->capabilities == 0);
}

/* Defaults are written out: the first text may be longer than what was read, not the second. */
static void check_encoding(const struct machine_spec *spec)
{
	struct machine_spec again;
	struct err err = { "" };
	char *first = machine_spec_format(spec), *second;

	assert(first != NULL);
	if (strlen(first) <= MACHINE_SPEC_MAX) {
		assert(machine_spec_parse(first, strlen(first), &again, &err) == 0);
		second = machine_spec_format(&again);
		assert(second != NULL && strcmp(first, second) == 0);
		free(second);
		machine_spec_free(&again);
	}
	free(first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct machine_spec spec;
	struct err err = { "" };

	if (machine_spec_parse((const char *)data, size, &spec, &err) < 0) {
		assert(err.text[0] != '\0' && strchr(err.text, '\n') == NULL);
		assert(spec.mounts == NULL && spec.net.routes == NULL && spec.process.cwd == NULL);
		return 0;
	}
	check_net(&spec.net);
	check_mounts(&spec);
	check_process(&spec.process);
	check_encoding(&spec);
	machine_spec_free(&spec);
	return 0;
}
