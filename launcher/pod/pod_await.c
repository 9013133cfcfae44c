/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Waiting for the pod's address. The socket that hears of changes is subscribed before the first
 * look, so no change can fall in between; what a notification says does not matter, it only makes
 * us look again.
 */

#include "launcher/pod/pod_network.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include <netlink/socket.h>

#include "launcher/pod/pod_read.h"
#include "lib/monotonic.h"

/* Takes in all that has been said; ENOBUFS, for what did not fit, is news like any other. */
static void drain(int fd)
{
	char some[64];

	while (recv(fd, some, sizeof(some), MSG_DONTWAIT | MSG_TRUNC) >= 0 || errno == EINTR ||
		errno == ENOBUFS)
		continue;
}

/* 1: something has changed, 0: nothing has until the deadline. */
static int await_news(struct nl_sock *news, int64_t deadline_ms, struct err *err)
{
	struct pollfd p = { .fd = nl_socket_get_fd(news), .events = POLLIN };

	for (;;) {
		int64_t left = deadline_ms - monotonic_ms();
		int n = left > 0 ? poll(&p, 1, (int)left) : 0;

		if (n > 0)
			drain(p.fd);
		if (n >= 0)
			return n;
		if (errno != EINTR)
			return err_errno(err, errno, "cannot wait for the pod's address");
	}
}

/* One look: 1 if there is nothing left to wait for. -EAGAIN: no interface to speak of yet. */
static int look(struct pod_network *net, const char *name, struct err *err)
{
	int ret = pod_network_read(net, err);

	if (ret < 0)
		return ret == -EAGAIN ? -EBUSY : ret;
	ret = pod_network_choose(net, name, err);
	if (ret == 0)
		ret = pod_network_address_state(net) == POD_ADDRESS_READY;
	if (ret < 0)
		pod_network_free(net);
	return ret;
}

static int await(struct pod_network *net, const char *name, unsigned wait_ms, struct nl_sock *news,
	struct err *err)
{
	int64_t deadline_ms = monotonic_ms() + wait_ms;

	for (;;) {
		int found = look(net, name, err);
		int more;

		if (found > 0 || (found < 0 && found != -EAGAIN))
			return found > 0 ? 0 : found;
		more = await_news(news, deadline_ms, err);
		if (more == 0)
			return found;
		if (found == 0)
			pod_network_free(net);
		if (more < 0)
			return more;
	}
}

int pod_network_await(struct pod_network *net, const char *name, unsigned wait_ms, struct err *err)
{
	static const int groups[] = { RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
		RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, 0 };
	struct nl_sock *news = NULL;
	int ret;

	*net = (struct pod_network) { .n_interfaces = 0 };
	if (wait_ms == 0) {
		ret = look(net, name, err);
		return ret > 0 ? 0 : ret;
	}
	ret = pod_netlink_open(&news, groups, err);
	if (ret < 0)
		return ret;
	ret = await(net, name, wait_ms, news, err);
	nl_socket_free(news);
	return ret;
}
