/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/switch/wired_guest.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

struct wired_guest wired = { .far = -1 };

void wired_start(const char *options, bool with_wire)
{
	char ports[512];

	if (with_wire) {
		wire_create("near", "far", 0);
		wired.far = wire_open("far");
	}
	memset(&wired.guests, 0, sizeof(wired.guests));
	wired.guests.n = 1;
	snprintf(ports, sizeof(ports),
		"[{\"name\":\"a\",\"kind\":\"vhost-user\",\"socket\":\"DIR/a.sock\"},"
		"{\"name\":\"wire\",\"kind\":\"packet\",\"interface\":\"near\"%s}]",
		options);
	testbed_start(&wired.guests.t, ports, NULL);
	guests_connect(&wired.guests, 0, &guest_full);
}

void wired_stop(void)
{
	if (wired.guests.t.pid > 0)
		kill(wired.guests.t.pid, SIGCONT);
	guests_abandon(&wired.guests);
	if (wired.far >= 0)
		close(wired.far);
	wired.far = -1;
	wire_delete("near");
	wire_delete("other");
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void wired_reopen(const char *end)
{
	if (wired.far >= 0)
		close(wired.far);
	wired.far = wire_open(end);
}

void wired_send(bool to_guest)
{
	if (to_guest)
		wire_send(wired.far, &wired.out);
	else
		guest_send(&wired.guests.f[0], &wired.out);
}

bool wired_heard(bool to_guest, int ms)
{
	struct virtio_net_hdr_mrg_rxbuf hdr;
	int64_t deadline = now_ms() + ms;

	while (now_ms() < deadline) {
		ssize_t n = to_guest ? frontend_recv(&wired.guests.f[0], wired.in.byte,
					       sizeof(wired.in.byte), &hdr, 10)
			    : wire_try_recv(wired.far, &wired.in, 10) ? (ssize_t)wired.in.len
								      : -ETIMEDOUT;

		if (n == -ETIMEDOUT)
			continue;
		guest_check(&wired.guests.f[0], (int)n);
		if (n == (ssize_t)wired.out.len &&
			memcmp(wired.in.byte, wired.out.byte, wired.out.len) == 0)
			return true;
	}
	return false;
}

void wired_expect_flow(uint32_t seed)
{
	int64_t deadline = now_ms() + RECOVER_MS;

	for (unsigned way = 0; way < 2; way++) {
		packet_plain(
			&wired.out, way ? GUEST : FAR, way ? FAR : GUEST, 1000, 2 * seed + way);
		do {
			if (now_ms() > deadline)
				fail_msg("nothing crosses %s the guest (round %u)",
					way ? "to" : "from", seed);
			wired_send(way);
		} while (!wired_heard(way, 50));
	}
}

void wired_expect_down(const char *reason)
{
	int64_t before;

	wire_wait_status(&wired.guests.t, "wire", "reason", reason);
	assert_string_equal(wire_status(&wired.guests.t, "wire", "operstate"), "down");
	before = testbed_drops(&wired.guests.t, "wire", "port_down");
	packet_plain(&wired.out, FAR, GUEST, 100, 0);
	for (unsigned i = 0; i < 5; i++)
		guest_send(&wired.guests.f[0], &wired.out);
	testbed_wait_drops(&wired.guests.t, "wire", "port_down", before + 5);
}
