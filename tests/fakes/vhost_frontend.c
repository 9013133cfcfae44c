/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/fakes/vhost_frontend.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tests/fakes/front_net.h"

#define MESSAGE_MAX 4096

int frontend_fail(struct frontend *f, int code, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(f->why, sizeof(f->why), fmt, args);
	va_end(args);
	return code;
}

int64_t frontend_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* ---- messages ---- */

int frontend_send_bytes(
	struct frontend *f, const void *bytes, size_t len, const int *fds, size_t n_fds)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(64 * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (n_fds > 64)
		return frontend_fail(f, -EINVAL, "more descriptors than a message can carry");
	if (n_fds) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		CMSG_FIRSTHDR(&msg)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&msg)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&msg)->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), fds, n_fds * sizeof(int));
	}
	n = sendmsg(f->sock, &msg, MSG_NOSIGNAL);
	if (n < 0)
		return frontend_fail(f, -errno, "sendmsg: %s", strerror(errno));
	if ((size_t)n < len)
		return frontend_fail(f, -EAGAIN, "the backend reads nothing");
	f->n_sent++;
	return 0;
}

static int send_message(struct frontend *f, uint32_t request, uint32_t flags, const void *payload,
	uint32_t size, const int *fds, size_t n_fds)
{
	uint8_t message[MESSAGE_MAX];
	struct vu_header header = { request, VU_VERSION | flags, size };

	if (sizeof(header) + size > sizeof(message))
		return frontend_fail(f, -EINVAL, "payload too long");
	memcpy(message, &header, sizeof(header));
	if (size)
		memcpy(message + sizeof(header), payload, size);
	return frontend_send_bytes(f, message, sizeof(header) + size, fds, n_fds);
}

int frontend_message(struct frontend *f, uint32_t request, const void *payload, uint32_t size,
	const int *fds, size_t n_fds)
{
	return send_message(f, request, 0, payload, size, fds, n_fds);
}

static int read_exactly(struct frontend *f, void *buf, size_t len)
{
	int64_t deadline = frontend_now_ms() + f->options.timeout_ms;
	size_t got = 0;

	while (got < len) {
		struct pollfd p = { .fd = f->sock, .events = POLLIN };
		int64_t left = deadline - frontend_now_ms();
		ssize_t n;

		if (left <= 0 || poll(&p, 1, (int)left) == 0)
			return frontend_fail(f, -ETIMEDOUT, "the backend does not answer");
		n = recv(f->sock, (uint8_t *)buf + got, len - got, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return frontend_fail(f, -ECONNRESET, "the backend hung up");
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return frontend_fail(f, -errno, "recv: %s", strerror(errno));
		if (n > 0)
			got += (size_t)n;
	}
	return 0;
}

int frontend_read_message(
	struct frontend *f, struct vu_header *header, void *payload, size_t payload_max)
{
	int r = read_exactly(f, header, sizeof(*header));

	if (r < 0)
		return r;
	if (header->size > payload_max)
		return frontend_fail(
			f, -EPROTO, "reply of %u bytes, room for %zu", header->size, payload_max);
	return read_exactly(f, payload, header->size);
}

static int read_reply(struct frontend *f, uint32_t request, void *reply, size_t reply_max)
{
	struct vu_header h;
	int r = frontend_read_message(f, &h, reply, reply_max);

	if (r < 0)
		return r;
	if (h.request != request || (h.flags & (VU_VERSION | VU_REPLY)) != (VU_VERSION | VU_REPLY))
		return frontend_fail(f, -EPROTO, "reply to request %u has request %u, flags %#x",
			request, h.request, h.flags);
	return (int)h.size;
}

int frontend_get(struct frontend *f, uint32_t request, const void *payload, uint32_t size,
	void *reply, size_t reply_max)
{
	int r = send_message(f, request, 0, payload, size, NULL, 0);

	return r < 0 ? r : read_reply(f, request, reply, reply_max);
}

int frontend_get_u64(struct frontend *f, uint32_t request, uint64_t *value)
{
	int r = frontend_get(f, request, NULL, 0, value, sizeof(*value));

	if (r < 0)
		return r;
	if (r != sizeof(*value))
		return frontend_fail(f, -EPROTO, "reply to %u has %d bytes, not 8", request, r);
	return 0;
}

int frontend_set(struct frontend *f, uint32_t request, const void *payload, uint32_t size,
	const int *fds, size_t n_fds)
{
	bool ack = f->protocol & VU_PROTOCOL_REPLY_ACK;
	uint64_t answer = 0;
	int r = send_message(f, request, ack ? VU_NEED_REPLY : 0, payload, size, fds, n_fds);

	if (r < 0)
		return r;
	if (!ack)
		return frontend_get_u64(f, VU_GET_FEATURES, &answer);
	r = read_reply(f, request, &answer, sizeof(answer));
	if (r < 0)
		return r;
	if (answer)
		return frontend_fail(f, -EREMOTEIO, "the backend refused request %u", request);
	return 0;
}

int frontend_set_u64(struct frontend *f, uint32_t request, uint64_t value)
{
	return frontend_set(f, request, &value, sizeof(value), NULL, 0);
}

int frontend_get_config(struct frontend *f, uint32_t offset, void *out, uint32_t len)
{
	struct vu_config ask = { .offset = offset, .size = len }, answer;
	int r = frontend_get(f, VU_GET_CONFIG, &ask, 12 + len, &answer, sizeof(answer));

	if (r < 0)
		return r;
	if ((uint32_t)r != 12 + len || answer.offset != offset || answer.size != len)
		return frontend_fail(f, -EPROTO, "config reply of %d bytes, offset %u, size %u", r,
			answer.offset, answer.size);
	memcpy(out, answer.region, len);
	return 0;
}

/* ---- set-up ---- */

static int set_address(struct frontend *f, struct sockaddr_un *addr, const char *path)
{
	*addr = (struct sockaddr_un) { .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(addr->sun_path))
		return frontend_fail(f, -ENAMETOOLONG, "%s", path);
	strcpy(addr->sun_path, path);
	return 0;
}

static void bound_sending(struct frontend *f)
{
	struct timeval patience = { .tv_sec = f->options.timeout_ms / 1000 + 1 };

	setsockopt(f->sock, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
}

int frontend_connect(struct frontend *f, const char *path)
{
	struct sockaddr_un addr;
	int r = set_address(f, &addr, path);

	frontend_disconnect(f);
	if (r < 0)
		return r;
	f->sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (f->sock < 0)
		return frontend_fail(f, -errno, "socket: %s", strerror(errno));
	bound_sending(f);
	if (connect(f->sock, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		int code = -errno;

		frontend_disconnect(f);
		return frontend_fail(f, code, "%s: %s", path, strerror(-code));
	}
	return 0;
}

/* A socket file that is left behind would look like the backend's. */
static void stop_listening(struct frontend *f)
{
	struct sockaddr_un addr;
	socklen_t len = sizeof(addr);

	if (f->listener >= 0 && getsockname(f->listener, (struct sockaddr *)&addr, &len) == 0)
		unlink(addr.sun_path);
	close_fd(&f->listener);
}

int frontend_listen(struct frontend *f, const char *path)
{
	struct sockaddr_un addr;
	int r = set_address(f, &addr, path);

	if (r < 0)
		return r;
	stop_listening(f);
	f->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (f->listener < 0 || bind(f->listener, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
		listen(f->listener, 1) < 0)
		return frontend_fail(f, -errno, "%s: %s", path, strerror(errno));
	return 0;
}

int frontend_accept(struct frontend *f)
{
	struct pollfd p = { .fd = f->listener, .events = POLLIN };

	frontend_disconnect(f);
	if (poll(&p, 1, f->options.timeout_ms) <= 0)
		return frontend_fail(f, -ETIMEDOUT, "no backend connects");
	f->sock = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC);
	if (f->sock < 0)
		return frontend_fail(f, -errno, "accept: %s", strerror(errno));
	bound_sending(f);
	return 0;
}

int frontend_negotiate(struct frontend *f)
{
	int r = frontend_get_u64(f, VU_GET_FEATURES, &f->offered);

	f->protocol = 0;
	if (r < 0)
		return r;
	if (f->offered & f->options.features & VF_PROTOCOL_FEATURES) {
		uint64_t accept;

		r = frontend_get_u64(f, VU_GET_PROTOCOL_FEATURES, &f->protocol_offered);
		if (r < 0)
			return r;
		accept = f->protocol_offered & f->options.protocol_features;
		r = frontend_message(f, VU_SET_PROTOCOL_FEATURES, &accept, sizeof(accept), NULL, 0);
		if (r < 0)
			return r;
		f->protocol = accept;
	}
	r = frontend_set(f, VU_SET_OWNER, NULL, 0, NULL, 0);
	if (r < 0)
		return r;
	f->features = f->offered & f->options.features;
	return frontend_set_u64(f, VU_SET_FEATURES, f->features);
}

int frontend_set_mem_table(struct frontend *f)
{
	struct vu_memory memory = { .n_regions = f->n_regions };
	int fds[VU_REGIONS_MAX];

	if (f->n_regions > VU_REGIONS_MAX)
		return frontend_fail(f, -E2BIG, "%u regions in one table", f->n_regions);
	for (unsigned i = 0; i < f->n_regions; i++) {
		const struct front_region *r = &f->region[i];

		memory.region[i] =
			(struct vu_region) { r->gpa, r->size, (uintptr_t)r->at, r->file_offset };
		fds[i] = r->fd;
	}
	return frontend_set(f, VU_SET_MEM_TABLE, &memory,
		8 + f->n_regions * (uint32_t)sizeof(struct vu_region), fds, f->n_regions);
}

static int send_region(struct frontend *f, uint32_t request, unsigned region)
{
	const struct front_region *r = &f->region[region];
	struct vu_single_region m = { 0, { r->gpa, r->size, (uintptr_t)r->at, r->file_offset } };

	return frontend_set(f, request, &m, sizeof(m), &r->fd, request == VU_ADD_MEM_REG);
}

int frontend_plug(struct frontend *f, unsigned region)
{
	return send_region(f, VU_ADD_MEM_REG, region);
}

int frontend_unplug(struct frontend *f, unsigned region)
{
	return send_region(f, VU_REM_MEM_REG, region);
}

int frontend_set_vring_fd(struct frontend *f, uint32_t request, unsigned queue, int *fd)
{
	uint64_t index = queue;

	if (*fd >= 0)
		close(*fd);
	*fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (*fd < 0)
		return frontend_fail(f, -errno, "eventfd: %s", strerror(errno));
	return frontend_set(f, request, &index, sizeof(index), fd, 1);
}

static int set_vring_state(struct frontend *f, uint32_t request, unsigned queue, uint32_t num)
{
	struct vu_vring_state state = { queue, num };

	return frontend_set(f, request, &state, sizeof(state), NULL, 0);
}

int frontend_enable_queue(struct frontend *f, unsigned queue, bool enable)
{
	return set_vring_state(f, VU_SET_VRING_ENABLE, queue, enable);
}

int frontend_start_queue(struct frontend *f, unsigned queue, uint16_t base)
{
	struct front_queue *q = &f->queue[queue];
	struct vu_vring_addr addr = {
		.index = queue,
		.desc = (uintptr_t)q->desc,
		.used = (uintptr_t)q->used,
		.avail = (uintptr_t)q->avail,
	};
	int r = set_vring_state(f, VU_SET_VRING_NUM, queue, q->size);

	if (r == 0)
		r = set_vring_state(f, VU_SET_VRING_BASE, queue, base);
	if (r == 0)
		r = frontend_set(f, VU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
	if (r == 0)
		r = frontend_set_vring_fd(f, VU_SET_VRING_ERR, queue, &q->err);
	if (r == 0)
		r = frontend_set_vring_fd(f, VU_SET_VRING_CALL, queue, &q->call);
	if (r == 0)
		r = frontend_set_vring_fd(f, VU_SET_VRING_KICK, queue, &q->kick);
	if (r == 0 && (f->features & VF_PROTOCOL_FEATURES))
		r = frontend_enable_queue(f, queue, true);
	return r;
}

int frontend_stop_queue(struct frontend *f, unsigned queue, uint16_t *base)
{
	struct vu_vring_state ask = { .index = queue }, answer;
	int r = frontend_get(f, VU_GET_VRING_BASE, &ask, sizeof(ask), &answer, sizeof(answer));

	if (r < 0)
		return r;
	if (r != sizeof(answer) || answer.index != queue || answer.num > UINT16_MAX)
		return frontend_fail(f, -EPROTO, "ring %u: base reply of %d bytes: ring %u, %u",
			queue, r, answer.index, answer.num);
	*base = (uint16_t)answer.num;
	return 0;
}

int frontend_serve(struct frontend *f)
{
	unsigned pair = f->pair;
	int r = frontend_negotiate(f);

	if (r == 0)
		r = frontend_set_mem_table(f);
	for (f->pair = 0; r == 0 && 2 * f->pair < frontend_n_queues(f); f->pair++)
		frontend_fill(f);
	f->pair = pair;
	for (unsigned i = 0; i < frontend_n_queues(f) && r == 0; i++)
		r = frontend_start_queue(f, i, f->queue[i].used_idx);
	return r;
}

int frontend_start(struct frontend *f, const char *path)
{
	int r = frontend_connect(f, path);

	return r < 0 ? r : frontend_serve(f);
}

int frontend_open(struct frontend *f, const char *path, const struct frontend_options *options)
{
	int r = frontend_init(f, options);

	return r < 0 ? r : frontend_start(f, path);
}

/* ---- the end ---- */

void frontend_disconnect(struct frontend *f)
{
	close_fd(&f->sock);
}

int frontend_wait_hangup(struct frontend *f, int timeout_ms)
{
	struct pollfd p = { .fd = f->sock, .events = POLLRDHUP };

	if (poll(&p, 1, timeout_ms) > 0 && (p.revents & (POLLRDHUP | POLLHUP)))
		return 0;
	return frontend_fail(f, -ETIMEDOUT, "still connected");
}

void frontend_close(struct frontend *f)
{
	if (!f->scratch)
		return;
	frontend_disconnect(f);
	stop_listening(f);
	for (unsigned i = 0; i < 2 * FRONT_PAIRS_MAX; i++) {
		close_fd(&f->queue[i].kick);
		close_fd(&f->queue[i].call);
		close_fd(&f->queue[i].err);
		free(f->queue[i].free);
		f->queue[i].free = NULL;
	}
	while (f->n_regions)
		frontend_drop_region(f);
	free(f->scratch);
	f->scratch = NULL;
}
