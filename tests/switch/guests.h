/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Guests of a switch under test. Ports "a", "b", … are vhost-user ports with sockets DIR/a.sock,
 * …; guest n sits on the n-th and has the address of station n + 1.
 */

#include "tests/fakes/front_net.h"
#include "tests/switch/packets.h"
#include "tests/switch/testbed.h"

#define GUESTS_MAX 6
#define RECV_MS    30000
#define QUIET_MS   30 /* how long nothing must come for "nothing comes" */

struct guests {
	struct testbed t;
	struct frontend f[GUESTS_MAX];
	unsigned n;
};

/* Everything there is, EVENT_IDX, mergeable 4 KiB buffers, indirect, a 12-byte header. */
extern const struct frontend_options guest_full;

/* Starts a switch with n ports; nobody is connected. */
void guests_start(struct guests *g, unsigned n, const char *settings);
/* The same, port i with `extra[i]`: more members of its configuration, or NULL. */
void guests_start_with(
	struct guests *g, unsigned n, const char *const *extra, const char *settings);
/* Such a port's configuration, in a static buffer (eight of them in turn). */
const char *guests_port(unsigned i, const char *extra);
/* The configuration of ports 0 to n - 1 as a JSON array, in a static buffer. */
const char *guests_ports(unsigned n, const char *const *extra);
/* The same with the same more members of each port (such as "\"queues\": 4"). */
void guests_start_alike(struct guests *g, unsigned n, const char *extra, const char *settings);
void guests_stop(struct guests *g);
/* For a test's teardown: also after a failure. */
void guests_abandon(struct guests *g);

/* (Re)connects guest i with a fresh memory; fails the test if that fails. */
void guests_connect(struct guests *g, unsigned i, const struct frontend_options *options);
void guests_disconnect(struct guests *g, unsigned i);

const char *guests_socket(const struct guests *g, unsigned i);

bool guests_socket_there(const struct guests *g, unsigned i);
/* How often somebody has connected to the port; if ever, guest i must still be connected. */
void guests_expect_connections(struct guests *g, unsigned i, int n);

/* The object of `port.show` for guest i's port, owned by the caller. */
json_t *guests_show(struct guests *g, unsigned i);

/* These fail the test with the front-end's own words. */
void guest_send(struct frontend *f, const struct packet *p);
void guest_recv(struct frontend *f, struct packet *p, struct virtio_net_hdr_mrg_rxbuf *hdr);
void guest_hears_nothing(struct frontend *f);
void guest_check(struct frontend *f, int code);

/* One plain frame of `len` bytes from guest `from` arrives unchanged at guest `to`. */
void guests_cross(struct guests *g, unsigned from, unsigned to, uint32_t len, uint32_t seed);
