/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/control/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/config_edit.h"

/* --- what differs ---------------------------------------------------------------------------- */

/* The fields from `vlan` on are the switch's own (sluiced_config.h). */
#define PORT_OWN_LEN offsetof(struct port_config, vlan)

static bool vlans_differ(const struct port_config *a, const struct port_config *b)
{
	return a->vlan != b->vlan || a->has_trunks != b->has_trunks ||
	       memcmp(&a->trunks, &b->trunks, sizeof(a->trunks)) != 0;
}

static enum step_kind kind_of(const struct port_config *from, const struct port_config *to)
{
	if (memcmp(from, to, PORT_OWN_LEN) != 0)
		return STEP_REPLACE;
	return memcmp(from, to, sizeof(*from)) != 0 ? STEP_SET : STEP_KEEP;
}

static int check_fixed(
	const struct sluiced_config *from, const struct sluiced_config *to, struct err *err)
{
	const char *what = NULL;

	if (strcmp(from->control_socket, to->control_socket) != 0)
		what = "control-socket";
	else if (from->fdb_size != to->fdb_size)
		what = "fdb-size";
	else if (from->telemetry != to->telemetry)
		what = "telemetry";
	if (what)
		return err_set(err, -EBUSY,
			"%s: cannot change while sluiced runs (restart it to change this)", what);
	return 0;
}

/* --- making one ------------------------------------------------------------------------------ */

static bool same_socket(const struct port_config *a, const struct port_config *b)
{
	size_t a_len, b_len;
	const char *a_at = port_config_socket(a, &a_len), *b_at = port_config_socket(b, &b_len);

	return a_len > 0 && a_len == b_len && memcmp(a_at, b_at, a_len) == 0;
}

/* Whether `to` needs what `from` holds: two packet sockets may share an interface. */
static bool claims_from(const struct port_config *to, const struct port_config *from)
{
	return same_socket(to, from) ||
	       (to->kind == PORT_KIND_ETHDEV && from->kind == PORT_KIND_ETHDEV);
}

static void mark_late(struct plan *plan)
{
	for (struct step *s = plan->step; s < plan->step + plan->n; s++) {
		if (s->kind != STEP_ADD && s->kind != STEP_REPLACE)
			continue;
		for (const struct step *o = plan->step; o < plan->step + plan->n; o++)
			if ((o->kind == STEP_REPLACE || o->kind == STEP_REMOVE) &&
				claims_from(s->to, o->from))
				s->late = true;
	}
}

static void add_step(struct plan *plan, const struct sluice_switch *sw,
	const struct port_config *from, const struct port_config *to)
{
	struct step *s = &plan->step[plan->n++];

	*s = (struct step) { .from = from, .to = to };
	if (from)
		s->old = switch_port(sw, from->name);
	if (!from)
		s->kind = STEP_ADD;
	else if (!to)
		s->kind = STEP_REMOVE;
	else
		s->kind = kind_of(from, to);
	if (s->kind == STEP_KEEP || s->kind == STEP_SET)
		s->new = s->old;
	s->vlans_differ = from && to && vlans_differ(from, to);
}

int plan_make(struct plan *plan, const struct sluice_switch *sw, const struct sluiced_config *to,
	struct err *err)
{
	const struct sluiced_config *from = &sw->config;
	bool first = from->n_workers == 0; /* nothing runs yet */
	int ret = first ? 0 : check_fixed(from, to, err);

	if (ret < 0)
		return ret;
	*plan = (struct plan) {
		.from = from, .to = to, .spread = from->n_workers != to->n_workers
	};
	plan->step = calloc(from->n_ports + to->n_ports + 1, sizeof(*plan->step));
	if (!plan->step)
		return err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < to->n_ports; i++)
		add_step(plan, sw, sluiced_config_port(from, to->ports[i].name), &to->ports[i]);
	for (size_t i = 0; i < from->n_ports; i++)
		if (!sluiced_config_port(to, from->ports[i].name))
			add_step(plan, sw, &from->ports[i], NULL);
	mark_late(plan);
	return 0;
}

void plan_free(struct plan *plan)
{
	free(plan->step);
	plan->step = NULL;
	plan->n = 0;
}

/* --- saying so ------------------------------------------------------------------------------- */

static void tell(json_t *changes, const char *what, const char *name)
{
	json_array_append_new(changes, json_pack("{s:s, s:s}", "what", what, "name", name));
}

/* Static addresses that are in `in` but not in `out`. */
static void describe_statics(const struct sluiced_config *in, const struct sluiced_config *out,
	const char *what, json_t *changes)
{
	char mac[MAC_TEXT_MAX];

	for (size_t i = 0; i < in->n_fdb_static; i++) {
		const struct fdb_static_config *s = &in->fdb_static[i];
		const struct fdb_static_config *same = sluiced_config_static(out, &s->mac, s->vlan);

		if (!same || strcmp(same->port, s->port) != 0)
			tell(changes, what, mac_format(&s->mac, mac));
	}
}

/* Static neighbours that are in `in` but not, or otherwise, in `out`. */
static void describe_neighbours(const struct sluiced_config *in, const struct sluiced_config *out,
	const char *what, json_t *changes)
{
	char ip[IP_ADDR_TEXT_MAX];

	for (size_t i = 0; i < in->n_neighbour_static; i++) {
		const struct neighbour_static_config *n = &in->neighbour_static[i];
		const struct neighbour_static_config *same = &out->neighbour_static[i];

		/* There may be thousands, almost all of them in the place where they were. */
		if (i >= out->n_neighbour_static || !ip_addr_equal(&same->ip, &n->ip))
			same = sluiced_config_neighbour(out, &n->ip);
		if (!same || memcmp(&same->mac, &n->mac, sizeof(n->mac)) != 0)
			tell(changes, what, ip_addr_format(&n->ip, ip));
	}
}

static void describe_settings(const struct plan *plan, json_t *changes)
{
	json_t *from = sluiced_config_encode(plan->from), *to = sluiced_config_encode(plan->to);
	const char *name;
	json_t *value;

	json_object_foreach (to, name, value)
		if (!json_is_array(value) && !json_equal(value, json_object_get(from, name)))
			tell(changes, "setting-changed", name);
	json_decref(from);
	json_decref(to);
}

void plan_describe(const struct plan *plan, json_t *changes)
{
	static const char *const what[] = {
		[STEP_SET] = "port-changed",
		[STEP_REPLACE] = "port-replaced",
		[STEP_ADD] = "port-added",
		[STEP_REMOVE] = "port-removed",
	};

	describe_settings(plan, changes);
	for (const struct step *s = plan->step; s < plan->step + plan->n; s++)
		if (s->kind != STEP_KEEP)
			tell(changes, what[s->kind], s->to ? s->to->name : s->from->name);
	describe_statics(plan->to, plan->from, "address-added", changes);
	describe_statics(plan->from, plan->to, "address-removed", changes);
	describe_neighbours(plan->to, plan->from, "neighbour-added", changes);
	describe_neighbours(plan->from, plan->to, "neighbour-removed", changes);
}
