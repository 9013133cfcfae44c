/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/forward/port_mirror.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "launcher/forward/forwarder.h"
#include "launcher/forward/port_watch.h"
#include "lib/log.h"

#define TOO_MANY (-E2BIG)

/* One that is wanted. */
struct mirror_port {
	struct port_listener where;
	struct forwarder_port *port; /* NULL: somebody else's */
};

struct port_mirror {
	struct port_mirror_plan plan;
	struct ip_addr *addresses;
	struct forwarder *forwarder;
	struct port_watch *watch;
	struct port_report wanted;
	struct mirror_port item[PORT_REPORT_MAX]; /* in the report's order */
	size_t n;
	unsigned n_bound;
	uint64_t n_refused; /* connections */
	bool told_privileged;
};

/* --- what is wanted -------------------------------------------------------------------------- */

static bool has_address(const struct port_mirror_plan *plan, const struct ip_addr *address)
{
	for (size_t i = 0; i < plan->n_addresses; i++)
		if (ip_addr_equal(&plan->addresses[i], address))
			return true;
	return false;
}

/* Of one family: its loopback address, and those of the pod. */
static void want_all(
	const struct port_mirror_plan *plan, bool v4, uint16_t port, struct port_report *wanted)
{
	struct ip_addr loopback;

	(void)ip_addr_parse(v4 ? "127.0.0.1" : "::1", &loopback);
	(void)port_report_add(wanted, &loopback, port);
	for (size_t i = 0; i < plan->n_addresses; i++)
		if (ip_addr_is_v4(&plan->addresses[i]) == v4)
			(void)port_report_add(wanted, &plan->addresses[i], port);
}

void port_mirror_wanted(const struct port_mirror_plan *plan, const struct port_report *report,
	struct port_report *wanted)
{
	wanted->n = 0;
	for (size_t i = 0; i < report->n; i++) {
		const struct port_listener *l = &report->item[i];

		if (l4_ports_has(&plan->kept, L4_TCP, l->port))
			continue;
		if (ip_addr_is_unspecified(&l->address))
			want_all(plan, ip_addr_is_v4(&l->address), l->port, wanted);
		else if (ip_addr_is_loopback(&l->address) || has_address(plan, &l->address))
			(void)port_report_add(wanted, &l->address, l->port);
	}
}

/* --- what is bound --------------------------------------------------------------------------- */

static void unbind(struct port_mirror *m, struct mirror_port *p)
{
	if (p->port == NULL)
		return;
	forwarder_close(p->port);
	p->port = NULL;
	m->n_bound--;
}

/* Whom it belongs to now. Which ports a guest has is its own affair: it could fill a log. */
static void tell(struct port_mirror *m, const struct port_listener *l, int ret)
{
	char address[IP_ADDR_TEXT_MAX];

	ip_addr_format(&l->address, address);
	if (ret == 0) {
		log_debug("port-forwarded", log_str("address", address), log_int("port", l->port));
	} else if (ret != -EACCES) {
		log_limited(LOG_LEVEL_INFO, "port-not-forwarded", log_str("address", address),
			log_int("port", l->port),
			log_str("reason", ret == TOO_MANY ? "there are too many" : strerror(-ret)));
	} else if (!m->told_privileged) {
		m->told_privileged = true;
		log_warn("port-not-forwarded", log_str("address", address),
			log_int("port", l->port),
			log_str("reason", "ports below 1024 need CAP_NET_BIND_SERVICE"));
	}
}

static void bind_port(struct port_mirror *m, struct mirror_port *p, bool is_new)
{
	int ret = TOO_MANY;

	if (m->n_bound < m->plan.n_ports_max)
		ret = forwarder_mirror(
			m->forwarder, &p->where.address, p->where.port, &p->port, NULL);
	if (ret == 0)
		m->n_bound++;
	if (ret == 0 || is_new)
		tell(m, &p->where, ret);
}

/*
 * Both lists are in order. First all that is no longer wanted is closed, so that there is room for
 * what is; items that stay keep what they have, and are found again at their new place.
 */
static void close_unwanted(struct port_mirror *m)
{
	size_t n_kept = 0, j = 0;

	for (size_t i = 0; i < m->n; i++) {
		const struct port_listener *where = &m->item[i].where;

		while (j < m->wanted.n && port_listener_compare(&m->wanted.item[j], where) < 0)
			j++;
		if (j < m->wanted.n && port_listener_compare(&m->wanted.item[j], where) == 0)
			m->item[n_kept++] = m->item[i];
		else
			unbind(m, &m->item[i]);
	}
	m->n = n_kept;
}

/* From the end on, so that nothing that stays is written over. */
static void open_wanted(struct port_mirror *m)
{
	bool is_new[PORT_REPORT_MAX];
	size_t old = m->n;

	for (size_t i = m->wanted.n; i-- > 0;) {
		const struct port_listener *where = &m->wanted.item[i];

		is_new[i] = old == 0 || port_listener_compare(&m->item[old - 1].where, where) != 0;
		if (is_new[i])
			m->item[i] = (struct mirror_port) { .where = *where };
		else
			m->item[i] = m->item[--old];
	}
	m->n = m->wanted.n;
	for (size_t i = 0; i < m->n; i++)
		if (m->item[i].port == NULL)
			bind_port(m, &m->item[i], is_new[i]);
}

static void on_heard(void *owner, const struct port_report *report)
{
	struct port_mirror *m = owner;

	port_mirror_wanted(&m->plan, report, &m->wanted);
	close_unwanted(m);
	open_wanted(m);
}

static void on_refused(void *owner, uint16_t local, uint16_t remote, const struct err *why)
{
	struct port_mirror *m = owner;

	m->n_refused++;
	log_limited(LOG_LEVEL_INFO, "connection-not-forwarded", log_int("port", remote),
		log_str("reason", why->text));
}

/* --- all of it ------------------------------------------------------------------------------- */

struct port_mirror *port_mirror_start(struct event_base *loop, const struct port_mirror_plan *plan)
{
	struct port_mirror *m = calloc(1, sizeof(*m));
	const struct forwarder_owner refused = { on_refused, m };
	const struct port_watch_owner heard = { on_heard, m, plan->patience_ms };

	if (m == NULL)
		return NULL;
	m->plan = *plan;
	m->addresses = calloc(plan->n_addresses + 1, sizeof(*m->addresses));
	m->forwarder = forwarder_new(loop, plan->vsock, &refused);
	m->watch = port_watch_start(loop, plan->vsock, &heard);
	if (m->addresses == NULL || m->forwarder == NULL || m->watch == NULL) {
		port_mirror_free(m);
		return NULL;
	}
	for (size_t i = 0; i < plan->n_addresses; i++)
		m->addresses[i] = plan->addresses[i];
	m->plan.addresses = m->addresses;
	forwarder_limit(m->forwarder, plan->n_conns_max);
	return m;
}

json_t *port_mirror_status(const struct port_mirror *m)
{
	json_t *forwarded = json_array();
	char address[IP_ADDR_TEXT_MAX];

	for (size_t i = 0; i < m->n; i++) {
		const struct port_listener *l = &m->item[i].where;
		bool v4 = ip_addr_is_v4(&l->address);

		if (m->item[i].port != NULL)
			json_array_append_new(
				forwarded, json_sprintf("%s%s%s:%u", v4 ? "" : "[",
						   ip_addr_format(&l->address, address),
						   v4 ? "" : "]", l->port));
	}
	return json_pack("{s:o, s:i, s:i, s:I}", "forwarded", forwarded, "taken",
		(int)(m->n - m->n_bound), "connections", (int)forwarder_count(m->forwarder),
		"refused", (json_int_t)m->n_refused);
}

void port_mirror_free(struct port_mirror *m)
{
	if (m == NULL)
		return;
	port_watch_free(m->watch);
	forwarder_free(m->forwarder);
	free(m->addresses);
	free(m);
}
