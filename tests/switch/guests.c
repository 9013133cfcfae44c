/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/switch/guests.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

const struct frontend_options guest_full = {
	.features = ~0ull,
	.protocol_features = ~0ull,
};

static char port_name(unsigned i)
{
	return (char)('a' + i);
}

const char *guests_port(unsigned i, const char *extra)
{
	static char text[8][512];
	static unsigned turn;
	char *p = text[turn++ % 8];

	snprintf(p, sizeof(text[0]),
		"{\"name\":\"%c\",\"kind\":\"vhost-user\",\"socket\":\"DIR/%c.sock\","
		"\"mac\":\"02:00:00:00:00:%02x\",\"mtu\":1500%s%s}",
		port_name(i), port_name(i), i + 1, extra ? "," : "", extra ? extra : "");
	return p;
}

const char *guests_ports(unsigned n, const char *const *extra)
{
	static char ports[GUESTS_MAX * 512];

	strcpy(ports, "[");
	for (unsigned i = 0; i < n; i++) {
		strcat(ports, i ? "," : "");
		strcat(ports, guests_port(i, extra ? extra[i] : NULL));
	}
	strcat(ports, "]");
	return ports;
}

void guests_start_with(struct guests *g, unsigned n, const char *const *extra, const char *settings)
{
	memset(g, 0, sizeof(*g));
	g->n = n;
	testbed_start(&g->t, guests_ports(n, extra), settings);
}

void guests_start_alike(struct guests *g, unsigned n, const char *extra, const char *settings)
{
	const char *each[GUESTS_MAX];

	for (unsigned i = 0; i < n; i++)
		each[i] = extra;
	guests_start_with(g, n, each, settings);
}

void guests_start(struct guests *g, unsigned n, const char *settings)
{
	guests_start_with(g, n, NULL, settings);
}

void guests_stop(struct guests *g)
{
	for (unsigned i = 0; i < g->n; i++)
		frontend_close(&g->f[i]);
	testbed_stop(&g->t);
}

void guests_abandon(struct guests *g)
{
	for (unsigned i = 0; i < g->n; i++)
		frontend_close(&g->f[i]);
	testbed_abandon(&g->t);
}

const char *guests_socket(const struct guests *g, unsigned i)
{
	char name[] = { port_name(i), '.', 's', 'o', 'c', 'k', 0 };

	return testbed_path(&g->t, name);
}

json_t *guests_show(struct guests *g, unsigned i)
{
	const char name[] = { port_name(i), 0 };
	json_t *all = testbed_call(&g->t, "port.show"), *one, *found = NULL;
	size_t at;

	json_array_foreach (all, at, one) {
		const char *ifname = json_string_value(json_object_get(one, "ifname"));

		if (ifname && strcmp(ifname, name) == 0)
			found = json_incref(one);
	}
	json_decref(all);
	assert_non_null(found);
	return found;
}

bool guests_socket_there(const struct guests *g, unsigned i)
{
	struct stat st;

	return lstat(guests_socket(g, i), &st) == 0;
}

void guests_expect_connections(struct guests *g, unsigned i, int n)
{
	const char name[] = { port_name(i), '\0' };
	json_t *port = testbed_port(&g->t, name);

	assert_non_null(port);
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(port, "peer"), "connections")),
		n);
	json_decref(port);
	if (n > 0)
		assert_int_equal(frontend_wait_hangup(&g->f[i], 0), -ETIMEDOUT);
}

void guest_check(struct frontend *f, int code)
{
	if (code < 0)
		fail_msg("%s (%s)", f->why, strerror(-code));
}

void guests_connect(struct guests *g, unsigned i, const struct frontend_options *options)
{
	frontend_close(&g->f[i]);
	guest_check(&g->f[i], frontend_open(&g->f[i], guests_socket(g, i), options));
}

void guests_disconnect(struct guests *g, unsigned i)
{
	frontend_close(&g->f[i]);
}

void guest_send(struct frontend *f, const struct packet *p)
{
	struct iovec iov = { .iov_base = (void *)(uintptr_t)p->byte, .iov_len = p->len };

	guest_check(f, frontend_send(f, &iov, 1, &p->hdr));
}

void guest_recv(struct frontend *f, struct packet *p, struct virtio_net_hdr_mrg_rxbuf *hdr)
{
	ssize_t n = frontend_recv(f, p->byte, sizeof(p->byte), hdr, RECV_MS);

	guest_check(f, (int)n);
	p->len = (uint32_t)n;
	p->hdr = hdr->hdr;
}

void guest_hears_nothing(struct frontend *f)
{
	struct virtio_net_hdr_mrg_rxbuf hdr;
	uint8_t first[PACKET_MAX];
	ssize_t n = frontend_recv(f, first, sizeof(first), &hdr, QUIET_MS);

	if (n >= 0)
		fail_msg("a frame of %zd bytes, from station %u to %u", n, first[11], first[5]);
	assert_int_equal(n, -ETIMEDOUT);
}

void guests_cross(struct guests *g, unsigned from, unsigned to, uint32_t len, uint32_t seed)
{
	static struct packet out, in;
	struct virtio_net_hdr_mrg_rxbuf hdr;

	packet_plain(&out, (uint8_t)(to + 1), (uint8_t)(from + 1), len, seed);
	guest_send(&g->f[from], &out);
	guest_recv(&g->f[to], &in, &hdr);
	assert_int_equal(in.len, out.len);
	assert_memory_equal(in.byte, out.byte, out.len);
	assert_int_equal(hdr.hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM, 0);
	assert_int_equal(hdr.hdr.gso_type, VIRTIO_NET_HDR_GSO_NONE);
}
