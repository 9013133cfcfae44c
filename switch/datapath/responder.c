/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/datapath/responder.h"

#include "switch/datapath/pod_frame.h"

static struct pod_verdict answer(const struct mac *mac, bool router)
{
	return (struct pod_verdict) { .to = POD_ANSWER, .mac = *mac, .router = router };
}

/* One of this second's questions to the network. */
static bool spend_question(struct pod_worker *w, uint16_t from, uint32_t now_s)
{
	if (w->second != now_s) {
		memset(w->n_questions, 0, sizeof(w->n_questions));
		w->second = now_s;
	}
	if (w->n_questions[from] == RESPONDER_QUESTIONS_PER_S)
		return false;
	w->n_questions[from]++;
	return true;
}

/* The other address of the pair that `addr` is in as a /31 (RFC 3021). */
static struct ip_addr other_of_pair(const struct ip_addr *addr)
{
	struct ip_addr other = *addr;

	other.byte[15] ^= 1;
	return other;
}

/* Whether it is known where a station of the network is, well enough to speak for it. What was
 * heard while that counted is not forgotten at once. */
static bool find_known(const struct pod *pod, struct pod_worker *w, const struct ip_addr *addr,
	struct neighbour *n)
{
	if (!neigh_find(pod->neighbours, &w->neighbours, addr, n) || mac_is_zero(&n->mac))
		return false;
	return n->permanent || (n->gateway && pod->neighbour_mode == NEIGHBOURS_AUTO);
}

/* The MAC address of a gateway of this family, the first that is known. */
static bool find_gateway(const struct pod *pod, struct pod_worker *w, bool v4, struct mac *mac)
{
	struct neighbour n;

	for (unsigned i = 0; i < pod->n_gateways; i++) {
		if (ip_addr_is_v4(&pod->gateway[i]) != v4 ||
			!find_known(pod, w, &pod->gateway[i], &n))
			continue;
		*mac = n.mac;
		return true;
	}
	return false;
}

/* A station on the network's side that is known well enough to speak for. */
static bool find_station(const struct pod *pod, struct pod_worker *w, uint16_t from,
	const struct neigh_packet *q, struct pod_verdict *out)
{
	static const struct mac invented = POD_INVENTED_MAC;
	const struct ip_addr other = other_of_pair(&q->sender);
	struct neighbour n;
	struct mac gateway;

	if (mac_is_zero(&pod->mac)) {
		*out = answer(&invented, true);
		return true;
	}
	if (pod->neighbour_mode == NEIGHBOURS_OFF)
		return false;
	if (pod->port[from].point_to_point && ip_addr_equal(&other, &q->target) &&
		find_gateway(pod, w, ip_addr_is_v4(&other), &gateway)) {
		*out = answer(&gateway, true);
		return true;
	}
	if (!find_known(pod, w, &q->target, &n))
		return false;
	*out = answer(&n.mac, n.gateway);
	return true;
}

static struct pod_verdict ask_from_host(
	const struct pod *pod, struct pod_worker *w, const struct neigh_packet *q)
{
	struct binding b;

	if (binding_find(pod->bindings, &w->bindings, &q->target, &b) &&
		b.origin == BINDING_SERVICE && !mac_is_zero(&b.mac))
		return answer(&b.mac, false);
	return pod_drop(DROP_ISOLATED);
}

struct pod_verdict responder_ask(const struct pod *pod, struct pod_worker *w, uint16_t from,
	const struct neigh_packet *q, uint32_t now_s)
{
	struct pod_verdict verdict = { .to = POD_FLOOD };
	struct binding b;

	if (from == pod->host)
		return ask_from_host(pod, w, q);
	if (pod->host != POD_NO_PORT && ip_addr_equal(&q->target, &pod->identity))
		return answer(&pod->host_mac, false);
	if (binding_find(pod->bindings, &w->bindings, &q->target, &b)) {
		if (b.port != from && b.origin != BINDING_SERVICE && !mac_is_zero(&b.mac) &&
			!neigh_is_probe(q))
			return answer(&b.mac, false);
		/* The network does not have it, and must not say so. */
		if (b.port != from && !neigh_is_probe(q))
			verdict.to = POD_GUESTS;
	} else if (!neigh_is_probe(q) && !ip_addr_equal(&q->sender, &q->target) &&
		   find_station(pod, w, from, q, &verdict)) {
		return verdict;
	}
	return spend_question(w, from, now_s) ? verdict : pod_drop(DROP_NEIGH_RATE);
}
