/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The program is written once from top to bottom with the places it jumps to by name, and then
 * the names are replaced by distances. A load beyond the end of a packet refuses it, so nothing is
 * loaded before it is known to be there or to be needed.
 */
#include "switch/port/packet_filter.h"

#include <assert.h>

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>

/* Offsets in a frame; of IPv6, where nothing or a fragment header comes before TCP or UDP. */
#define ETHERTYPE     12
#define IPV4          14
#define IPV4_FRAGMENT (IPV4 + 6)
#define IPV4_PROTO    (IPV4 + 9)
#define IPV6_NEXT     (IPV4 + 6)
#define IPV6_L4       (IPV4 + 40)
#define IPV6_FRAGMENT (IPV6_L4 + 2)
#define IPV6_FRAG_L4  (IPV6_L4 + 8)
#define TARGET_PORT   2 /* in TCP's and UDP's header */

#define IPV4_OFFSET_MASK 0x1fff
#define IPV6_OFFSET_MASK 0xfff8

/* The program's scratch words. */
enum { MEM_PROTO, MEM_PORT };

enum place {
	NEXT,
	PORTS_IPV4,
	NOT_IPV4,
	PORTS_FRAGMENT,
	NO_FRAGMENT,
	PORTS_IPV6,
	MATCH,
	UDP,
	ACCEPT,
	REFUSE,
	N_PLACES
};

struct writer {
	struct packet_filter *out;
	unsigned at[N_PLACES];
	struct {
		enum place yes, no;
	} jump[PACKET_FILTER_MAX];
};

static void op(struct writer *w, unsigned code, uint32_t k)
{
	assert(w->out->len < PACKET_FILTER_MAX);
	w->out->code[w->out->len++] = (struct sock_filter) { .code = (uint16_t)code, .k = k };
}

static void load(struct writer *w, unsigned size, uint32_t offset)
{
	op(w, BPF_LD | size | BPF_ABS, offset);
}

static void jump(struct writer *w, unsigned test, uint32_t k, enum place yes, enum place no)
{
	w->jump[w->out->len].yes = yes;
	w->jump[w->out->len].no = no;
	op(w, BPF_JMP | test | BPF_K, k);
}

static void here(struct writer *w, enum place place)
{
	w->at[place] = w->out->len;
}

static unsigned distance(const struct writer *w, unsigned from, enum place to)
{
	return to == NEXT ? 0 : w->at[to] - from - 1;
}

static void resolve(struct writer *w)
{
	for (unsigned i = 0; i < w->out->len; i++) {
		struct sock_filter *f = &w->out->code[i];

		if (BPF_CLASS(f->code) != BPF_JMP)
			continue;
		if (BPF_OP(f->code) == BPF_JA) {
			f->k = distance(w, i, w->jump[i].yes);
			continue;
		}
		f->jt = (uint8_t)distance(w, i, w->jump[i].yes);
		f->jf = (uint8_t)distance(w, i, w->jump[i].no);
	}
}

/* The protocol in A is kept if it has ports, which begin to be read at `ports`. */
static void keep_proto(struct writer *w, enum place ports)
{
	op(w, BPF_ST, MEM_PROTO);
	jump(w, BPF_JEQ, IPPROTO_TCP, ports, NEXT);
	jump(w, BPF_JEQ, IPPROTO_UDP, NEXT, ACCEPT);
	here(w, ports);
}

static void read_ipv4(struct writer *w)
{
	load(w, BPF_H, IPV4_FRAGMENT);
	jump(w, BPF_JSET, IPV4_OFFSET_MASK, ACCEPT, NEXT);
	load(w, BPF_B, IPV4_PROTO);
	keep_proto(w, PORTS_IPV4);
	op(w, BPF_LDX | BPF_B | BPF_MSH, IPV4); /* X: the header's length */
	op(w, BPF_LD | BPF_H | BPF_IND, IPV4 + TARGET_PORT);
	jump(w, BPF_JA, 0, MATCH, NEXT);
}

static void read_ipv6(struct writer *w)
{
	load(w, BPF_B, IPV6_NEXT);
	jump(w, BPF_JEQ, IPPROTO_FRAGMENT, NEXT, NO_FRAGMENT);
	load(w, BPF_H, IPV6_FRAGMENT);
	jump(w, BPF_JSET, IPV6_OFFSET_MASK, ACCEPT, NEXT);
	load(w, BPF_B, IPV6_L4);
	keep_proto(w, PORTS_FRAGMENT);
	load(w, BPF_H, IPV6_FRAG_L4 + TARGET_PORT);
	jump(w, BPF_JA, 0, MATCH, NEXT);
	here(w, NO_FRAGMENT);
	keep_proto(w, PORTS_IPV6);
	load(w, BPF_H, IPV6_L4 + TARGET_PORT);
}

/* The port is compared with the kernel's of its protocol. */
static void match(struct writer *w, const struct l4_ports *kernel, enum l4_protocol protocol)
{
	op(w, BPF_LD | BPF_MEM, MEM_PORT);
	for (size_t i = 0; i < kernel->n; i++) {
		const struct l4_port_range *r = &kernel->range[i];

		if (r->protocol != protocol)
			continue;
		/* They are in order: what is below one is below those that follow. */
		jump(w, BPF_JGE, r->first, NEXT, ACCEPT);
		jump(w, BPF_JGT, r->last, NEXT, REFUSE);
	}
	jump(w, BPF_JA, 0, ACCEPT, NEXT);
}

static void share(struct writer *w, const struct l4_ports *kernel)
{
	load(w, BPF_H, ETHERTYPE);
	jump(w, BPF_JEQ, ETH_P_IP, NEXT, NOT_IPV4);
	read_ipv4(w);
	here(w, NOT_IPV4);
	jump(w, BPF_JEQ, ETH_P_IPV6, NEXT, ACCEPT);
	read_ipv6(w);
	here(w, MATCH);
	op(w, BPF_ST, MEM_PORT);
	op(w, BPF_LD | BPF_MEM, MEM_PROTO);
	jump(w, BPF_JEQ, IPPROTO_TCP, NEXT, UDP);
	match(w, kernel, L4_TCP);
	here(w, UDP);
	match(w, kernel, L4_UDP);
}

void packet_filter_deaf(struct packet_filter *filter)
{
	struct writer w = { .out = filter };

	filter->len = 0;
	op(&w, BPF_RET | BPF_K, 0);
}

void packet_filter_make(struct packet_filter *filter, const struct l4_ports *kernel, bool incoming)
{
	struct writer w = { .out = filter };

	filter->len = 0;
	if (incoming) {
		load(&w, BPF_W, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE));
		jump(&w, BPF_JEQ, PACKET_OUTGOING, REFUSE, NEXT);
	}
	if (kernel->n > 0)
		share(&w, kernel);
	here(&w, ACCEPT);
	op(&w, BPF_RET | BPF_K, UINT32_MAX);
	here(&w, REFUSE);
	op(&w, BPF_RET | BPF_K, 0);
	resolve(&w);
}
