/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Both ends of the virtio-fs relay. The input is what they send: chunks of
 *
 *    1 byte   bit 7: from the back-end; bits 4 to 6: descriptors that go with it; the rest: length
 *    chunk
 *
 * and then both hang up. What comes out at the other end must be whole messages, requests towards
 * the back-end and replies towards the VMM, none of them GET_CONFIG towards the back-end and no
 * CONFIG among the features accepted; and no descriptor may be left.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "launcher/storage/fs_relay.h"
#include "lib/unix_socket.h"

#define must(condition)                                                                            \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

#define OUTPUT_MAX 65536
#define INPUT_MAX  4096 /* less than what a socket takes in, so that nobody ever waits */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A socket whose peer is the relay. */
struct peer {
	int ours, its;
};

static void open_peer(struct peer *peer)
{
	int pair[2];

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
	peer->ours = pair[0];
	peer->its = pair[1];
}

static void send_chunks(struct peer *peers, const uint8_t *data, size_t size)
{
	const int some_fd[7] = { 0 };

	while (size > 1) {
		uint8_t word = *data++;
		size_t len = word & 0xf, n_fds = word >> 4 & 7;

		size--;
		/* the longest chunk takes in a whole message */
		len = len == 15 ? 300 : len;
		if (len > size)
			len = size;
		if (len > 0)
			(void)unix_send_fds(peers[word >> 7].ours, data, len, some_fd, n_fds);
		data += len;
		size -= len;
	}
	shutdown(peers[0].ours, SHUT_WR);
	shutdown(peers[1].ours, SHUT_WR);
}

static void check_message(const struct vhost_header *h, const uint8_t *payload, bool to_backend)
{
	uint64_t features;

	must((h->flags & VHOST_VERSION_MASK) == VHOST_VERSION);
	must(!(h->flags & VHOST_FLAG_REPLY) == to_backend);
	must(h->size <= sizeof(union vhost_payload));
	must(!to_backend || (h->request != VHOST_GET_CONFIG && h->request != VHOST_SET_CONFIG));
	if (to_backend && h->request == VHOST_SET_PROTOCOL_FEATURES) {
		memcpy(&features, payload, sizeof(features));
		must(!(features >> VHOST_PROTOCOL_F_CONFIG & 1));
	}
}

static size_t receive_all(int fd, uint8_t *out)
{
	size_t have = 0;

	for (;;) {
		int fds[UNIX_FDS_MAX];
		size_t n_fds = UNIX_FDS_MAX;
		ssize_t n = unix_recv_fds(fd, out + have, OUTPUT_MAX - have, fds, &n_fds);

		must(n_fds <= VHOST_FDS_MAX);
		for (size_t i = 0; i < n_fds; i++)
			close(fds[i]);
		if (n <= 0)
			return have;
		have += (size_t)n;
	}
}

static void check_output(int fd, bool to_backend)
{
	static uint8_t out[OUTPUT_MAX];
	size_t have = receive_all(fd, out), at = 0;
	struct vhost_header h;

	while (at < have) {
		must(have - at >= sizeof(h));
		memcpy(&h, out + at, sizeof(h));
		at += sizeof(h);
		must(have - at >= h.size);
		check_message(&h, out + at, to_backend);
		at += h.size;
	}
}

static int lowest_free(void)
{
	int fd = fcntl(0, F_DUPFD_CLOEXEC, 0);

	must(fd >= 0);
	close(fd);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fs_relay relay;
	struct peer peers[2];
	struct err err = { "" };
	int lowest = lowest_free(), ret;

	open_peer(&peers[0]);
	open_peer(&peers[1]);
	send_chunks(peers, data, size < INPUT_MAX ? size : INPUT_MAX);
	must(fs_relay_init(&relay, "sluice", &err) == 0);
	ret = fs_relay_run(&relay, peers[0].its, peers[1].its, &err);
	must(ret <= FS_RELAY_BACK && (ret >= 0) == (err.text[0] == '\0'));
	for (int i = 0; i < 2; i++) {
		close(peers[i].its);
		check_output(peers[i].ours, i == 1);
		close(peers[i].ours);
	}
	must(lowest_free() == lowest);
	return 0;
}
