/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/datapath/pod_frame.h"

static struct pod_verdict decide(
	const struct pod *pod, struct pod_worker *w, uint16_t from, struct frame *f, uint32_t now_s)
{
	switch (pod->port[from].role) {
	case PORT_ROLE_UPLINK:
		return pod_from_uplink(pod, w, f, now_s);
	case PORT_ROLE_HOST:
		return pod_from_host(pod, w, f, now_s);
	case PORT_ROLE_GUEST:
		return pod_from_guest(pod, w, from, f, now_s);
	case PORT_ROLE_PEER:
		break;
	}
	/* A port that is about to go: the configuration has a place for all others. */
	return pod_drop(DROP_NO_DESTINATION);
}

struct pod_verdict pod_decide(
	const struct pod *pod, struct pod_worker *w, uint16_t from, struct frame *f, uint32_t now_s)
{
	struct pod_verdict verdict = decide(pod, w, from, f, now_s);

	return pod->uplink == POD_NO_PORT ? pod_keep_inside(pod, verdict) : verdict;
}

void pod_answer(const struct pod_verdict *verdict, struct frame *question, struct frame *out)
{
	struct neigh_packet p;

	(void)neigh_parse(question, &p);
	neigh_make_answer(out, question, &p, &verdict->mac, verdict->router);
}

/* DHCP servers and relays compare the client's address with that of the frame. */
static void shape_dhcp(const struct pod *pod, struct frame *f)
{
	struct dhcp_message m;

	if (pod_may_be_dhcp(f) && dhcp_parse(f, &m) && m.from_client &&
		memcmp(f->head + m.chaddr_at, frame_src(f), sizeof(struct mac)) == 0)
		dhcp_set_chaddr(f, &m, &pod->mac);
}

void pod_shape_uplink(const struct pod *pod, struct frame *f)
{
	struct neigh_packet p;

	if (pod->mac_mode != MAC_MODE_SUBSTITUTE)
		return;
	shape_dhcp(pod, f);
	mac_rewrite_source(f, pod_read_neigh(f, &p) == NEIGH_GOOD ? &p : NULL, &pod->mac);
	if (mac_is_zero(&pod->mac))
		pod_set_dst(f, &pod->mac);
}
