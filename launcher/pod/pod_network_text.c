/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/pod/pod_network_text.h"

#include <ctype.h>

#include <linux/fib_rules.h>

#include "launcher/pod/pod_words.h"

/* Names may be any bytes, and the terminal is not theirs. */
static void print_name(FILE *out, const char *before, const char *name)
{
	if (name[0] == '\0')
		return;
	fputs(before, out);
	for (; *name != '\0'; name++)
		fputc(isprint((unsigned char)*name) ? *name : '?', out);
}

static void print_device(const struct pod_network *net, FILE *out, const char *before, int ifindex)
{
	char name[IFNAMSIZ];

	if (ifindex != 0)
		print_name(out, before, pod_network_ifname(net, ifindex, name));
}

static void print_ip(FILE *out, const char *before, const struct ip_addr *addr)
{
	char s[IP_ADDR_TEXT_MAX];

	if (!ip_addr_is_unspecified(addr))
		fprintf(out, "%s%s", before, ip_addr_format(addr, s));
}

static void print_mac(FILE *out, const char *before, const struct mac *mac)
{
	char s[MAC_TEXT_MAX];

	fprintf(out, "%s%s", before, mac_format(mac, s));
}

static void print_word(
	FILE *out, const char *before, const struct setting_word *words, uint32_t value)
{
	char number[NET_WORD_MAX];

	fprintf(out, "%s%s", before, net_word_of(words, value, number));
}

static void print_bits(FILE *out, const struct setting_word *words, uint32_t value)
{
	for (; words->name != NULL; words++)
		if ((value & words->value) != 0)
			fprintf(out, " %s", words->name);
}

static void print_number(FILE *out, const char *before, uint32_t n)
{
	if (n != 0)
		fprintf(out, "%s%u", before, n);
}

static void print_prefix(FILE *out, const char *before, const struct pod_prefix *prefix)
{
	char s[IP_ADDR_TEXT_MAX];

	fprintf(out, "%s%s/%u", before, ip_addr_format(&prefix->addr, s), prefix->len);
}

static void print_address(const struct pod_address *address, FILE *out)
{
	char s[IP_ADDR_TEXT_MAX];

	fprintf(out, "      %s/%u", ip_addr_format(&address->local, s), address->prefix_len);
	print_ip(out, " peer ", &address->peer);
	print_word(out, " scope ", net_scopes, address->scope);
	for (const struct setting_word *w = pod_address_flags; w->name != NULL; w++)
		if ((address->flags & w->value) != 0)
			fprintf(out, " %s", pod_address_flag(w, address->family));
	fputc('\n', out);
}

static void print_interface(
	const struct pod_network *net, const struct pod_interface *interface, FILE *out)
{
	print_name(out, interface->ifindex == net->pod_ifindex ? "  * " : "    ", interface->name);
	print_name(out, " ", interface->kind);
	if (interface->has_mac)
		print_mac(out, " ", &interface->mac);
	fprintf(out, " mtu %u", interface->mtu);
	print_word(out, " state ", pod_operstates, interface->operstate);
	print_device(net, out, " master ", interface->master);
	print_bits(out, pod_link_flags, interface->flags);
	fputc('\n', out);
	for (size_t i = 0; i < net->n_addresses; i++)
		if (net->addresses[i].ifindex == interface->ifindex)
			print_address(&net->addresses[i], out);
}

static void print_nexthop(const struct pod_network *net, const struct pod_nexthop *hop, FILE *out)
{
	print_ip(out, " via ", &hop->gateway);
	print_device(net, out, " dev ", hop->ifindex);
	if (hop->weight > 1)
		fprintf(out, " weight %u", hop->weight);
	print_bits(out, pod_nexthop_flags, hop->flags);
}

static void print_route(const struct pod_network *net, const struct pod_route *route, FILE *out)
{
	fputs("    ", out);
	if (route->type != RTN_UNICAST) {
		print_word(out, "", net_route_types, route->type);
		fputc(' ', out);
	}
	if (route->dst.len == 0)
		fputs(route->family == AF_INET ? "default" : "default (IPv6)", out);
	else
		print_prefix(out, "", &route->dst);
	if (route->src.len != 0)
		print_prefix(out, " from ", &route->src);
	if (route->n_nexthops == 1)
		print_nexthop(net, route->nexthops, out);
	if (route->table != RT_TABLE_MAIN)
		fprintf(out, " table %u", route->table);
	if (route->scope != RT_SCOPE_UNIVERSE)
		print_word(out, " scope ", net_scopes, route->scope);
	print_ip(out, " src ", &route->prefsrc);
	print_number(out, " tos ", route->tos);
	print_number(out, " metric ", route->metric);
	if (route->pref != 0)
		print_word(out, " pref ", net_route_prefs, route->pref);
	for (const struct setting_word *w = net_metrics; w->name != NULL; w++)
		if (route->metrics[w->value] != 0)
			fprintf(out, " %s %u", w->name, route->metrics[w->value]);
	fputc('\n', out);
	for (size_t i = 0; route->n_nexthops > 1 && i < route->n_nexthops; i++) {
		fputs("        nexthop", out);
		print_nexthop(net, &route->nexthops[i], out);
		fputc('\n', out);
	}
}

static void print_ports(FILE *out, const char *before, const struct pod_port_range *range)
{
	if (range->last != 0)
		fprintf(out, "%s%u-%u", before, range->first, range->last);
}

static void print_rule_match(const struct pod_rule *rule, FILE *out)
{
	fputs(rule->invert ? " not from" : " from", out);
	if (rule->src.len != 0)
		print_prefix(out, " ", &rule->src);
	else
		fputs(" all", out);
	if (rule->dst.len != 0)
		print_prefix(out, " to ", &rule->dst);
	print_name(out, " iif ", rule->iif);
	print_name(out, " oif ", rule->oif);
	if (rule->fwmark != 0 || rule->fwmask != 0)
		fprintf(out, " fwmark 0x%x/0x%x", rule->fwmark, rule->fwmask);
	print_number(out, " tos ", rule->tos);
	print_number(out, " ipproto ", rule->ipproto);
	print_ports(out, " sport ", &rule->sport);
	print_ports(out, " dport ", &rule->dport);
	if (rule->has_uids)
		fprintf(out, " uidrange %u-%u", rule->uid_first, rule->uid_last);
}

static void print_rule(const struct pod_rule *rule, FILE *out)
{
	fprintf(out, "    %s %u:", rule->family == AF_INET ? "IPv4" : "IPv6", rule->priority);
	print_rule_match(rule, out);
	print_word(out, " ", net_actions, rule->action);
	print_number(out, " ", rule->table);
	if (rule->action == FR_ACT_GOTO)
		fprintf(out, " %u", rule->target);
	if (rule->l3mdev)
		fputs(" l3mdev", out);
	if (rule->suppress_prefix_len >= 0)
		fprintf(out, " suppress_prefixlength %d", rule->suppress_prefix_len);
	fputc('\n', out);
}

static void print_neighbour(
	const struct pod_network *net, const struct pod_neighbour *neighbour, FILE *out)
{
	print_ip(out, "    ", &neighbour->dst);
	print_device(net, out, " dev ", neighbour->ifindex);
	if (neighbour->has_mac)
		print_mac(out, " ", &neighbour->mac);
	print_bits(out, pod_neighbour_states, neighbour->state);
	print_bits(out, pod_neighbour_flags, neighbour->flags);
	fputc('\n', out);
}

static void print_words(FILE *out, const char *title, char **words, size_t n)
{
	if (n == 0)
		return;
	fputs(title, out);
	for (size_t i = 0; i < n; i++)
		print_name(out, " ", words[i]);
	fputc('\n', out);
}

static void print_resolv_conf(const struct resolv_conf *conf, FILE *out)
{
	for (size_t i = 0; i < conf->n_nameservers; i++) {
		const struct resolv_nameserver *ns = &conf->nameservers[i];

		print_ip(out, "    nameserver ", &ns->addr);
		print_name(out, "%", ns->scope);
		if (resolv_nameserver_is_loopback(ns))
			fputs(" (loopback)", out);
		if (resolv_nameserver_is_link_local(ns))
			fputs(" (link-local)", out);
		fputc('\n', out);
	}
	print_words(out, "    search", conf->search, conf->n_search);
	print_words(out, "    options", conf->options, conf->n_options);
}

void pod_network_print(const struct pod_network *net, FILE *out)
{
	print_name(out, "pod ", net->hostname);
	fputs("\n\ninterfaces (* is the pod's)\n", out);
	for (size_t i = 0; i < net->n_interfaces; i++)
		print_interface(net, &net->interfaces[i], out);
	fputs("\nroutes\n", out);
	for (size_t i = 0; i < net->n_routes; i++)
		print_route(net, &net->routes[i], out);
	fputs("\npolicy rules\n", out);
	for (size_t i = 0; i < net->n_rules; i++)
		print_rule(&net->rules[i], out);
	fputs("\nneighbours\n", out);
	for (size_t i = 0; i < net->n_neighbours; i++)
		print_neighbour(net, &net->neighbours[i], out);
	fputs("\nname resolution\n", out);
	print_resolv_conf(&net->resolv_conf, out);
}
