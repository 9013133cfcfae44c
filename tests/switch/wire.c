/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/switch/wire.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>

#include <cmocka.h>

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

#define WAIT_MS 60000

void wire_create(const char *near, const char *far, int index)
{
	char command[256], with_index[32] = "";

	if (index)
		snprintf(with_index, sizeof(with_index), "index %d", index);
	snprintf(command, sizeof(command), "ip link add name %s %s type veth peer name %s", near,
		with_index, far);
	testbed_run(command);
	/* No address, no router solicitations. */
	for (unsigned i = 0; i < 2; i++) {
		snprintf(command, sizeof(command), "ip link set %s addrgenmode none up",
			i ? far : near);
		testbed_run(command);
	}
}

void wire_delete(const char *end)
{
	char command[64];

	if (if_nametoindex(end) == 0)
		return;
	snprintf(command, sizeof(command), "ip link del %s", end);
	testbed_run(command);
}

int wire_try_open(const char *end)
{
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(end),
	};
	int fd, one = 1;

	if (addr.sll_ifindex == 0)
		return -1;
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd >= 0 && setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) == 0 &&
		setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) == 0 &&
		bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

int wire_open(const char *end)
{
	int fd = wire_try_open(end);

	if (fd < 0)
		fail_msg("%s: %s", end, strerror(errno));
	return fd;
}

void wire_send(int fd, const struct packet *p)
{
	struct iovec iov[2] = {
		{ (void *)(uintptr_t)&p->hdr, sizeof(p->hdr) },
		{ (void *)(uintptr_t)p->byte, p->len },
	};

	if (writev(fd, iov, 2) != (ssize_t)(sizeof(p->hdr) + p->len))
		fail_msg("far end: %s", strerror(errno));
}

bool wire_try_recv(int fd, struct packet *p, int timeout_ms)
{
	struct iovec iov[2] = { { &p->hdr, sizeof(p->hdr) }, { p->byte, sizeof(p->byte) } };
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	ssize_t n;

	if (poll(&wait, 1, timeout_ms) <= 0)
		return false;
	n = readv(fd, iov, 2);
	if (n < 0 && (errno == ENETDOWN || errno == EAGAIN))
		return false;
	assert_true(n >= (ssize_t)sizeof(p->hdr));
	p->len = (uint32_t)n - (uint32_t)sizeof(p->hdr);
	return true;
}

void wire_recv(int fd, struct packet *p)
{
	if (!wire_try_recv(fd, p, WAIT_MS))
		fail_msg("the far end heard nothing for %d ms", WAIT_MS);
}

const char *wire_status(struct testbed *t, const char *port, const char *key)
{
	static char text[256];
	json_t *all = testbed_call(t, "port.show"), *one;
	size_t i;

	strcpy(text, "-");
	json_array_foreach (all, i, one) {
		const json_t *value = json_object_get(one, key);
		const char *name = json_string_value(json_object_get(one, "ifname"));

		if (!name || strcmp(name, port) != 0)
			continue;
		if (json_is_string(value))
			snprintf(text, sizeof(text), "%s", json_string_value(value));
		else if (json_is_integer(value))
			snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(value));
	}
	json_decref(all);
	return text;
}

void wire_wait_status(struct testbed *t, const char *port, const char *key, const char *value)
{
	for (unsigned ms = 0; strcmp(wire_status(t, port, key), value) != 0; ms += 10) {
		if (ms > WAIT_MS)
			fail_msg("%s: %s is \"%s\", not \"%s\"", port, key,
				wire_status(t, port, key), value);
		nanosleep(&(struct timespec) { .tv_nsec = 10000000 }, NULL);
	}
}
