/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A VMM's side of a connection: whatever the input says, message after message. The input is a
 * sequence of
 *
 *    1 byte   length of the chunk that follows; it is sent in one piece
 *    1 byte   descriptors that go with it: low nibble how many, high nibble what they are (0 guest
 *             memory, 1 an eventfd, 2 a directory, 3 a pipe)
 *    chunk
 *
 * through a socket pair, the reader and the engine. After every message the rings that run must lie
 * in guest memory, nothing may have changed while a ring was in use, and in the end no descriptor
 * may be left.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/unix_socket.h"
#include "switch/port/vhost_user.h"

#define MEMORY_SIZE 0x10000
#define N_KINDS     4

#define must(condition)                                                                            \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct vhost_user vu;
static int n_watched;
static const struct vhost_message *handling; /* the request being carried out; NULL: none */

/* Whether carrying out the request stops this ring. */
static bool parks(unsigned ring)
{
	if (!handling)
		return true;
	switch (handling->header.request) {
	case VHOST_SET_VRING_CALL:
		return false; /* swapped in under the running ring; only the old one is waited for
			       */
	case VHOST_SET_VRING_KICK:
		return ring == (handling->payload.u64 & VHOST_VRING_IDX_MASK);
	case VHOST_SET_VRING_NUM:
	case VHOST_SET_VRING_ADDR:
	case VHOST_SET_VRING_BASE:
	case VHOST_GET_VRING_BASE:
	case VHOST_SET_VRING_ENABLE:
		return ring == handling->payload.state.index;
	default:
		return true;
	}
}

static void quiesce(void *ctx)
{
	for (unsigned i = 0; i < VHOST_RINGS_MAX; i++)
		must(!parks(i) || virtqueue_state(&vu.ring[i]) < VIRTQUEUE_DISABLED);
}

static int watch(void *ctx, const struct port *port, unsigned queue, int fd)
{
	n_watched++;
	return 0;
}

static void unwatch(void *ctx, int fd)
{
	n_watched--;
}

static void wake(void *ctx)
{
}

static const struct port_host host = {
	.quiesce = quiesce,
	.watch = watch,
	.unwatch = unwatch,
	.wake = wake,
	.attention_fd = -1,
};

/* One descriptor of each kind, made once. */
static const int *kinds(void)
{
	static int fd[N_KINDS] = { -1 };
	int pipe_fd[2];

	if (fd[0] >= 0)
		return fd;
	fd[0] = memfd_create("guest", MFD_CLOEXEC);
	must(fd[0] >= 0 && ftruncate(fd[0], MEMORY_SIZE) == 0);
	fd[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	fd[2] = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(pipe2(pipe_fd, O_CLOEXEC | O_NONBLOCK) == 0);
	fd[3] = pipe_fd[1];
	must(fd[1] >= 0 && fd[2] >= 0);
	return fd;
}

static bool in_memory(const void *at, uint64_t len)
{
	for (unsigned i = 0; i < vu.memory.n; i++) {
		const struct guest_region *r = &vu.memory.region[i];
		uint64_t offset = (uint64_t)((const uint8_t *)at - r->host);

		if (offset < r->size && len <= r->size - offset)
			return true;
	}
	return false;
}

static void check_rings(void)
{
	for (unsigned i = 0; i < VHOST_RINGS_MAX; i++) {
		const struct virtqueue *vq = &vu.ring[i];

		if (virtqueue_state(vq) == VIRTQUEUE_STOPPED)
			continue;
		must(vq->size && (vq->size & (vq->size - 1)) == 0);
		must(in_memory(vq->desc, vq->size * sizeof(struct vring_desc)));
		must(in_memory(vq->avail, 6 + 2u * vq->size));
		must(in_memory(vq->used, 6 + 8u * vq->size));
	}
}

/* As the server: false when the connection ends. */
static bool serve(struct vhost_reader *r, int sock)
{
	for (;;) {
		struct err err = { "" };
		int ret = vhost_reader_fill(r, sock);

		if (ret == 0)
			return true;
		if (ret < 0)
			return false;
		handling = &r->message;
		ret = vhost_user_handle(&vu, &r->message, &err);
		handling = NULL;
		check_rings();
		if (ret == 1)
			must(r->message.header.size <= sizeof(union vhost_payload));
		if (ret < 0) {
			must(err.text[0]);
			(void)vhost_user_nack(&vu, &r->message);
			return false;
		}
		vhost_reader_next(r);
	}
}

static void play(const uint8_t *data, size_t size, const int pair[2])
{
	struct vhost_reader reader;

	vhost_reader_init(&reader, NULL);
	while (size >= 2) {
		size_t len = data[0] < size - 2 ? data[0] : size - 2;
		size_t n_fds = len ? data[1] & 15 : 0;
		int fds[15];

		for (size_t i = 0; i < n_fds; i++)
			fds[i] = kinds()[data[1] >> 4 & (N_KINDS - 1)];
		if (len && unix_send_fds(pair[1], data + 2, len, fds, n_fds) != (ssize_t)len)
			break;
		if (!serve(&reader, pair[0]))
			break;
		data += 2 + len;
		size -= 2 + len;
	}
	vhost_reader_next(&reader);
}

/* The lowest free descriptor: the same before and after if nothing leaks. */
static int lowest_free(void)
{
	int fd = fcntl(kinds()[0], F_DUPFD_CLOEXEC, 0);

	must(fd >= 0);
	close(fd);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vhost_offer offer = {
		.features = UINT64_MAX,
		.protocol_features = UINT64_MAX,
		.n_rings = VHOST_RINGS_MAX,
	};
	int before = lowest_free(), pair[2];

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
	vhost_user_init(&vu, &host, NULL, &offer, NULL);
	play(data, size, pair);
	vhost_user_reset(&vu);
	close(pair[0]);
	close(pair[1]);
	must(n_watched == 0);
	must(vu.memory.n == 0);
	must(lowest_free() == before);
	return 0;
}
