/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/port/vhost_message.h"

#include <errno.h>
#include <string.h>

#include "lib/unix_socket.h"

void vhost_reader_init(struct vhost_reader *r, struct foreign_closer *closer)
{
	r->closer = closer;
	r->have = 0;
	r->message.n_fds = 0;
}

void vhost_reader_next(struct vhost_reader *r)
{
	for (size_t i = 0; i < r->message.n_fds; i++)
		foreign_fd_close(r->closer, r->message.fd[i]);
	vhost_reader_init(r, r->closer);
}

static int check_header(const struct vhost_header *h)
{
	if ((h->flags & VHOST_VERSION_MASK) != VHOST_VERSION || h->flags & VHOST_FLAG_REPLY)
		return -EPROTO;
	return h->size > sizeof(union vhost_payload) ? -EPROTO : 0;
}

/* Moves descriptors into the message; -EPROTO, and all of them gone, if there is no room. */
static int take_fds(struct vhost_reader *r, const int *fd, size_t n)
{
	struct vhost_message *m = &r->message;

	if (n <= VHOST_FDS_MAX - m->n_fds) {
		memcpy(m->fd + m->n_fds, fd, n * sizeof(*fd));
		m->n_fds += n;
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		foreign_fd_close(r->closer, fd[i]);
	return -EPROTO;
}

/* Reads up to `want` bytes to where the message has come to; descriptors may ride on any byte. */
static ssize_t read_part(struct vhost_reader *r, int sock, size_t want)
{
	struct vhost_message *m = &r->message;
	uint8_t *to = r->have < sizeof(m->header)
			      ? (uint8_t *)&m->header + r->have
			      : (uint8_t *)&m->payload + (r->have - sizeof(m->header));
	/* Room for all that the kernel can pass at once: whatever comes is ours to close. */
	int fd[UNIX_FDS_MAX];
	size_t n_fds = UNIX_FDS_MAX;
	ssize_t n = unix_recv_fds(sock, to, want, fd, &n_fds);
	int ret;

	ret = take_fds(r, fd, n_fds);
	if (n == -EMSGSIZE || ret < 0)
		return -EPROTO;
	if (n > 0)
		r->have += (size_t)n;
	return n;
}

int vhost_reader_fill(struct vhost_reader *r, int sock)
{
	const size_t header = sizeof(struct vhost_header);

	for (;;) {
		size_t end = header;
		ssize_t n;

		if (r->have >= header) {
			int ret = check_header(&r->message.header);

			if (ret < 0)
				return ret;
			end += r->message.header.size;
			if (r->have == end)
				return 1;
		}
		n = read_part(r, sock, end - r->have);
		if (n == -EAGAIN || n == -EWOULDBLOCK)
			return 0;
		if (n == -EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? (int)n : -ECONNRESET;
	}
}
