/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/forward/port_mirror.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "launcher/forward/forwarder.h"
#include "launcher/forward/pod_ports.h"
#include "launcher/forward/port_watch.h"
#include "launcher/process/loop.h"
#include "lib/log.h"

#define TOO_MANY    (-E2BIG)
#define RETRIES_MAX 64 /* each time */

enum mirror_state {
	MIRROR_UNTRIED,
	MIRROR_BOUND,
	MIRROR_TAKEN,
	MIRROR_PRIVILEGED,
	MIRROR_OVER_LIMIT,
	MIRROR_FAILED,
	MIRROR_N_STATES
};

/* One that is wanted. */
struct mirror_port {
	struct port_listener where;
	enum mirror_state state;
	struct forwarder_port *port; /* of one that is bound */
};

struct port_mirror {
	struct port_mirror_plan plan;
	struct ip_addr *addresses;
	struct forwarder *forwarder;
	struct port_watch *watch;
	struct event *timer;
	struct pod_ports pod;
	struct port_report wanted;
	struct mirror_port item[PORT_REPORT_MAX]; /* in the report's order */
	size_t n;
	unsigned n_bound;
	uint64_t n_refused;                     /* connections */
	size_t n_looked_at;                     /* by retry() */
	bool is_surprised;                      /* a port that nobody had was taken */
	uint8_t told[sizeof(struct pod_ports)]; /* ports that were logged as taken, a bit each */
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

/* The rest of 127/8 is where resolvers and the like are, for which nobody asks a guest. */
static bool is_localhost(const struct ip_addr *address)
{
	struct ip_addr v4;

	(void)ip_addr_parse("127.0.0.1", &v4);
	return ip_addr_equal(address, &v4) ||
	       (!ip_addr_is_v4(address) && ip_addr_is_loopback(address));
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
		else if (is_localhost(&l->address) || has_address(plan, &l->address))
			(void)port_report_add(wanted, &l->address, l->port);
	}
}

/* --- whose ports they are -------------------------------------------------------------------- */

static int compare_ports(const void *a, const void *b)
{
	const struct mirror_port *x = a, *y = b;

	return port_listener_compare(&x->where, &y->where);
}

static bool is_ours(const void *owner, const struct ip_addr *address, uint16_t port)
{
	const struct port_mirror *m = owner;
	const struct mirror_port key = { .where = { *address, port } };
	const struct mirror_port *found =
		bsearch(&key, m->item, m->n, sizeof(m->item[0]), compare_ports);

	return (found != NULL && found->state == MIRROR_BOUND) ||
	       ip_addr_equal(address, &m->plan.own);
}

static void unbind(struct port_mirror *m, struct mirror_port *p)
{
	if (p->state != MIRROR_BOUND)
		return;
	forwarder_close(p->port);
	p->port = NULL;
	m->n_bound--;
}

static bool was_told(struct port_mirror *m, uint16_t port)
{
	uint8_t bit = (uint8_t)(1U << port % 8);
	bool told = (m->told[port / 8] & bit) != 0;

	m->told[port / 8] |= bit;
	return told;
}

/* Which ports a guest has is its own affair: it could fill a log. */
static void tell(struct port_mirror *m, const struct mirror_port *p, int ret)
{
	static const char event[] = "port-not-forwarded";
	struct log_field port = log_int("port", p->where.port);
	char text[IP_ADDR_TEXT_MAX];
	struct log_field address = log_str("address", ip_addr_format(&p->where.address, text));

	switch (p->state) {
	case MIRROR_BOUND:
		log_debug("port-forwarded", address, port);
		return;
	case MIRROR_TAKEN:
		if (!was_told(m, p->where.port))
			log_limited(LOG_LEVEL_INFO, event, address, port,
				log_str("reason", "a program of the pod has it"));
		return;
	case MIRROR_PRIVILEGED:
		if (!m->told_privileged)
			log_warn(event, address, port,
				log_str("reason", "ports below 1024 need CAP_NET_BIND_SERVICE"));
		m->told_privileged = true;
		return;
	case MIRROR_OVER_LIMIT:
		log_limited(LOG_LEVEL_INFO, event, address, port,
			log_str("reason", "there are too many"));
		return;
	default:
		log_limited(
			LOG_LEVEL_INFO, event, address, port, log_str("reason", strerror(-ret)));
	}
}

static void set_state(
	struct port_mirror *m, struct mirror_port *p, enum mirror_state state, int ret)
{
	bool is_news = p->state != state;

	unbind(m, p);
	p->state = state;
	if (is_news)
		tell(m, p, ret);
}

/* What is the pod's is given up. */
static void look(struct port_mirror *m)
{
	int ret = pod_ports_look(&m->pod, is_ours, m);

	if (ret < 0)
		log_limited(LOG_LEVEL_WARN, "ports of the pod cannot be seen",
			log_str("reason", strerror(-ret)));
	for (size_t i = 0; i < m->n; i++)
		if (pod_ports_has(&m->pod, m->item[i].where.port))
			set_state(m, &m->item[i], MIRROR_TAKEN, 0);
}

/* --- what is bound --------------------------------------------------------------------------- */

static enum mirror_state state_of(int ret)
{
	switch (ret) {
	case 0:
		return MIRROR_BOUND;
	case -EADDRINUSE:
		return MIRROR_TAKEN;
	case -EACCES:
		return MIRROR_PRIVILEGED;
	case TOO_MANY:
		return MIRROR_OVER_LIMIT;
	default:
		return MIRROR_FAILED;
	}
}

/* One that nobody listens on may be taken as well: by a program that does not yet, which is looked
 * for, or by a connection's other end, which passes. */
static void bind_port(struct port_mirror *m, struct mirror_port *p)
{
	const struct port_listener *where = &p->where;
	bool is_pods = pod_ports_has(&m->pod, where->port);
	int ret = is_pods ? -EADDRINUSE : TOO_MANY;

	if (!is_pods && m->n_bound < m->plan.n_ports_max)
		ret = forwarder_mirror(m->forwarder, &where->address, where->port, &p->port, NULL);
	if (ret == 0)
		m->n_bound++;
	m->is_surprised |= ret == -EADDRINUSE && !is_pods;
	set_state(m, p, state_of(ret), ret);
}

static void look_again(struct port_mirror *m)
{
	if (m->is_surprised)
		look(m);
	m->is_surprised = false;
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
static void add_wanted(struct port_mirror *m)
{
	size_t old = m->n;

	for (size_t i = m->wanted.n; i-- > 0;) {
		const struct port_listener *where = &m->wanted.item[i];

		if (old > 0 && port_listener_compare(&m->item[old - 1].where, where) == 0)
			m->item[i] = m->item[--old];
		else
			m->item[i] = (struct mirror_port) { .where = *where };
	}
	m->n = m->wanted.n;
}

static void on_heard(void *owner, const struct port_report *report)
{
	struct port_mirror *m = owner;

	look(m);
	port_mirror_wanted(&m->plan, report, &m->wanted);
	close_unwanted(m);
	add_wanted(m);
	for (size_t i = 0; i < m->n; i++)
		if (m->item[i].state == MIRROR_UNTRIED || m->item[i].state == MIRROR_OVER_LIMIT)
			bind_port(m, &m->item[i]);
	look_again(m);
}

/* Some of what could not be bound, the next time others. */
static void retry(struct port_mirror *m)
{
	unsigned n_tried = 0;

	for (size_t i = 0; i < m->n && n_tried < RETRIES_MAX; i++) {
		struct mirror_port *p = &m->item[m->n_looked_at++ % m->n];

		if (p->state == MIRROR_BOUND || pod_ports_has(&m->pod, p->where.port))
			continue;
		bind_port(m, p);
		n_tried++;
	}
	look_again(m);
}

static void on_time(evutil_socket_t fd, short what, void *arg)
{
	struct port_mirror *m = arg;

	look(m);
	retry(m);
	(void)loop_set_timer(m->timer, m->plan.look_ms);
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
	m->timer = evtimer_new(loop, on_time, m);
	if (m->addresses == NULL || m->forwarder == NULL || m->watch == NULL || m->timer == NULL ||
		loop_set_timer(m->timer, plan->look_ms) < 0) {
		port_mirror_free(m);
		return NULL;
	}
	for (size_t i = 0; i < plan->n_addresses; i++)
		m->addresses[i] = plan->addresses[i];
	m->plan.addresses = m->addresses;
	forwarder_limit(m->forwarder, plan->n_conns_max);
	look(m);
	return m;
}

static json_t *format(const struct port_listener *l)
{
	bool v4 = ip_addr_is_v4(&l->address);
	char address[IP_ADDR_TEXT_MAX];

	return json_sprintf("%s%s%s:%u", v4 ? "" : "[", ip_addr_format(&l->address, address),
		v4 ? "" : "]", l->port);
}

json_t *port_mirror_status(const struct port_mirror *m)
{
	json_t *list[MIRROR_N_STATES] = {
		[MIRROR_BOUND] = json_array(), [MIRROR_TAKEN] = json_array()
	};
	int n[MIRROR_N_STATES] = { 0 };

	for (size_t i = 0; i < m->n; i++) {
		const struct mirror_port *p = &m->item[i];

		n[p->state]++;
		if (list[p->state] != NULL)
			json_array_append_new(list[p->state], format(&p->where));
	}
	return json_pack("{s:o, s:o, s:i, s:i, s:i, s:i, s:I}", "forwarded", list[MIRROR_BOUND],
		"taken", list[MIRROR_TAKEN], "privileged", n[MIRROR_PRIVILEGED], "over-limit",
		n[MIRROR_OVER_LIMIT], "failed", n[MIRROR_FAILED], "connections",
		(int)forwarder_count(m->forwarder), "refused", (json_int_t)m->n_refused);
}

void port_mirror_free(struct port_mirror *m)
{
	if (m == NULL)
		return;
	if (m->timer != NULL)
		event_free(m->timer);
	port_watch_free(m->watch);
	forwarder_free(m->forwarder);
	free(m->addresses);
	free(m);
}
