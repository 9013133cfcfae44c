/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/switch/far_end.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include <cmocka.h>

#include "tests/switch/guests.h"

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

static int far = -1, near = -1;

static int open_end(const char *interface)
{
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(interface),
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), one = 1;

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)), 0);
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

void far_open(void)
{
	testbed_run("ip link add near type veth peer name far");
	/* No kernel traffic of its own: no address, no router solicitations. */
	testbed_run("ip link set near addrgenmode none && ip link set far addrgenmode none");
	testbed_run("ip link set near up && ip link set far up");
	far = open_end("far");
	near = open_end("near");
}

void far_close(void)
{
	close(far);
	close(near);
	far = near = -1;
	testbed_run("ip link del near");
}

static void send_from(int fd, const struct packet *p)
{
	struct iovec iov[2] = {
		{ (void *)(uintptr_t)&p->hdr, sizeof(p->hdr) },
		{ (void *)(uintptr_t)p->byte, p->len },
	};

	if (writev(fd, iov, 2) != (ssize_t)(sizeof(p->hdr) + p->len))
		fail_msg("%s end: %s", fd == far ? "far" : "near", strerror(errno));
}

void far_send(const struct packet *p)
{
	send_from(far, p);
}

void near_send(const struct packet *p)
{
	send_from(near, p);
}

void far_recv(struct packet *p)
{
	struct iovec iov[2] = { { &p->hdr, sizeof(p->hdr) }, { p->byte, sizeof(p->byte) } };
	struct pollfd wait = { .fd = far, .events = POLLIN };
	ssize_t n;

	if (poll(&wait, 1, RECV_MS) <= 0)
		fail_msg("the far end heard nothing for %d ms", RECV_MS);
	n = readv(far, iov, 2);
	assert_true(n >= (ssize_t)sizeof(p->hdr));
	p->len = (uint32_t)n - (uint32_t)sizeof(p->hdr);
}
