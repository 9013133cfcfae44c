/* SPDX-License-Identifier: BSD-3-Clause */

/* Methods about a pod's network: its neighbours, and the addresses that guests are bound to. */
#include "switch/control/methods.h"

#include <errno.h>

#include "switch/control/edit.h"
#include "switch/control/params.h"

static const struct param no_params[] = { { NULL } };

/* Seconds since the entry was confirmed; null if it never was. */
static json_t *age_of(const struct sluice_switch *sw, uint32_t seen_s)
{
	int32_t age = (int32_t)(switch_now_s(sw) - seen_s);

	return seen_s == 0 ? json_null() : json_integer(age > 0 ? age : 0);
}

static json_t *mac_or_null(const struct mac *mac)
{
	char text[MAC_TEXT_MAX];

	return mac_is_zero(mac) ? json_null() : json_string(mac_format(mac, text));
}

/* --- neighbours ------------------------------------------------------------------------------- */

/* The words of ip-neighbour(8) where it has them. */
static const char *state_of(const struct neighbour *n)
{
	if (n->permanent)
		return "PERMANENT";
	return mac_is_zero(&n->mac) ? "INCOMPLETE" : "REACHABLE";
}

static json_t *describe_neighbour(const struct sluice_switch *sw, const struct neigh_row *row)
{
	char ip[IP_ADDR_TEXT_MAX];

	return json_pack("{s:s, s:o, s:s, s:b, s:o}", "dst", ip_addr_format(&row->addr, ip),
		"lladdr", mac_or_null(&row->neighbour.mac), "state", state_of(&row->neighbour),
		"gateway", row->neighbour.gateway, "age",
		row->neighbour.permanent ? json_null() : age_of(sw, row->seen_s));
}

json_t *neighbour_show(void *ctx, const json_t *params, struct err *err)
{
	const struct sluice_switch *sw = &((struct control *)ctx)->sw;
	json_t *out;
	uint32_t cursor = 0;
	struct neigh_row row;

	if (params_check(params, no_params, err) < 0)
		return NULL;
	out = json_array();
	while (sw->pod.neighbours && neigh_next(sw->pod.neighbours, &cursor, &row))
		json_array_append_new(out, describe_neighbour(sw, &row));
	return out;
}

static int read_ip(const json_t *params, struct ip_addr *ip, struct err *err)
{
	const char *text = param_text(params, "ip");

	if (ip_addr_parse(text, ip) < 0 || !ip_addr_is_host(ip))
		return err_set(err, -EINVAL, "ip: \"%.48s\" is no IP address of a station", text);
	return 0;
}

json_t *neighbour_add(void *ctx, const json_t *params, struct err *err)
{
	static const struct param known[] = { { "ip", PARAM_TEXT, true },
		{ "mac", PARAM_TEXT, true }, { NULL } };
	struct neighbour_static_config entry = { 0 };
	struct sluiced_config next;

	if (params_check(params, known, err) < 0 || read_ip(params, &entry.ip, err) < 0 ||
		param_mac(params, "mac", &entry.mac, err) < 0 || edit_begin(ctx, &next, err) < 0)
		return NULL;
	return edit_end(ctx, &next, sluiced_config_add_neighbour(&next, &entry, err), err);
}

json_t *neighbour_del(void *ctx, const json_t *params, struct err *err)
{
	static const struct param known[] = { { "ip", PARAM_TEXT, true }, { NULL } };
	struct sluiced_config next;
	struct ip_addr ip;
	int ret = 0;

	if (params_check(params, known, err) < 0 || read_ip(params, &ip, err) < 0 ||
		edit_begin(ctx, &next, err) < 0)
		return NULL;
	if (!sluiced_config_del_neighbour(&next, &ip))
		ret = err_set(err, -ENOENT, "%s is no static neighbour", param_text(params, "ip"));
	return edit_end(ctx, &next, ret, err);
}

/* --- bindings --------------------------------------------------------------------------------- */

static json_t *describe_binding(const struct sluice_switch *sw, const struct binding_row *row)
{
	static const char *const origins[] = {
		[BINDING_LEARNED] = "learned",
		[BINDING_CONFIGURED] = "configured",
		[BINDING_SERVICE] = "service",
	};
	const struct port *p = sw->topology->by_id[row->binding.port];
	char ip[IP_ADDR_TEXT_MAX];

	return json_pack("{s:s, s:s, s:o, s:s, s:o}", "local", ip_addr_format(&row->addr, ip),
		"ifname", p ? p->name : "?", "lladdr", mac_or_null(&row->binding.mac), "state",
		origins[row->binding.origin], "age", age_of(sw, row->seen_s));
}

json_t *binding_show(void *ctx, const json_t *params, struct err *err)
{
	const struct sluice_switch *sw = &((struct control *)ctx)->sw;
	json_t *out;
	uint32_t cursor = 0;
	struct binding_row row;

	if (params_check(params, no_params, err) < 0)
		return NULL;
	out = json_array();
	while (sw->pod.bindings && bindings_next(sw->pod.bindings, &cursor, &row))
		json_array_append_new(out, describe_binding(sw, &row));
	return out;
}
