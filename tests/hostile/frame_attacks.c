/* SPDX-License-Identifier: BSD-3-Clause */

/* Frames and their virtio-net headers: nonsense in them, changes behind the switch's back, floods.
 */

#include "tests/hostile/hostile.h"

#include <netinet/in.h>
#include <pthread.h>
#include <string.h>

#define N_ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))
#define HEADER        12
#define FRAME         1000
#define BATCH         64

/* virtio 1.2; newer than this distribution's headers */
#define GSO_UDP_L4 5

static void send_frame(
	struct assault *a, const void *frame, size_t len, const struct virtio_net_hdr *hdr)
{
	struct iovec iov = { (void *)(uintptr_t)frame, len };

	a->n_chains += frontend_queue_frame(&a->f, &iov, 1, hdr) == 0;
}

/* ---- header-split ---- */

/* Each byte of the virtio-net header in a descriptor of its own; perfectly legal. */
static void header_split(struct assault *a)
{
	struct front_queue *q = &a->f.queue[FRONT_TX];
	uint8_t *bytes;

	if (!assault_go_on(a))
		return;
	bytes = frontend_at(&a->f, q->buffers_gpa);
	memset(bytes, 0, HEADER);
	frame_ethernet(bytes + HEADER);
	for (unsigned i = 0; i <= HEADER; i++)
		q->desc[i] = (struct vring_desc) {
			.addr = q->buffers_gpa + i,
			.len = i < HEADER ? 1 : 100,
			.flags = i < HEADER ? VRING_DESC_F_NEXT : 0,
			.next = (uint16_t)(i + 1),
		};
	assault_offer(a, FRONT_TX, 0);
	assault_settle(a, 200);
}

/* ---- header-toctou ---- */

struct scribbler {
	struct front_queue *q;
	uint8_t *bytes;
	struct byte_stream random;
	bool descriptors; /* rewrite those too, not only what they point to */
	int stop;
};

static void scribble_header(struct scribbler *s)
{
	uint64_t r = byte_stream_next(&s->random);
	volatile struct virtio_net_hdr *h = (void *)s->bytes;
	volatile uint8_t *ip = s->bytes + HEADER + 14;

	h->flags = r & 1 ? VIRTIO_NET_HDR_F_NEEDS_CSUM : 0;
	h->gso_type = r & 2 ? VIRTIO_NET_HDR_GSO_TCPV4 : r & 4 ? GSO_UDP_L4 : 0;
	h->gso_size = (uint16_t)(r & 8 ? r >> 16 : 500);
	h->csum_start = (uint16_t)(r & 16 ? r >> 32 : 34);
	h->csum_offset = (uint16_t)(r & 32 ? r >> 48 : 16);
	ip[0] = r & 64 ? (uint8_t)(r >> 8) : 0x45;
	ip[9] = r & 128 ? IPPROTO_UDP : IPPROTO_TCP;
	ip[32] = (uint8_t)(r & 256 ? r >> 24 : 5 << 4);
	ip[-2] = r & 512 ? 0x81 : 0x08; /* a VLAN tag, or IPv4 */
}

static void scribble_descriptors(struct scribbler *s)
{
	uint64_t r = byte_stream_next(&s->random);
	volatile struct vring_desc *d = s->q->desc;

	d[0].len = r & 1 ? HEADER + FRAME : (uint32_t)(r >> 32);
	d[0].addr = r & 14 ? s->q->buffers_gpa : r;
	d[0].flags = r & 16 ? VRING_DESC_F_NEXT : (uint16_t)(r >> 16 & 7);
	d[0].next = (uint16_t)(r >> 8 & 3);
}

static void *scribble(void *arg)
{
	struct scribbler *s = arg;

	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED)) {
		for (unsigned i = 0; i < 64; i++)
			scribble_header(s);
		if (s->descriptors)
			scribble_descriptors(s);
	}
	return NULL;
}

static void header_toctou(struct assault *a)
{
	struct scribbler s = { 0 };
	struct virtio_net_hdr hdr;
	pthread_t thread;

	if (!assault_go_on(a))
		return;
	s.q = &a->f.queue[FRONT_TX];
	s.bytes = frontend_at(&a->f, s.q->buffers_gpa);
	s.descriptors = a->round & 1;
	byte_stream_init(&s.random, a->round);
	frame_transport(s.bytes + HEADER, FRAME, IPPROTO_TCP, &hdr);
	for (unsigned i = 0; i < 4; i++)
		s.q->desc[i] = (struct vring_desc) { s.q->buffers_gpa, HEADER + FRAME, 0, 0 };
	if (pthread_create(&thread, NULL, scribble, &s) != 0)
		return;
	for (unsigned i = 0; i < 200 && !assault_thrown_out(a); i++) {
		for (unsigned n = 0; n < 16; n++)
			assault_offer(a, FRONT_TX, 0);
		assault_settle(a, 20);
	}
	__atomic_store_n(&s.stop, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
}

/* ---- offload requests ---- */

/* All of them point beyond the frame or into its Ethernet header. */
static void absurd_csum(struct assault *a)
{
	static const uint16_t start[] = { 0, 3, 13, FRAME - 1, FRAME, FRAME + 1, 40000, 65535, 34,
		FRAME - 10, FRAME - 17 };
	static const uint16_t offset[] = { 0, 0, 16, 0, 0, 0, 40000, 65535, 65535, 9, 16 };
	uint8_t frame[FRAME] = { 0 };
	struct virtio_net_hdr hdr;

	if (!assault_go_on(a))
		return;
	frame_transport(frame, FRAME, IPPROTO_TCP, &hdr);
	for (unsigned i = 0; i < N_ELEMENTS(start); i++) {
		hdr.csum_start = start[i];
		hdr.csum_offset = offset[i];
		send_frame(a, frame, FRAME, &hdr);
	}
	frontend_kick(&a->f);
	assault_settle(a, 200);
}

/* Types, sizes and header lengths of nonsense, on TCP and on UDP, short and as long as can be. */
static void absurd_gso(struct assault *a)
{
	static const uint8_t types[] = { VIRTIO_NET_HDR_GSO_TCPV4, VIRTIO_NET_HDR_GSO_TCPV6,
		VIRTIO_NET_HDR_GSO_UDP, GSO_UDP_L4, VIRTIO_NET_HDR_GSO_ECN,
		VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN, 2, 6, 7, 127, 255 };
	static const uint16_t sizes[] = { 0, 1, 2, 7, 100, 65535 };
	static const uint16_t hdr_lens[] = { 0, 1, 54, 60000, 65535 };
	static uint8_t frame[65535];
	struct virtio_net_hdr hdr;

	if (!assault_go_on(a))
		return;
	for (unsigned i = 0; i < N_ELEMENTS(types) * 2; i++) {
		uint32_t len =
			assault_random(a, 2) ? 60000 : 54 + (uint32_t)assault_random(a, 2000);

		frame_transport(frame, len, i & 1 ? IPPROTO_UDP : IPPROTO_TCP, &hdr);
		hdr.gso_type = types[i / 2];
		hdr.gso_size = sizes[assault_random(a, N_ELEMENTS(sizes))];
		hdr.hdr_len = hdr_lens[assault_random(a, N_ELEMENTS(hdr_lens))];
		hdr.flags = assault_random(a, 4) ? hdr.flags : 0;
		send_frame(a, frame, len, &hdr);
	}
	frontend_kick(&a->f);
	assault_settle(a, 200);
	assault_nap_us(2000); /* the nonsense is the attack, not the rate */
}

/* UDP super-frames that fall into as many datagrams as a request may ask for, of one byte each. */
static void gso_amplifier(struct assault *a)
{
	uint8_t frame[14 + 28 + 128] = { 0 };
	struct virtio_net_hdr hdr;

	if (!assault_go_on(a))
		return;
	frame_transport(frame, sizeof(frame), IPPROTO_UDP, &hdr);
	hdr.gso_type = GSO_UDP_L4;
	hdr.gso_size = 1;
	for (unsigned i = 0; i < BATCH; i++)
		send_frame(a, frame, sizeof(frame), &hdr);
	frontend_kick(&a->f);
	assault_settle(a, 200);
}

/* A little of everything: random headers and random beginnings of frames of random length. */
static void frame_noise(struct assault *a)
{
	static uint8_t frame[65600];
	struct virtio_net_hdr hdr;

	if (!assault_go_on(a))
		return;
	for (unsigned i = 0; i < BATCH; i++) {
		size_t len = 8 + assault_random(a, i & 7 ? 200 : 65590);

		byte_stream_fill(&a->random, frame, 64);
		byte_stream_fill(&a->random, &hdr, sizeof(hdr));
		hdr.flags &= VIRTIO_NET_HDR_F_NEEDS_CSUM;
		hdr.gso_type &= 0x87;
		if (len > 64)
			frame_transport(
				frame, (uint32_t)len, IPPROTO_TCP, &(struct virtio_net_hdr) { 0 });
		if (i & 1)
			byte_stream_fill(&a->random, frame + 12, 40);
		send_frame(a, frame, len, &hdr);
	}
	frontend_kick(&a->f);
	assault_settle(a, 200);
}

static void runt_frames(struct assault *a)
{
	uint8_t frame[14] = { 0 };

	if (!assault_go_on(a))
		return;
	for (unsigned len = 0; len < sizeof(frame); len++)
		send_frame(a, frame, len, NULL);
	frontend_kick(&a->f);
	assault_settle(a, 200);
}

/* ---- floods ---- */

static void flood(struct assault *a, uint8_t *frame, size_t len, bool random_source)
{
	for (unsigned i = 0; i < BATCH; i++) {
		if (random_source) {
			byte_stream_fill(&a->random, frame + MAC_LEN, MAC_LEN);
			frame[MAC_LEN] &= 0xfe;
		}
		send_frame(a, frame, len, NULL);
	}
	frontend_kick(&a->f);
}

static void mac_flood(struct assault *a)
{
	uint8_t frame[60] = { 0 };

	if (!assault_go_on(a))
		return;
	frame_ethernet(frame);
	memset(frame, 0xff, a->round & 1 ? MAC_LEN : 0);
	flood(a, frame, sizeof(frame), true);
}

static void frame_flood(struct assault *a)
{
	uint8_t frame[60] = { 0 };

	if (!assault_go_on(a))
		return;
	frame_ethernet(frame);
	memset(frame, 0xff, a->round & 1 ? MAC_LEN : 0);
	flood(a, frame, sizeof(frame), false);
}

/* Says that it is the neighbour, and the peer, to be sent what is theirs. */
static void mac_theft(struct assault *a)
{
	uint8_t frame[60] = { 0 };

	if (!assault_go_on(a))
		return;
	frame_ethernet(frame);
	memset(frame, 0xff, MAC_LEN);
	frame_mac(frame + MAC_LEN, 0);
	send_frame(a, frame, sizeof(frame), NULL);
	frontend_kick(&a->f);
	assault_nap_us(1000);
}

const struct attack frame_attacks[] = {
	{ "header-split", "passes", header_split, "a header in twelve descriptors of one byte" },
	{ "header-toctou", "-", header_toctou, "headers and descriptors rewritten while read" },
	{ "absurd-csum", "bad_offload", absurd_csum, "checksums beyond the frame" },
	{ "absurd-gso", "bad_offload", absurd_gso, "segmentation of nonsense type and size" },
	{ "gso-amplifier", "passes", gso_amplifier, "small super-frames of 128 datagrams each" },
	{ "frame-noise", "-", frame_noise, "random headers, random frames of random length" },
	{ "runt-frames", "runt", runt_frames, "frames shorter than an Ethernet header" },
	{ "mac-flood", "passes", mac_flood, "a new source address with every frame" },
	{ "frame-flood", "passes", frame_flood, "small frames as fast as possible" },
	{ "mac-theft", "-", mac_theft, "frames with a neighbour's source address" },
	{ 0 },
};
