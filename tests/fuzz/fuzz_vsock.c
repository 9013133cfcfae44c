/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A hostile guest's packets, and clients of the host that come, talk and go between them. The input
 * is a sequence of steps, each beginning with one byte, its kind in the low two bits:
 *
 *    0  the guest sends a packet: 44 bytes of header, 1 byte: length of the payload it brings, in
 *       units of 257. Unless bit 7 is set, its addresses are right; unless bit 6, its type; with
 *       bit 5 its length is what it brings; its ports are taken modulo 4
 *    1  a client connects and asks for the guest's port (bits 2-3); with bit 7, it says as many of
 *       the following bytes instead as bits 2-6 say
 *    2  the client in slot (bits 2-4) does what bits 5-7 say: reads, writes, shuts down, closes
 *    3  the guest offers (bits 2-5) buffers and takes back what was used
 *
 * After each step: no connection holds more than its window, what waits is what was not forwarded,
 * no more connections or resets than there may be; and every packet for the guest is well-formed.
 */

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/log.h"
#include "switch/vsock/vsock.h"
#include "switch/vsock/vsock_conn.h"

#define RING_SIZE   16
#define CID         3
#define CONNS_MAX   6
#define CLIENTS_MAX 8
#define BUFFER_SIZE 300
#define TX_SIZE     (255 * 257 + 44)

/* The guest's memory: where things are. */
#define RX_RING  0x0000u
#define TX_RING  0x1000u
#define AVAIL    0x400u /* within a ring's part */
#define USED     0x800u
#define RX_DATA  0x2000u
#define TX_DATA  0x8000u
#define MEM_SIZE (TX_DATA + TX_SIZE)

#define must(condition)                                                                            \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t *mem;
static struct virtqueue rx, tx;
static struct vsock v;
static int client[CLIENTS_MAX];
static uint16_t rx_seen;

static void set_client(int fd)
{
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		if (client[i] < 0) {
			client[i] = fd;
			return;
		}
	close(fd);
}

/* Port 1 has nobody. */
static int connect_for_guest(void *ctx, uint32_t port)
{
	int pair[2];

	if (port == 1 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) < 0)
		return -1;
	set_client(pair[0]);
	return pair[1];
}

static void wake(void *ctx)
{
}

static void set_up_ring(struct virtqueue *vq, const struct guest_memory *memory, size_t at)
{
	virtqueue_init(vq);
	vq->size = RING_SIZE;
	vq->memory = memory;
	vq->desc = (struct vring_desc *)(mem + at);
	vq->avail = (struct vring_avail *)(mem + at + AVAIL);
	vq->used = (struct vring_used *)(mem + at + USED);
	virtqueue_start(vq);
	vq->state = VIRTQUEUE_LIVE;
}

static void offer(struct virtqueue *vq, uint16_t id, uint64_t addr, uint32_t len, uint16_t flags)
{
	vq->desc[id] = (struct vring_desc) { .addr = addr, .len = len, .flags = flags };
	vq->avail->ring[vq->avail->idx % RING_SIZE] = id;
	vq->avail->idx++;
}

/* --- steps ----------------------------------------------------------------------------------- */

static size_t guest_sends(uint8_t kind, const uint8_t *data, size_t size)
{
	struct virtio_vsock_hdr h;
	uint32_t n;

	if (size < sizeof(h) + 1)
		return size;
	memcpy(&h, data, sizeof(h));
	n = data[sizeof(h)] * 257u;
	if (!(kind & 0x80)) {
		h.src_cid = CID;
		h.dst_cid = VSOCK_CID_HOST;
	}
	if (!(kind & 0x40))
		h.type = VIRTIO_VSOCK_TYPE_STREAM;
	if (kind & 0x20)
		h.len = n;
	h.src_port %= 4;
	/* Of a client's connection, or any. */
	h.dst_port = h.dst_port & 8 ? 0x40000000u + h.dst_port % 4 : h.dst_port % 4;
	memcpy(mem + TX_DATA, &h, sizeof(h));
	if (tx.avail->idx == tx.used->idx)
		offer(&tx, 0, TX_DATA, (uint32_t)sizeof(h) + n, 0);
	return sizeof(h) + 1;
}

static size_t client_connects(uint8_t kind, const uint8_t *data, size_t size)
{
	char line[32] = "CONNECT 0\n";
	size_t len = strlen(line), used = 0;
	int pair[2];

	line[8] = (char)('0' + (kind >> 2 & 3));
	if (kind & 0x80) {
		used = len = (kind >> 2 & 31) < size ? kind >> 2 & 31 : size;
		memcpy(line, data, len);
	}
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
	must(send(pair[0], line, len, 0) == (ssize_t)len);
	set_client(pair[0]);
	vsock_conn_accept(&v, pair[1]);
	return used;
}

static void client_acts(uint8_t kind)
{
	static char buf[65536];
	unsigned slot = kind >> 2 & 7;
	int fd = client[slot];

	if (fd < 0)
		return;
	switch (kind >> 5) {
	case 0:
		(void)!recv(fd, buf, 100, 0);
		break;
	case 1:
		while (recv(fd, buf, sizeof(buf), 0) > 0)
			;
		break;
	case 2:
		(void)!send(fd, buf, 10, MSG_NOSIGNAL);
		break;
	case 3:
		(void)!send(fd, buf, 5000, MSG_NOSIGNAL);
		break;
	case 4:
		shutdown(fd, SHUT_WR);
		break;
	case 5:
		shutdown(fd, SHUT_RD);
		break;
	default:
		close(fd);
		client[slot] = -1;
		break;
	}
}

static void look_at_packets(void)
{
	for (; rx_seen != rx.used->idx; rx_seen++) {
		struct vring_used_elem e = rx.used->ring[rx_seen % RING_SIZE];
		struct virtio_vsock_hdr h;

		must(e.id < RING_SIZE && e.len >= sizeof(h) && e.len <= BUFFER_SIZE);
		memcpy(&h, mem + RX_DATA + e.id * BUFFER_SIZE, sizeof(h));
		must(h.src_cid == VSOCK_CID_HOST && h.dst_cid == CID);
		must(h.len == e.len - sizeof(h) && (h.len == 0 || h.op == VIRTIO_VSOCK_OP_RW));
		must(h.op >= VIRTIO_VSOCK_OP_REQUEST && h.op <= VIRTIO_VSOCK_OP_CREDIT_REQUEST);
	}
}

static void guest_offers(uint8_t kind)
{
	look_at_packets();
	for (unsigned n = kind >> 2 & 15; n > 0; n--) {
		uint16_t id = rx.avail->idx % RING_SIZE;

		if ((uint16_t)(rx.avail->idx - rx.used->idx) == RING_SIZE)
			return;
		offer(&rx, id, RX_DATA + id * BUFFER_SIZE, BUFFER_SIZE, VRING_DESC_F_WRITE);
	}
}

static void check(void)
{
	struct vsock_conn *c;
	unsigned n = 0;

	TAILQ_FOREACH (c, &v.conns, link) {
		uint32_t holds = c->received - c->forwarded;

		n++;
		must(holds <= VSOCK_BUF_SIZE);
		must(c->fd < 0 || holds == (c->to_host ? evbuffer_get_length(c->to_host) : 0));
		must(c->known || c->fd >= 0);
		must(c->ready == vsock_conn_wants_turn(c));
	}
	must(n == v.n_conns && n <= CONNS_MAX && v.n_resets <= VSOCK_RESETS_MAX);
	must(virtqueue_usable(&rx) && virtqueue_usable(&tx));
}

static size_t step(const uint8_t *data, size_t size)
{
	size_t used = 1;

	switch (data[0] & 3) {
	case 0:
		used += guest_sends(data[0], data + 1, size - 1);
		break;
	case 1:
		used += client_connects(data[0], data + 1, size - 1);
		break;
	case 2:
		client_acts(data[0]);
		break;
	default:
		guest_offers(data[0]);
		break;
	}
	(void)event_base_loop(v.base, EVLOOP_NONBLOCK);
	for (unsigned i = 0; i < 4 && vsock_run(&v); i++)
		;
	(void)vsock_arm(&v);
	look_at_packets();
	check();
	return used;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct guest_memory memory = { .n = 1 };
	const struct vsock_ops ops = { .connect = connect_for_guest, .wake = wake };
	struct event_base *base = event_base_new();

	log_configure(LOG_LEVEL_OFF, LOG_FORMAT_TEXT);
	signal(SIGPIPE, SIG_IGN);
	mem = aligned_alloc(4096, (MEM_SIZE + 4095) & ~4095u);
	must(mem && base);
	memset(mem, 0, MEM_SIZE);
	memory.region[0] = (struct guest_region) { .size = MEM_SIZE, .host = mem };
	set_up_ring(&rx, &memory, RX_RING);
	set_up_ring(&tx, &memory, TX_RING);
	rx_seen = 0;
	memset(client, -1, sizeof(client));
	vsock_init(&v, base, &ops, CID, CONNS_MAX, &rx, &tx);
	while (size > 0) {
		size_t used = step(data, size);

		data += used;
		size -= used;
	}
	vsock_forget_guest(&v);
	vsock_close(&v);
	must(v.n_conns == 0 && TAILQ_EMPTY(&v.ready));
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		if (client[i] >= 0)
			close(client[i]);
	event_base_free(base);
	free(mem);
	return 0;
}
