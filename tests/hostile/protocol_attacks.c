/* SPDX-License-Identifier: BSD-3-Clause */

/* A VMM whose messages are wrong, cut into pieces, or carry descriptors that nobody asked for. */

#include "tests/hostile/hostile.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define N_ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))
#define V             VU_VERSION
#define PAYLOAD_MAX   4096

/* Fresh connections and running devices in turn. */
static bool arrive(struct assault *a)
{
	if (a->round & 1)
		return assault_connect(a, &assault_options);
	assault_dial(a);
	return true;
}

static int send_raw(struct assault *a, const struct vu_header *h, const void *payload, size_t len,
	const int *fds, size_t n_fds)
{
	uint8_t bytes[sizeof(*h) + PAYLOAD_MAX];

	memcpy(bytes, h, sizeof(*h));
	if (len > 0)
		memcpy(bytes + sizeof(*h), payload, len);
	return frontend_send_bytes(&a->f, bytes, sizeof(*h) + len, fds, n_fds);
}

static void bad_version(struct assault *a)
{
	static const uint32_t flags[] = { 0, 2, 3, V | VU_REPLY, VU_REPLY, 0xfffffffc, UINT32_MAX };
	struct vu_header h = { VU_GET_FEATURES, flags[a->round / 2 % N_ELEMENTS(flags)], 0 };

	if (!arrive(a))
		return;
	send_raw(a, &h, NULL, 0, NULL, 0);
	assault_must_end(a);
}

static void oversized_payload(struct assault *a)
{
	static const uint32_t sizes[] = { 4096, 269, 65536, 1u << 31, UINT32_MAX, UINT32_MAX - 11 };
	static const uint8_t bytes[PAYLOAD_MAX];
	struct vu_header h = { VU_SET_FEATURES, V, sizes[a->round / 2 % N_ELEMENTS(sizes)] };

	if (!arrive(a))
		return;
	send_raw(a, &h, bytes, h.size < PAYLOAD_MAX ? h.size : PAYLOAD_MAX, NULL, 0);
	assault_must_end(a);
}

/* Each request with a payload of the wrong size. */
static void wrong_size(struct assault *a)
{
	static const uint8_t bytes[PAYLOAD_MAX];
	uint32_t request = 1 + (uint32_t)(a->round / 2 % 42);
	struct vu_header h = { request, V, request == VU_SET_MEM_TABLE ? 7 : 3 };

	if (!arrive(a))
		return;
	send_raw(a, &h, bytes, h.size, NULL, 0);
	assault_must_end(a);
}

static void set_features_garbage(struct assault *a)
{
	uint64_t value = 1ull << 63 | byte_stream_next(&a->random);
	struct vu_header h = { a->round & 2 ? VU_SET_FEATURES : VU_SET_PROTOCOL_FEATURES, V, 8 };

	if (!arrive(a))
		return;
	send_raw(a, &h, &value, sizeof(value), NULL, 0);
	assault_must_end(a);
}

/* What the device offers, but combined as no driver would, and changed under its rings. */
static void set_features_churn(struct assault *a)
{
	uint64_t value;

	if (!assault_go_on(a))
		return;
	value = a->f.offered & byte_stream_next(&a->random);
	frontend_set_u64(&a->f, VU_SET_FEATURES, value);
	for (unsigned i = 0; i < 4; i++) {
		frontend_describe(&a->f, &a->f.queue[FRONT_TX], i, 1 + (uint32_t)i * 100, false);
		assault_offer(a, FRONT_TX, (uint16_t)i);
	}
	assault_settle(a, 5);
}

/* ---- random messages ---- */

static void random_messages(struct assault *a)
{
	uint8_t payload[512];
	int fds[4];

	if (!assault_go_on(a))
		return;
	for (unsigned i = 0; i < 4; i++)
		fds[i] = a->f.region[0].fd;
	for (unsigned i = 0; i < 16 && !assault_thrown_out(a); i++) {
		struct vu_header h = { (uint32_t)assault_random(a, 44), V, 8 };
		static const uint32_t sizes[] = { 0, 8, 8, 8, 12, 40, 40, 72, 264 };

		h.flags |= assault_random(a, 2) ? VU_NEED_REPLY : 0;
		h.size = sizes[assault_random(a, N_ELEMENTS(sizes))];
		byte_stream_fill(&a->random, payload, sizeof(payload));
		if (assault_random(a, 4)) /* small numbers get further */
			for (unsigned n = 0; n < sizeof(payload); n++)
				payload[n] = n & 3 ? 0 : payload[n] & 1;
		send_raw(a, &h, payload, h.size, fds,
			assault_random(a, 3) ? 0 : assault_random(a, 4));
	}
}

static void random_bytes(struct assault *a)
{
	uint8_t bytes[1000];

	assault_dial(a);
	byte_stream_fill(&a->random, bytes, sizeof(bytes));
	frontend_send_bytes(&a->f, bytes, sizeof(bytes), NULL, 0);
	assault_must_end(a);
}

/* ---- pieces ---- */

/* Stops in the header, behind it, or in the payload, and stays; or goes on a byte at a time. */
static void half_message(struct assault *a)
{
	const struct vu_header h = { VU_SET_FEATURES, V, 8 };
	uint8_t bytes[sizeof(h) + 8] = { 0 };
	size_t len = 1 + assault_random(a, sizeof(bytes));

	memcpy(bytes, &h, sizeof(h));
	assault_dial(a);
	if (a->round & 1) {
		for (size_t i = 0; i < len; i++)
			frontend_send_bytes(&a->f, bytes + i, 1, NULL, 0);
	} else {
		frontend_send_bytes(&a->f, bytes, len, NULL, 0);
	}
	if (a->round % 16 == 0)
		assault_nap_us(50000);
	assault_close(a);
}

/* A descriptor rides on each byte of a message. */
static void fd_on_every_byte(struct assault *a)
{
	const struct vu_header h = { VU_SET_FEATURES, V, 8 };
	uint8_t bytes[sizeof(h) + 8] = { 0 };

	memcpy(bytes, &h, sizeof(h));
	assault_dial(a);
	for (size_t i = 0; i < sizeof(bytes); i++)
		frontend_send_bytes(&a->f, bytes + i, 1, &a->f.region[0].fd, 1);
	assault_must_end(a);
}

static void no_reading_replies(struct assault *a)
{
	const struct vu_header ask = { VU_GET_FEATURES, V, 0 };

	assault_dial(a);
	fcntl(a->f.sock, F_SETFL, O_NONBLOCK);
	for (unsigned i = 0; i < 20000 && !assault_thrown_out(a); i++)
		send_raw(a, &ask, NULL, 0, NULL, 0);
	assault_must_end(a);
}

/* ---- descriptors ---- */

static void fd_flood(struct assault *a)
{
	static const uint32_t requests[] = { VU_GET_FEATURES, VU_SET_OWNER, VU_SET_FEATURES,
		VU_SET_VRING_KICK, VU_SET_MEM_TABLE, VU_SET_VRING_ENABLE, 200 };
	struct vu_header h = { requests[a->round / 2 % N_ELEMENTS(requests)], V, 0 };
	uint64_t payload = 0;
	int fds[64];

	if (!arrive(a))
		return;
	for (unsigned i = 0; i < N_ELEMENTS(fds); i++)
		fds[i] = a->f.region[0].fd;
	h.size = h.request == VU_GET_FEATURES || h.request == VU_SET_OWNER ? 0 : 8;
	send_raw(a, &h, &payload, h.size, fds, a->round & 2 ? 64 : 8);
	assault_must_end(a);
}

/* Kick, call and err descriptors of the wrong kind. */
static void signal_wrong_kind(struct assault *a)
{
	static const uint32_t requests[] = { VU_SET_VRING_KICK, VU_SET_VRING_CALL,
		VU_SET_VRING_ERR };
	struct vu_header h = { requests[a->round / 2 % N_ELEMENTS(requests)], V, 8 };
	uint64_t payload = 0;
	int fd;

	if (!arrive(a))
		return;
	switch (a->round / 6 % 4) {
	case 0:
		fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
		break;
	case 1:
		fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
		break;
	case 2:
		fd = open("/", O_PATH | O_CLOEXEC);
		break;
	default:
		fd = fcntl(a->f.region[0].fd, F_DUPFD_CLOEXEC, 0);
	}
	send_raw(a, &h, &payload, sizeof(payload), &fd, 1);
	close(fd);
	assault_must_end(a);
}

/*
 * A TCP connection with unsent bytes whose last close waits for them (SO_LINGER), handed to the
 * switch as its last holder. Whoever closes it waits.
 */
static int lingering_socket(void)
{
	const struct linger linger = { 1, 30 };
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t addr_len = sizeof(addr);
	static const char bytes[65536];
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	bind(listener, (struct sockaddr *)&addr, sizeof(addr));
	listen(listener, 1);
	getsockname(listener, (struct sockaddr *)&addr, &addr_len);
	(void)!connect(fd, (struct sockaddr *)&addr, sizeof(addr));
	/* Nobody accepts and nobody reads: what the window does not take stays here. */
	while (send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL) > 0)
		;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	return fd; /* the listener stays open: closing it would reset the connection */
}

static void fd_lingers(struct assault *a)
{
	static const struct {
		uint32_t request, size;
	} carriers[] = {
		{ VU_SET_VRING_ERR, 8 }, /* kept until the end */
		{ VU_SET_BACKEND_REQ_FD, 0 },
		{ VU_SET_OWNER, 0 }, /* refused at once */
		{ VU_SET_MEM_TABLE, 40 },
	};
	unsigned i = (unsigned)(a->round / 2 % N_ELEMENTS(carriers));
	struct vu_header h = { carriers[i].request, V, carriers[i].size };
	uint64_t payload[5] = { 1, 0, 4096, 0, 0 };
	int fd;

	if (a->round >= 64 || !assault_connect(a, &assault_options)) {
		assault_nap_us(1000); /* enough: each costs a socket until the end */
		return;
	}
	if (h.request == VU_SET_VRING_ERR)
		payload[0] = 0;
	if (a->round & 8) /* ends the connection; the rest stays unread */
		send_raw(a, &(struct vu_header) { UINT32_MAX, V, 0 }, NULL, 0, NULL, 0);
	fd = lingering_socket();
	if (send_raw(a, &h, payload, h.size, &fd, 1) < 0) /* we are the last holder */
		setsockopt(
			fd, SOL_SOCKET, SO_LINGER, &(struct linger) { 0 }, sizeof(struct linger));
	close(fd);
	assault_close(a);
}

const struct attack protocol_attacks[] = {
	{ "bad-version", "hangup", bad_version, "messages of other versions, and replies" },
	{ "oversized-payload", "hangup", oversized_payload, "payloads of 4 KiB to 4 GiB" },
	{ "wrong-size", "hangup", wrong_size, "each request with a payload of the wrong size" },
	{ "set-features-garbage", "hangup", set_features_garbage, "features that nobody offered" },
	{ "set-features-churn", "-", set_features_churn, "odd feature sets on a running device" },
	{ "random-messages", "-", random_messages, "random requests with random payloads" },
	{ "random-bytes", "hangup", random_bytes, "bytes that are no messages" },
	{ "half-message", "-", half_message, "messages that stop half-way" },
	{ "fd-on-every-byte", "hangup", fd_on_every_byte, "a descriptor with each byte" },
	{ "no-reading-replies", "hangup", no_reading_replies, "questions without end, no ear" },
	{ "fd-flood", "hangup", fd_flood, "descriptors with messages that want none" },
	{ "signal-wrong-kind", "hangup", signal_wrong_kind,
		"kick, call and err that are no eventfds" },
	{ "fd-lingers", "-", fd_lingers, "sockets whose last close waits" },
	{ 0 },
};
