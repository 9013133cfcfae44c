/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/pod/pod_network_json.h"

#include <string.h>

#include <linux/fib_rules.h>
#include <linux/if_addr.h>

#include "launcher/pod/pod_words.h"

/* An object or an array that is being filled; without memory it is NULL in the end. */
struct filling {
	json_t *json;
	bool ok;
};

static struct filling object(void)
{
	json_t *json = json_object();

	return (struct filling) { json, json != NULL };
}

static struct filling array(void)
{
	json_t *json = json_array();

	return (struct filling) { json, json != NULL };
}

static void put(struct filling *object, const char *key, json_t *value)
{
	object->ok &= json_object_set_new(object->json, key, value) == 0;
}

static void append(struct filling *array, json_t *value)
{
	array->ok &= json_array_append_new(array->json, value) == 0;
}

static json_t *filled(struct filling *f)
{
	if (f->ok)
		return f->json;
	json_decref(f->json);
	return NULL;
}

/* Names of the kernel's may be any bytes; in JSON they are UTF-8. */
static json_t *text(const char *s)
{
	json_t *json = json_string(s);
	char copy[256];
	size_t n;

	if (json != NULL)
		return json;
	for (n = 0; n < sizeof(copy) - 1 && s[n] != '\0'; n++)
		copy[n] = (s[n] & 0x80) != 0 ? '?' : s[n];
	copy[n] = '\0';
	return json_string(copy);
}

static json_t *word(const struct setting_word *words, uint32_t value)
{
	char number[NET_WORD_MAX];

	return json_string(net_word_of(words, value, number));
}

/* The words of the bits that are set. */
static json_t *bits(const struct setting_word *words, uint32_t value)
{
	struct filling a = array();

	for (; words->name != NULL; words++)
		if ((value & words->value) != 0)
			append(&a, json_string(words->name));
	return filled(&a);
}

static json_t *link_flags(uint32_t flags)
{
	json_t *words = bits(pod_link_flags, flags);

	if ((flags & IFF_UP) && !(flags & IFF_RUNNING) && words != NULL &&
		json_array_append_new(words, json_string("NO-CARRIER")) < 0) {
		json_decref(words);
		words = NULL;
	}
	return words;
}

static json_t *ip(const struct ip_addr *addr)
{
	char s[IP_ADDR_TEXT_MAX];

	return json_string(ip_addr_format(addr, s));
}

static const char *family_word(int family)
{
	return family == AF_INET ? "inet" : "inet6";
}

static int family_of(const struct ip_addr *addr)
{
	return ip_addr_is_v4(addr) ? AF_INET : AF_INET6;
}

static void put_text(struct filling *object, const char *key, const char *s)
{
	if (s[0] != '\0')
		put(object, key, text(s));
}

static void put_number(struct filling *object, const char *key, uint32_t n)
{
	if (n != 0)
		put(object, key, json_integer(n));
}

static void put_ip(struct filling *object, const char *key, const struct ip_addr *addr)
{
	if (!ip_addr_is_unspecified(addr))
		put(object, key, ip(addr));
}

static void put_mac(struct filling *object, const char *key, const struct mac *mac)
{
	char s[MAC_TEXT_MAX];

	put(object, key, json_string(mac_format(mac, s)));
}

static void put_ifname(
	struct filling *object, const char *key, const struct pod_network *net, int ifindex)
{
	char name[IFNAMSIZ];

	if (ifindex != 0)
		put(object, key, text(pod_network_ifname(net, ifindex, name)));
}

static json_t *encode_address(const struct pod_address *address)
{
	struct filling o = object();

	put(&o, "family", json_string(family_word(address->family)));
	put(&o, "local", ip(&address->local));
	put(&o, "prefixlen", json_integer(address->prefix_len));
	put(&o, "scope", word(net_scopes, address->scope));
	put_ip(&o, "address", &address->peer);
	put_ip(&o, "broadcast", &address->broadcast);
	put_text(&o, "label", address->label);
	put(&o, "valid_life_time", json_integer(address->valid_s));
	put(&o, "preferred_life_time", json_integer(address->preferred_s));
	for (const struct setting_word *w = pod_address_flags; w->name != NULL; w++)
		if ((address->flags & w->value) != 0)
			put(&o, pod_address_flag(w, address->family), json_true());
	return filled(&o);
}

static json_t *encode_interface(const struct pod_network *net, const struct pod_interface *i)
{
	struct filling o = object(), addresses = array();

	put(&o, "ifindex", json_integer(i->ifindex));
	put(&o, "ifname", text(i->name));
	put(&o, "flags", link_flags(i->flags));
	put(&o, "mtu", json_integer(i->mtu));
	put(&o, "operstate", word(pod_operstates, i->operstate));
	put(&o, "link_type", word(pod_link_types, i->arptype));
	if (i->has_mac)
		put_mac(&o, "address", &i->mac);
	put_text(&o, "info_kind", i->kind);
	put_ifname(&o, "master", net, i->master);
	for (size_t n = 0; n < net->n_addresses; n++)
		if (net->addresses[n].ifindex == i->ifindex)
			append(&addresses, encode_address(&net->addresses[n]));
	put(&o, "addresses", filled(&addresses));
	return filled(&o);
}

static json_t *encode_prefix(const struct pod_prefix *prefix, int family)
{
	char s[IP_ADDR_TEXT_MAX];

	if (prefix->len == 0)
		return json_string("default");
	ip_addr_format(&prefix->addr, s);
	if (prefix->len == (family == AF_INET ? 32 : 128))
		return json_string(s);
	return json_sprintf("%s/%u", s, prefix->len);
}

static void put_gateway(struct filling *object, const struct pod_nexthop *hop, int family)
{
	int gateway_family = family_of(&hop->gateway);

	if (ip_addr_is_unspecified(&hop->gateway) || gateway_family == family)
		put_ip(object, "gateway", &hop->gateway);
	else
		put(object, "via",
			json_pack("{s:s, s:o}", "family", family_word(gateway_family), "host",
				ip(&hop->gateway)));
}

static void put_nexthop(struct filling *object, const struct pod_network *net,
	const struct pod_nexthop *hop, int family)
{
	put_gateway(object, hop, family);
	put_ifname(object, "dev", net, hop->ifindex);
	put(object, "flags", bits(pod_nexthop_flags, hop->flags));
	if (hop->weight > 1)
		put(object, "weight", json_integer(hop->weight));
}

static json_t *encode_nexthops(const struct pod_network *net, const struct pod_route *route)
{
	struct filling a = array();

	for (size_t i = 0; i < route->n_nexthops; i++) {
		struct filling o = object();

		put_nexthop(&o, net, &route->nexthops[i], route->family);
		put(&o, "weight", json_integer(route->nexthops[i].weight));
		append(&a, filled(&o));
	}
	return filled(&a);
}

static void put_metrics(struct filling *route, const uint32_t *metrics)
{
	struct filling o = object();

	for (const struct setting_word *w = net_metrics; w->name != NULL; w++)
		put_number(&o, w->name, metrics[w->value]);
	if (o.ok && json_object_size(o.json) == 0)
		json_decref(o.json);
	else
		put(route, "metrics", filled(&o));
}

static json_t *encode_route(const struct pod_network *net, const struct pod_route *route)
{
	static const struct pod_nexthop nowhere = { .weight = 1 };
	struct filling o = object();

	put(&o, "family", json_string(family_word(route->family)));
	put(&o, "type", word(net_route_types, route->type));
	put(&o, "dst", encode_prefix(&route->dst, route->family));
	if (route->src.len != 0)
		put(&o, "from", encode_prefix(&route->src, route->family));
	if (route->n_nexthops > 1) {
		put(&o, "flags", json_array());
		put(&o, "nexthops", encode_nexthops(net, route));
	} else {
		put_nexthop(&o, net, route->n_nexthops == 1 ? route->nexthops : &nowhere,
			route->family);
	}
	put(&o, "table", json_integer(route->table));
	put(&o, "metric", json_integer(route->metric));
	put(&o, "scope", word(net_scopes, route->scope));
	put(&o, "protocol", word(net_protocols, route->protocol));
	put_ip(&o, "prefsrc", &route->prefsrc);
	put_number(&o, "tos", route->tos);
	if (route->pref != 0)
		put(&o, "pref", word(net_route_prefs, route->pref));
	put_metrics(&o, route->metrics);
	return filled(&o);
}

static void put_ports(struct filling *object, const char *first, const char *last,
	const struct pod_port_range *range)
{
	if (range->last == 0)
		return;
	put(object, first, json_integer(range->first));
	put(object, last, json_integer(range->last));
}

static void put_rule_match(struct filling *o, const struct pod_rule *rule)
{
	put(o, "src", rule->src.len != 0 ? ip(&rule->src.addr) : json_string("all"));
	put_number(o, "srclen", rule->src.len);
	if (rule->dst.len != 0)
		put(o, "dst", ip(&rule->dst.addr));
	put_number(o, "dstlen", rule->dst.len);
	put_text(o, "iif", rule->iif);
	put_text(o, "oif", rule->oif);
	if (rule->fwmark != 0 || rule->fwmask != 0) {
		put(o, "fwmark", json_integer(rule->fwmark));
		put(o, "fwmask", json_integer(rule->fwmask));
	}
	put_number(o, "tos", rule->tos);
	put_number(o, "ipproto", rule->ipproto);
	put_ports(o, "sport_start", "sport_end", &rule->sport);
	put_ports(o, "dport_start", "dport_end", &rule->dport);
	if (rule->has_uids) {
		put(o, "uid_start", json_integer(rule->uid_first));
		put(o, "uid_end", json_integer(rule->uid_last));
	}
}

static json_t *encode_rule(const struct pod_rule *rule)
{
	struct filling o = object();

	put(&o, "family", json_string(family_word(rule->family)));
	put(&o, "priority", json_integer(rule->priority));
	if (rule->invert)
		put(&o, "not", json_true());
	put_rule_match(&o, rule);
	put(&o, "action", word(net_actions, rule->action));
	put_number(&o, "table", rule->table);
	if (rule->action == FR_ACT_GOTO)
		put(&o, "goto", json_integer(rule->target));
	if (rule->l3mdev)
		put(&o, "l3mdev", json_true());
	if (rule->suppress_prefix_len >= 0)
		put(&o, "suppress_prefixlen", json_integer(rule->suppress_prefix_len));
	put(&o, "protocol", word(net_protocols, rule->protocol));
	return filled(&o);
}

static json_t *encode_neighbour(const struct pod_network *net, const struct pod_neighbour *n)
{
	struct filling o = object();

	put(&o, "dst", ip(&n->dst));
	put_ifname(&o, "dev", net, n->ifindex);
	if (n->has_mac)
		put_mac(&o, "lladdr", &n->mac);
	put(&o, "state", bits(pod_neighbour_states, n->state));
	for (const struct setting_word *w = pod_neighbour_flags; w->name != NULL; w++)
		if ((n->flags & w->value) != 0)
			put(&o, w->name, json_true());
	return filled(&o);
}

static json_t *encode_nameservers(const struct resolv_conf *conf)
{
	struct filling a = array();

	for (size_t i = 0; i < conf->n_nameservers; i++) {
		const struct resolv_nameserver *ns = &conf->nameservers[i];
		struct filling o = object();

		put(&o, "address", ip(&ns->addr));
		put_text(&o, "scope", ns->scope);
		put(&o, "loopback", json_boolean(resolv_nameserver_is_loopback(ns)));
		put(&o, "link_local", json_boolean(resolv_nameserver_is_link_local(ns)));
		append(&a, filled(&o));
	}
	return filled(&a);
}

static json_t *encode_words(char **words, size_t n)
{
	struct filling a = array();

	for (size_t i = 0; i < n; i++)
		append(&a, text(words[i]));
	return filled(&a);
}

static json_t *encode_resolv_conf(const struct resolv_conf *conf)
{
	struct filling o = object();

	put(&o, "nameservers", encode_nameservers(conf));
	put(&o, "search", encode_words(conf->search, conf->n_search));
	put(&o, "ndots", json_integer(conf->ndots));
	put(&o, "timeout", json_integer(conf->timeout_s));
	put(&o, "attempts", json_integer(conf->attempts));
	put(&o, "options", encode_words(conf->options, conf->n_options));
	return filled(&o);
}

json_t *pod_network_encode(const struct pod_network *net)
{
	struct filling o = object(), interfaces = array(), routes = array(), rules = array(),
		       neighbours = array();

	for (size_t i = 0; i < net->n_interfaces; i++)
		append(&interfaces, encode_interface(net, &net->interfaces[i]));
	for (size_t i = 0; i < net->n_routes; i++)
		append(&routes, encode_route(net, &net->routes[i]));
	for (size_t i = 0; i < net->n_rules; i++)
		append(&rules, encode_rule(&net->rules[i]));
	for (size_t i = 0; i < net->n_neighbours; i++)
		append(&neighbours, encode_neighbour(net, &net->neighbours[i]));
	put(&o, "hostname", text(net->hostname));
	put_ifname(&o, "interface", net, net->pod_ifindex);
	put(&o, "address_state", word(pod_address_states, pod_network_address_state(net)));
	put(&o, "interfaces", filled(&interfaces));
	put(&o, "routes", filled(&routes));
	put(&o, "rules", filled(&rules));
	put(&o, "neighbours", filled(&neighbours));
	put(&o, "resolv_conf", encode_resolv_conf(&net->resolv_conf));
	return filled(&o);
}
