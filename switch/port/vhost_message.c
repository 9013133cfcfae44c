/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/port/vhost_message.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lib/unix_socket.h"

void vhost_reader_init(struct vhost_reader *r)
{
	r->have = 0;
	r->message.n_fds = 0;
}

void vhost_reader_next(struct vhost_reader *r)
{
	for (size_t i = 0; i < r->message.n_fds; i++)
		if (r->message.fd[i] >= 0)
			close(r->message.fd[i]);
	vhost_reader_init(r);
}

static int check_header(const struct vhost_header *h)
{
	if ((h->flags & VHOST_VERSION_MASK) != VHOST_VERSION || h->flags & VHOST_FLAG_REPLY)
		return -EPROTO;
	return h->size > sizeof(union vhost_payload) ? -EPROTO : 0;
}

/* Reads up to `want` bytes to where the message has come to; descriptors may ride on any byte. */
static ssize_t read_part(struct vhost_reader *r, int sock, size_t want)
{
	struct vhost_message *m = &r->message;
	uint8_t *to = r->have < sizeof(m->header)
			      ? (uint8_t *)&m->header + r->have
			      : (uint8_t *)&m->payload + (r->have - sizeof(m->header));
	size_t n_fds = VHOST_FDS_MAX - m->n_fds;
	ssize_t n = unix_recv_fds(sock, to, want, m->fd + m->n_fds, &n_fds);

	if (n == -EMSGSIZE)
		return -EPROTO;
	if (n < 0)
		return n;
	m->n_fds += n_fds;
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
