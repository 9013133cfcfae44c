/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The order of the rules, and why:
 *
 *  1. Reflections. A bridge in hairpin mode sends a guest's broadcasts back to it; in adopt mode
 *     they carry the pod's own MAC. The pod's kernel would answer the guest's conflict detection.
 *  2. Tagged frames. In ingress the tag is in the packet's metadata, and the network header is
 *     behind it: `arp` and `ip` match tagged frames like all others. `vlan id` rebuilds the header
 *     from the metadata. The pod's kernel takes tagged frames only for VLAN interfaces on top, and
 *     there it would answer ARP for the pod's address once more: they are the guest's. VLAN 0 is
 *     a priority and no network. A second tag is still in the frame: its EtherType is then not
 *     one that any later rule accepts.
 *  3. What belongs between the pod and its guests: the identity address and the service addresses.
 *     The kernel is a weak host, it would take packets for its identity address from anywhere,
 *     and answer ARP for it. With this no peer on the uplink reaches, or pretends to be, the inner
 *     network.
 *  4. ARP and ND reach the kernel, which keeps answering for the pod's addresses with the pod's
 *     MAC and can still resolve the gateway. MLD queries too, that bridges which snoop go on
 *     sending it the multicast of ND.
 *  5. Exclusive: nothing else does.
 *  6. Shared: a packet goes by its ports, which only its first fragment has (nft reads no transport
 *     header of a later one; before 5.17 it read payload instead). Later ones go to both, and
 *     whoever did not get the first throws them away without a word: a reassembly that times out
 *     is reported only by who has the first fragment (RFC 792; RFC 8200, 4.5). Hence these rules
 *     before any on ports or ICMP types. `ip frag-off` and `frag frag-off` differ from 0 just
 *     there; `exthdr frag exists` would take first fragments along.
 *     ICMP answers and errors go to both: who did not ask ignores them. Echo requests are the
 *     guest's, or both would answer.
 *     nft finds ports behind any number of IPv6's extension headers, the switch's filter
 *     (switch/port/packet_filter.c) behind none but a fragment header. Where it looks for no
 *     ports the packet is the guest's, so the kernel must not have it.
 *
 * A chain's policy is drop, so nothing depends on the last rule, which counts.
 *
 * With a host port (host_link.h) there are chains on both its ends. sluice0 admits what comes from
 * a service address to the identity address, and ARP: whatever net.ipv4.ip_forward says, a guest's
 * packet that the switch let through by mistake is not forwarded to the uplink, nor delivered to
 * another of the pod's addresses. In the other direction rule 3 keeps packets for the service
 * addresses from being forwarded from eth0 to sluice0. What the kernel sends out of sluice0 comes
 * in by sluice0p, where the switch's socket takes it and the kernel is not to see it again. A
 * guest's TAP (tap_link.h) is such an end as well.
 *
 * Redirect is another thing: the pod's network without a switch (`datapath: tap`). What is no
 * reflection (which ipvlan's siblings on the node, with the same MAC, are taken for) is passed to
 * the guest's TAP as it is, and what the guest sends there goes out:
 *
 *      wire --> eth0 ingress ==> slt-NAME --> guest
 *      wire <-- eth0         <== slt-NAME ingress <-- guest
 *
 * Why no bridge, which is what one would think of first: a bridge takes the MAC addresses of its
 * ports for its own, and so the guest could have the pod's, which the network expects of it, only
 * if eth0 got another; and eth0's addresses and routes would be dead, or would have to move. Why
 * not tc(8), whose filters can do the same: they outlive who has set them, and a pod that lives on
 * behind a VM that was killed would stay deaf.
 */

#include "launcher/pod/guard_rules.h"

#include <stdio.h>
#include <string.h>

#include "launcher/pod/host_link.h"
#include "lib/memstream.h"

#define DROP(counter) "counter name " counter " drop\n"

/* For nft 1.0.6 this field has no name: bytes 8 to 23 (RFC 4861, 4.3 and 4.4). */
#define ND_TARGET "@th,64,128"

static const char base_chain[] = "type filter hook ingress device \"%s\" priority -500\n"
				 "policy drop\n";

bool guard_interface_is_plain(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-@:";
	size_t len = strlen(name);

	return len > 0 && len < IF_NAMESIZE && strspn(name, letters) == len;
}

/* --- inner addresses ------------------------------------------------------------------------- */

/* Some of the plan's addresses, of one family. */
struct addr_list {
	size_t n;
	const struct ip_addr *addr[1 + GUARD_SERVICES_MAX];
};

static struct addr_list services(const struct guard_plan *plan, bool v4)
{
	struct addr_list list = { 0 };

	for (size_t i = 0; i < plan->n_services; i++)
		if (ip_addr_is_v4(&plan->service[i]) == v4)
			list.addr[list.n++] = &plan->service[i];
	return list;
}

static struct addr_list inner(const struct guard_plan *plan, bool v4)
{
	struct addr_list list = services(plan, v4);

	if (!ip_addr_is_unspecified(&plan->identity) && ip_addr_is_v4(&plan->identity) == v4)
		list.addr[list.n++] = &plan->identity;
	return list;
}

static void put_rule(FILE *out, const char *match, const struct addr_list *list, const char *action)
{
	char text[IP_ADDR_TEXT_MAX];

	fputs(match, out);
	for (size_t i = 0; i < list->n; i++)
		fprintf(out, "%s%s", i > 0 ? ", " : " { ", ip_addr_format(list->addr[i], text));
	fprintf(out, " } %s", action);
}

static void put_nd_rule(FILE *out, const struct ip_addr *target)
{
	fputs("icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } " ND_TARGET " 0x", out);
	for (size_t i = 0; i < sizeof(target->byte); i++)
		fprintf(out, "%02x", target->byte[i]);
	fputs(" " DROP("inner_neighbour"), out);
}

static void put_inner_rules(FILE *out, const struct guard_plan *plan)
{
	struct addr_list v4 = inner(plan, true);
	struct addr_list v6 = inner(plan, false);

	if (v4.n > 0) {
		put_rule(out, "arp daddr ip", &v4, DROP("inner_neighbour"));
		put_rule(out, "arp saddr ip", &v4, DROP("inner_neighbour"));
		put_rule(out, "ip daddr", &v4, DROP("inner_packet"));
		put_rule(out, "ip saddr", &v4, DROP("inner_packet"));
	}
	for (size_t i = 0; i < v6.n; i++)
		put_nd_rule(out, v6.addr[i]);
	if (v6.n > 0) {
		put_rule(out, "ip6 daddr", &v6, DROP("inner_packet"));
		put_rule(out, "ip6 saddr", &v6, DROP("inner_packet"));
	}
}

/* --- chains ---------------------------------------------------------------------------------- */

static void put_ports_rule(FILE *out, const struct l4_ports *ports, enum l4_protocol protocol)
{
	const char *before = "{ ";

	if (ports->n == 0 || (protocol == L4_TCP && ports->range[0].protocol != L4_TCP) ||
		(protocol == L4_UDP && ports->range[ports->n - 1].protocol != L4_UDP))
		return;
	fprintf(out, "%s dport ", l4_protocol_name(protocol));
	for (size_t i = 0; i < ports->n; i++) {
		const struct l4_port_range *r = &ports->range[i];

		if (r->protocol != protocol)
			continue;
		fprintf(out, "%s%u", before, r->first);
		if (r->last != r->first)
			fprintf(out, "-%u", r->last);
		before = ", ";
	}
	fputs(" } accept\n", out);
}

static void put_shared_rules(FILE *out, const struct guard_plan *plan)
{
	fputs("ip frag-off & 0x1fff != 0 accept\n"
	      "frag frag-off != 0 accept\n"
	      "icmp type echo-request " DROP("echo_request") "icmpv6 type echo-request " DROP(
		      "echo_request") "icmp type { echo-reply, destination-unreachable, "
				      "source-quench, redirect, "
				      "time-exceeded, parameter-problem } accept\n"
				      "icmpv6 type { destination-unreachable, packet-too-big, "
				      "time-exceeded, "
				      "parameter-problem, echo-reply } accept\n",
		out);
	/* 44 is a fragment header; what is behind any other but the first is nobody's to read. */
	fputs("ip6 nexthdr != { tcp, udp, 44 } " DROP("guest") "frag nexthdr != { tcp, udp } " DROP(
		      "guest"),
		out);
	for (enum l4_protocol protocol = L4_TCP; protocol <= L4_UDP; protocol++)
		fprintf(out, "%s dport %d-%d accept\n", l4_protocol_name(protocol),
			GUARD_EPHEMERAL_FIRST, GUARD_EPHEMERAL_LAST);
	put_ports_rule(out, &plan->kernel_ports, L4_TCP);
	put_ports_rule(out, &plan->kernel_ports, L4_UDP);
}

static void put_kernel_rules(FILE *out, const struct guard_plan *plan)
{
	fputs("vlan id != 0 " DROP("tagged") "ether type 8021ad vlan id != 0 " DROP("tagged"), out);
	put_inner_rules(out, plan);
	fputs("meta protocol arp accept\n"
	      "icmpv6 type { mld-listener-query, nd-router-solicit, nd-router-advert, "
	      "nd-neighbor-solicit, nd-neighbor-advert, nd-redirect } accept\n",
		out);
	if (plan->mode == GUARD_SHARED)
		put_shared_rules(out, plan);
	fputs(DROP("guest"), out);
}

static void put_redirect(FILE *out, const char *counter, const char *to)
{
	fprintf(out, "counter name %s fwd to \"%s\"\n", counter, to);
}

static void put_uplink_chain(FILE *out, const struct guard_plan *plan)
{
	char mac[MAC_TEXT_MAX];

	fputs("chain uplink {\n", out);
	fprintf(out, base_chain, plan->interface);
	if (!mac_is_zero(&plan->pod_mac))
		fprintf(out, "ether saddr %s " DROP("reflected"), mac_format(&plan->pod_mac, mac));
	if (plan->mode == GUARD_REDIRECT)
		put_redirect(out, "guest", plan->tap);
	else
		put_kernel_rules(out, plan);
	fputs("}\n", out);
}

/* Its addresses are IPv4, by host_link.h. */
static void put_host_chains(FILE *out, const struct guard_plan *plan)
{
	struct addr_list guests = services(plan, true);
	char identity[IP_ADDR_TEXT_MAX];

	fputs("chain host_port {\n", out);
	fprintf(out, base_chain, HOST_LINK_NAME);
	fputs("meta protocol arp accept\n", out);
	if (guests.n > 0) {
		put_rule(out, "ip saddr", &guests, "ip daddr ");
		fprintf(out, "%s accept\n", ip_addr_format(&plan->identity, identity));
	}
	fputs(DROP("host_stray") "}\n", out);

	fputs("chain host_far_end {\n", out);
	fprintf(out, base_chain, HOST_LINK_FAR_NAME);
	fputs(DROP("host_far_end") "}\n", out);
}

/* All that comes in is the switch's, which has heard it before, or goes out. */
static void put_tap_chain(FILE *out, const struct guard_plan *plan)
{
	fputs("chain guest_tap {\n", out);
	fprintf(out, base_chain, plan->tap);
	if (plan->mode == GUARD_REDIRECT)
		put_redirect(out, "guest_tap", plan->interface);
	else
		fputs(DROP("guest_tap"), out);
	fputs("}\n", out);
}

static void put_counters(FILE *out, const struct guard_plan *plan)
{
	fputs("counter reflected { }\n"
	      "counter guest { }\n",
		out);
	if (plan->mode != GUARD_REDIRECT)
		fputs("counter tagged { }\n"
		      "counter inner_neighbour { }\n"
		      "counter inner_packet { }\n"
		      "counter echo_request { }\n",
			out);
	if (plan->host_port)
		fputs("counter host_stray { }\n"
		      "counter host_far_end { }\n",
			out);
	if (plan->tap[0] != '\0')
		fputs("counter guest_tap { }\n", out);
}

/* What there is of it already stays, so counters go on; rules are added behind those of a chain. */
static void put_table(FILE *out, const struct guard_plan *plan, bool owned)
{
	fputs("table netdev " GUARD_TABLE " {\n", out);
	if (owned)
		fputs("flags owner\n", out);
	put_counters(out, plan);
	put_uplink_chain(out, plan);
	if (plan->host_port)
		put_host_chains(out, plan);
	if (plan->tap[0] != '\0')
		put_tap_chain(out, plan);
	fputs("}\n", out);
}

/* --- texts ----------------------------------------------------------------------------------- */

/* Kernels before 6.16 remove a chain with its interface, and the interface may be back. */
static void put_empty_chain(FILE *out, const char *name, const char *interface)
{
	fprintf(out, "add chain netdev " GUARD_TABLE " %s {\n", name);
	fprintf(out, base_chain, interface);
	fprintf(out, "}\nflush chain netdev " GUARD_TABLE " %s\n", name);
}

static void put_empty_chains(FILE *out, const struct guard_plan *plan)
{
	put_empty_chain(out, "uplink", plan->interface);
	if (plan->host_port) {
		put_empty_chain(out, "host_port", HOST_LINK_NAME);
		put_empty_chain(out, "host_far_end", HOST_LINK_FAR_NAME);
	}
	if (plan->tap[0] != '\0')
		put_empty_chain(out, "guest_tap", plan->tap);
}

char *guard_rules_create(const struct guard_plan *plan, bool owned)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (out == NULL)
		return NULL;
	/* Nothing can be deleted that is not there. */
	fputs("add table netdev " GUARD_TABLE "\n"
	      "delete table netdev " GUARD_TABLE "\n",
		out);
	if (plan->mode != GUARD_OFF)
		put_table(out, plan, owned);
	return memstream_text(out, &text);
}

char *guard_rules_update(const struct guard_plan *plan, bool owned)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (out == NULL)
		return NULL;
	put_empty_chains(out, plan);
	put_table(out, plan, owned);
	return memstream_text(out, &text);
}
