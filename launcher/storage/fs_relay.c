/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/storage/fs_relay.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "lib/unix_socket.h"

#define CONFIG_HEADER_LEN offsetof(struct vhost_config_payload, region)

static const char *const end_name[] = { "the VMM", "virtiofsd" };

/* A message in the making, from one end. */
struct lane {
	enum fs_relay_end from;
	int in, out;
	struct vhost_message message;
	size_t have; /* bytes of header and payload so far */
};

int fs_relay_init(struct fs_relay *relay, const char *tag, struct err *err)
{
	size_t len = strlen(tag);

	if (len < 1 || len > FS_RELAY_TAG_MAX)
		return err_set(err, -EINVAL, "the tag \"%s\" is not of 1 to %d bytes", tag,
			FS_RELAY_TAG_MAX);
	*relay = (struct fs_relay) { .config.n_request_queues = htole32(1) };
	lost_calls_init(&relay->calls);
	memcpy(relay->config.tag, tag, len);
	return 0;
}

/* --- what becomes of a message --------------------------------------------------------------- */

/* An answer of `size` bytes; none at all says that the request cannot be met. */
static int answer(struct vhost_message *m, uint32_t size)
{
	m->header.flags = VHOST_VERSION | VHOST_FLAG_REPLY;
	m->header.size = size;
	return FS_RELAY_ANSWER;
}

static int answer_config(const struct fs_relay *relay, struct vhost_message *m)
{
	struct vhost_config_payload *c = &m->payload.config;

	if (m->header.size < CONFIG_HEADER_LEN)
		return -EPROTO;
	if (c->offset > sizeof(relay->config) || c->size > sizeof(relay->config) - c->offset)
		return answer(m, 0);
	memcpy(c->region, (const uint8_t *)&relay->config + c->offset, c->size);
	return answer(m, CONFIG_HEADER_LEN + c->size);
}

/* The device's configuration cannot be written: not zero, if the guest's VMM wants to know. */
static int refuse_config(const struct fs_relay *relay, struct vhost_message *m)
{
	if (!relay->acks || !(m->header.flags & VHOST_FLAG_NEED_ACK))
		return FS_RELAY_SWALLOW;
	m->payload.u64 = 1;
	return answer(m, sizeof(m->payload.u64));
}

static int decide_request(struct fs_relay *relay, struct vhost_message *m)
{
	if (m->header.flags & VHOST_FLAG_REPLY)
		return -EPROTO;
	switch (m->header.request) {
	case VHOST_GET_CONFIG:
		return answer_config(relay, m);
	case VHOST_SET_CONFIG:
		return refuse_config(relay, m);
	case VHOST_SET_PROTOCOL_FEATURES:
		if (m->header.size != sizeof(m->payload.u64))
			return -EPROTO;
		m->payload.u64 &= ~(UINT64_C(1) << VHOST_PROTOCOL_F_CONFIG);
		relay->acks = m->payload.u64 >> VHOST_PROTOCOL_F_REPLY_ACK & 1;
		return FS_RELAY_PASS;
	default:
		return FS_RELAY_PASS;
	}
}

static int decide_reply(struct vhost_message *m)
{
	if (!(m->header.flags & VHOST_FLAG_REPLY))
		return -EPROTO;
	if (m->header.request != VHOST_GET_PROTOCOL_FEATURES)
		return FS_RELAY_PASS;
	if (m->header.size != sizeof(m->payload.u64))
		return -EPROTO;
	m->payload.u64 |= UINT64_C(1) << VHOST_PROTOCOL_F_CONFIG;
	return FS_RELAY_PASS;
}

int fs_relay_decide(struct fs_relay *relay, enum fs_relay_end from, struct vhost_message *m)
{
	return from == FS_RELAY_FRONT ? decide_request(relay, m) : decide_reply(m);
}

/* --- the wire -------------------------------------------------------------------------------- */

static void lane_clear(struct lane *lane)
{
	for (size_t i = 0; i < lane->message.n_fds; i++)
		close(lane->message.fd[i]);
	lane->message.n_fds = 0;
	lane->have = 0;
}

/* Where byte `at` of a message, header and payload, is kept. */
static uint8_t *message_byte(struct vhost_message *m, size_t at)
{
	const size_t header = sizeof(m->header);

	return at < header ? (uint8_t *)&m->header + at : (uint8_t *)&m->payload + (at - header);
}

/* As recvmsg(2), and descriptors join the message: they may ride on any of its bytes. */
static ssize_t read_part(struct lane *lane, size_t want)
{
	struct vhost_message *m = &lane->message;
	size_t n_fds = VHOST_FDS_MAX - m->n_fds;
	ssize_t n = unix_recv_fds(
		lane->in, message_byte(m, lane->have), want, m->fd + m->n_fds, &n_fds);

	m->n_fds += n_fds;
	if (n > 0)
		lane->have += (size_t)n;
	return n == -EMSGSIZE ? -EPROTO : n;
}

/* 1: the message is complete; 0: the socket has no more for now; -ECONNRESET: hung up. */
static int lane_fill(struct lane *lane)
{
	struct vhost_header *h = &lane->message.header;

	for (;;) {
		size_t end = sizeof(*h);
		ssize_t n;

		if (lane->have >= sizeof(*h)) {
			if ((h->flags & VHOST_VERSION_MASK) != VHOST_VERSION ||
				h->size > sizeof(lane->message.payload))
				return -EPROTO;
			end += h->size;
			if (lane->have == end)
				return 1;
		}
		n = read_part(lane, end - lane->have);
		if (n <= 0)
			return n == -EAGAIN ? 0 : n < 0 ? (int)n : -ECONNRESET;
	}
}

/* Waits until `fd` takes more: messages are short, so only an end that does not read gets here. */
static int await_room(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };
	int ret;

	do {
		ret = poll(&pfd, 1, FS_RELAY_PATIENCE_MS);
	} while (ret < 0 && errno == EINTR);
	return ret > 0 ? 0 : ret < 0 ? -errno : -ETIMEDOUT;
}

/* Descriptors go with the first byte. */
static int send_message(int fd, struct vhost_message *m)
{
	uint8_t wire[sizeof(m->header) + sizeof(m->payload)];
	size_t len = sizeof(m->header) + m->header.size, sent = 0;

	memcpy(wire, &m->header, sizeof(m->header));
	memcpy(wire + sizeof(m->header), &m->payload, m->header.size);
	while (sent < len) {
		ssize_t n =
			unix_send_fds(fd, wire + sent, len - sent, m->fd, sent == 0 ? m->n_fds : 0);

		if (n > 0)
			sent += (size_t)n;
		else if (n == -EAGAIN)
			n = await_room(fd);
		if (n < 0)
			return (int)n;
	}
	return 0;
}

static int forward(struct fs_relay *relay, struct lane *lane, struct err *err)
{
	enum fs_relay_end to = lane->from == FS_RELAY_FRONT ? FS_RELAY_BACK : FS_RELAY_FRONT;
	int way = fs_relay_decide(relay, lane->from, &lane->message);
	int ret = 0;

	if (way < 0)
		return err_set(err, way, "%s sent a message that makes no sense (request %u)",
			end_name[lane->from], lane->message.header.request);
	if (way == FS_RELAY_PASS) {
		if (lane->from == FS_RELAY_FRONT)
			lost_calls_note(&relay->calls, &lane->message);
		ret = send_message(lane->out, &lane->message);
	} else if (way == FS_RELAY_ANSWER) {
		to = lane->from;
		ret = send_message(lane->in, &lane->message);
	}
	if (ret < 0 && ret != -EPIPE && ret != -ECONNRESET)
		return err_errno(err, -ret, "cannot pass a message on to %s", end_name[to]);
	return ret < 0 ? -ECONNRESET : 0;
}

/* All that the lane's end has sent so far. */
static int serve(struct fs_relay *relay, struct lane *lane, struct err *err)
{
	for (;;) {
		int ret = lane_fill(lane);

		if (ret < 0 && ret != -ECONNRESET)
			err_errno(err, -ret, "%s does not speak vhost-user", end_name[lane->from]);
		if (ret <= 0)
			return ret;
		ret = forward(relay, lane, err);
		if (ret < 0)
			return ret;
		lane_clear(lane);
	}
}

static int relay_until_end(struct fs_relay *relay, struct lane *lanes, struct err *err)
{
	struct pollfd pfd[] = { { .fd = lanes[0].in, .events = POLLIN },
		{ .fd = lanes[1].in, .events = POLLIN } };

	for (;;) {
		int n = poll(pfd, 2, lost_calls_timeout_ms(&relay->calls));

		if (n < 0 && errno == EINTR)
			continue; /* `revents` are the last time's */
		if (n < 0)
			return err_errno(err, errno, "cannot wait for messages");
		if (n == 0)
			lost_calls_look(&relay->calls);
		for (int i = 0; i < 2; i++) {
			int ret = pfd[i].revents != 0 ? serve(relay, &lanes[i], err) : 0;

			if (ret < 0)
				return ret;
		}
	}
}

/* Which of the two it was: a VMM whose back-end is gone has not hung up yet. */
static int who_hung_up(int back)
{
	struct pollfd pfd = { .fd = back, .events = POLLRDHUP };

	return poll(&pfd, 1, 0) > 0 ? FS_RELAY_BACK : 0;
}

int fs_relay_run(struct fs_relay *relay, int front, int back, struct err *err)
{
	struct lane lanes[] = { { .from = FS_RELAY_FRONT, .in = front, .out = back },
		{ .from = FS_RELAY_BACK, .in = back, .out = front } };
	int ret = relay_until_end(relay, lanes, err);

	lane_clear(&lanes[0]);
	lane_clear(&lanes[1]);
	lost_calls_close(&relay->calls);
	return ret == -ECONNRESET ? who_hung_up(back) : ret;
}
