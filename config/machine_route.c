/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/machine_route.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/machine_prefix.h"
#include "config/net_words.h"
#include "config/settings.h"

/* --- where it leads -------------------------------------------------------------------------- */

static const struct setting hop_rows[] = {
	{ "gateway", SETTING_IP, SETTING_FIELD(struct machine_nexthop, gateway),
		.help = "the next router; none: on the link" },
	{ "via", SETTING_OBJECT, .help = "the next router, of the other family" },
	{ "dev", SETTING_STRING, SETTING_FIELD(struct machine_nexthop, dev),
		.help = "the interface" },
	{ "onlink", SETTING_BOOL, SETTING_FIELD(struct machine_nexthop, onlink),
		.help = "the gateway is on the link whatever other routes say" },
	{ "weight", SETTING_U32, SETTING_FIELD(struct machine_nexthop, weight), .preset = "1",
		.min = 1, .max = 256, .help = "its share" },
};

static const struct settings hop_table = SETTINGS(hop_rows, NULL);

struct via {
	int family;
	struct ip_addr host;
};

static const struct setting via_rows[] = {
	{ "family", SETTING_ENUM, SETTING_FIELD(struct via, family), .words = machine_families,
		.required = true, .help = "of the router" },
	{ "host", SETTING_IP, SETTING_FIELD(struct via, host), .required = true,
		.help = "the router" },
};

static const struct settings via_table = SETTINGS(via_rows, NULL);

static int take_via(
	const json_t *object, const char *at, struct machine_nexthop *hop, struct err *err)
{
	const json_t *json = json_object_get(object, "via");
	char via_at[JSON_AT_MAX];
	struct via via;
	int ret;

	if (json == NULL)
		return 0;
	if (!ip_addr_is_unspecified(&hop->gateway))
		return err_set(err, -EINVAL, "%svia: there is a gateway already", at);
	snprintf(via_at, sizeof(via_at), "%svia.", at);
	ret = settings_from_json(&via_table, json, via_at, 0, "", &via, NULL, err);
	if (ret < 0)
		return ret;
	if (machine_family_of(&via.host) != via.family)
		return err_set(err, -EINVAL, "%shost: is not of that family", via_at);
	hop->gateway = via.host;
	return 0;
}

static int decode_hop(const json_t *object, const char *at, void *item, struct err *err)
{
	int ret;

	settings_apply_defaults(&hop_table, 0, item);
	ret = settings_from_json(&hop_table, object, at, 0, "", item, NULL, err);
	return ret < 0 ? ret : take_via(object, at, item, err);
}

static bool put_via(json_t *object, const struct ip_addr *gateway)
{
	struct via via = { .family = machine_family_of(gateway), .host = *gateway };

	return json_object_set_new(object, "via", settings_to_json(&via_table, 0, &via)) == 0;
}

static json_t *encode_hop(const void *item)
{
	return settings_to_json(&hop_table, 0, item);
}

static const struct json_items hops = { "nexthops", MACHINE_NEXTHOPS_MAX,
	sizeof(struct machine_nexthop), decode_hop, encode_hop };

/* --- the route ------------------------------------------------------------------------------- */

/* As it is written: one next hop is part of it. */
struct route_entry {
	struct machine_route route;
	struct machine_nexthop hop;
	char dst[MACHINE_PREFIX_TEXT_MAX], src[MACHINE_PREFIX_TEXT_MAX];
};

#define FIELD(member) SETTING_FIELD(struct route_entry, member)

static const struct setting rows[] = {
	{ "family", SETTING_ENUM, FIELD(route.family), .words = machine_families, .required = true,
		.help = "of the destination" },
	{ "type", SETTING_U32, FIELD(route.type), .preset = "unicast", .max = UINT8_MAX,
		.words = net_route_types, .help = "what becomes of packets" },
	{ "dst", SETTING_STRING, FIELD(dst), .required = true,
		.help = "the destination: default, ADDRESS or ADDRESS/LENGTH" },
	{ "from", SETTING_STRING, FIELD(src), .help = "sources that it is for, of IPv6" },
	{ "gateway", SETTING_IP, FIELD(hop.gateway), .help = "the next router" },
	{ "via", SETTING_OBJECT, .help = "the next router, of the other family" },
	{ "dev", SETTING_STRING, FIELD(hop.dev), .help = "the interface" },
	{ "onlink", SETTING_BOOL, FIELD(hop.onlink), .help = "as of a next hop" },
	{ "metric", SETTING_U32, FIELD(route.metric), .max = UINT32_MAX, .preset = "0",
		.help = "the least of them is used" },
	{ "table", SETTING_U32, FIELD(route.table), .min = 1, .max = UINT32_MAX, .preset = "254",
		.help = "the table that it is in" },
	{ "scope", SETTING_U32, FIELD(route.scope), .max = UINT8_MAX, .words = net_scopes,
		.preset = "global", .help = "how far the destination is" },
	{ "protocol", SETTING_U32, FIELD(route.protocol), .max = UINT8_MAX, .words = net_protocols,
		.preset = "boot", .help = "who made it" },
	{ "prefsrc", SETTING_IP, FIELD(route.prefsrc), .help = "the source address to use" },
	{ "tos", SETTING_U32, FIELD(route.tos), .max = UINT8_MAX, .help = "type of service" },
	{ "pref", SETTING_U32, FIELD(route.pref), .max = UINT8_MAX, .words = net_route_prefs,
		.help = "among routers that announce themselves" },
	{ "metrics", SETTING_OBJECT, .help = "mtu, advmss and so on" },
	{ "nexthops", SETTING_ARRAY,
		.help = "instead of gateway and dev, where there are several" },
};

#undef FIELD

static const struct settings table = SETTINGS(rows, NULL);

static bool leads_nowhere(const struct machine_route *route)
{
	return route->type == RTN_BLACKHOLE || route->type == RTN_UNREACHABLE ||
	       route->type == RTN_PROHIBIT || route->type == RTN_THROW;
}

static int decode_prefix(const char *text, const char *at, const char *key, int family,
	struct machine_prefix *prefix, struct err *err)
{
	if (machine_prefix_parse(text, family, prefix) == 0)
		return 0;
	return err_set(err, -EINVAL,
		"%s%s: \"%s\" is not allowed (must be \"default\", an %s "
		"address or ADDRESS/LENGTH)",
		at, key, text, family == AF_INET ? "IPv4" : "IPv6");
}

/* A table of what `metrics` may have, made of the kernel's words. */
#define N_METRICS_MAX 32

static struct settings metrics_table(struct setting *metric)
{
	size_t n = 0;

	for (const struct setting_word *w = net_metrics; w->name != NULL; w++) {
		assert(n < N_METRICS_MAX);
		metric[n++] = (struct setting) { .name = w->name,
			.type = SETTING_U32,
			.offset = (size_t)w->value * sizeof(uint32_t),
			.size = sizeof(uint32_t),
			.max = UINT32_MAX };
	}
	return (struct settings) { .rows = metric, .n_rows = n };
}

static int decode_metrics(
	const json_t *object, const char *at, struct machine_route *route, struct err *err)
{
	const json_t *json = json_object_get(object, "metrics");
	struct setting metric[N_METRICS_MAX];
	struct settings metrics = metrics_table(metric);
	char metrics_at[JSON_AT_MAX];

	snprintf(metrics_at, sizeof(metrics_at), "%smetrics.", at);
	if (json == NULL)
		return 0;
	return settings_from_json(&metrics, json, metrics_at, 0, "", route->metrics, NULL, err);
}

static bool put_metrics(json_t *object, const struct machine_route *route)
{
	struct setting metric[N_METRICS_MAX];
	struct settings metrics = metrics_table(metric);
	json_t *json = settings_to_json(&metrics, 0, route->metrics);

	if (json != NULL && json_object_size(json) == 0) {
		json_decref(json);
		return true;
	}
	return json_object_set_new(object, "metrics", json) == 0;
}

static bool is_given(const struct machine_nexthop *hop)
{
	return hop->dev[0] != '\0' || !ip_addr_is_unspecified(&hop->gateway) || hop->onlink;
}

/* The next hop that is part of the route, if there is one. */
static int take_hop(struct machine_route *route, const struct machine_nexthop *hop, const char *at,
	struct err *err)
{
	if (!is_given(hop))
		return 0;
	if (route->n_nexthops > 0)
		return err_set(err, -EINVAL, "%snexthops: not beside dev and gateway", at);
	free(route->nexthops);
	route->nexthops = malloc(sizeof(*hop));
	if (route->nexthops == NULL)
		return err_errno(err, ENOMEM, "%sdev", at);
	route->nexthops[0] = *hop;
	route->nexthops[0].weight = 1;
	route->n_nexthops = 1;
	return 0;
}

/* `json` is what has the next hop: a router of the other family is called differently. */
static int check_hop(const struct machine_route *route, const struct machine_nexthop *hop,
	const json_t *json, const char *at, struct err *err)
{
	bool alike = machine_family_of(&hop->gateway) == route->family;

	if (ip_addr_is_unspecified(&hop->gateway)) {
		if (hop->dev[0] == '\0')
			return err_set(err, -EINVAL, "%sdev: missing, and there is no gateway", at);
		return 0;
	}
	if (json_object_get(json, "gateway") != NULL && !alike)
		return err_set(err, -EINVAL, "%sgateway: is not of the route's family", at);
	if (json_object_get(json, "via") != NULL && (alike || route->family != AF_INET))
		return err_set(err, -EINVAL, "%svia: must be of IPv6, in a route of IPv4", at);
	return 0;
}

static int check_hops(
	const struct machine_route *route, const json_t *object, const char *at, struct err *err)
{
	const json_t *array = json_object_get(object, "nexthops");
	int ret = 0;

	if (leads_nowhere(route) != (route->n_nexthops == 0))
		return err_set(err, -EINVAL,
			leads_nowhere(route)
				? "%stype: such a route has no dev, gateway or nexthops"
				: "%sdev: missing (a route needs dev, gateway or nexthops)",
			at);
	for (size_t i = 0; i < route->n_nexthops && ret == 0; i++) {
		char hop_at[JSON_AT_MAX];

		snprintf(hop_at, sizeof(hop_at), "%snexthops[%zu].", at, i);
		ret = check_hop(route, &route->nexthops[i],
			array != NULL ? json_array_get(array, i) : object,
			array != NULL ? hop_at : at, err);
	}
	return ret;
}

static int check_family(const struct machine_route *route, const char *at, struct err *err)
{
	if (!ip_addr_is_unspecified(&route->prefsrc) &&
		machine_family_of(&route->prefsrc) != route->family)
		return err_set(err, -EINVAL, "%sprefsrc: is not of the route's family", at);
	if (route->src.len != 0 && route->family != AF_INET6)
		return err_set(err, -EINVAL, "%sfrom: only routes of IPv6 have it", at);
	return 0;
}

static int decode_route(const json_t *object, const char *at, void *item, struct err *err)
{
	struct route_entry entry = { .src = "default" };
	struct machine_route *route = item;
	void *nexthops = NULL;
	int ret;

	settings_apply_defaults(&table, 0, &entry);
	ret = settings_from_json(&table, object, at, 0, "", &entry, NULL, err);
	*route = entry.route;
	if (ret == 0)
		ret = decode_prefix(entry.dst, at, "dst", route->family, &route->dst, err);
	if (ret == 0)
		ret = decode_prefix(entry.src, at, "from", route->family, &route->src, err);
	if (ret == 0)
		ret = check_family(route, at, err);
	if (ret == 0)
		ret = decode_metrics(object, at, route, err);
	if (ret == 0)
		ret = take_via(object, at, &entry.hop, err);
	if (ret == 0)
		ret = json_items_decode(&hops, object, at, &nexthops, &route->n_nexthops, err);
	route->nexthops = nexthops;
	if (ret == 0)
		ret = take_hop(route, &entry.hop, at, err);
	return ret < 0 ? ret : check_hops(route, object, at, err);
}

/* A router of the other family is called differently. */
static bool rename_gateway(json_t *object, int family, const struct machine_nexthop *hop)
{
	if (ip_addr_is_unspecified(&hop->gateway) || machine_family_of(&hop->gateway) == family)
		return true;
	json_object_del(object, "gateway");
	return put_via(object, &hop->gateway);
}

static bool put_hops(json_t *object, const struct machine_route *route)
{
	json_t *array = json_items_encode(&hops, route->nexthops, route->n_nexthops);

	for (size_t i = 0; i < json_array_size(array); i++)
		if (!rename_gateway(json_array_get(array, i), route->family, &route->nexthops[i])) {
			json_decref(array);
			return false;
		}
	return json_object_set_new(object, "nexthops", array) == 0;
}

static json_t *encode_route(const void *item)
{
	const struct machine_route *route = item;
	bool inlined = route->n_nexthops == 1 && route->nexthops[0].weight <= 1;
	struct route_entry entry = { .route = *route };
	json_t *object;
	bool ok;

	machine_prefix_format(&route->dst, route->family, entry.dst);
	if (route->src.len != 0)
		machine_prefix_format(&route->src, route->family, entry.src);
	if (inlined)
		entry.hop = route->nexthops[0];
	object = settings_to_json(&table, 0, &entry);
	ok = object != NULL && put_metrics(object, route);
	if (ok && inlined)
		ok = rename_gateway(object, route->family, &entry.hop);
	else if (ok && route->n_nexthops > 0)
		ok = put_hops(object, route);
	if (ok)
		return object;
	json_decref(object);
	return NULL;
}

const struct json_items machine_routes = { "routes", MACHINE_NET_ITEMS_MAX,
	sizeof(struct machine_route), decode_route, encode_route };

void machine_route_free(struct machine_route *route)
{
	free(route->nexthops);
	route->nexthops = NULL;
	route->n_nexthops = 0;
}
