/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/pod/link_news.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <netlink/netlink.h>

#include "launcher/pod/rtnl_socket.h"

int link_news_open(struct nl_sock **out, struct err *err)
{
	struct nl_sock *sock;
	int ret = rtnl_socket_open(&sock);

	if (ret == 0)
		ret = nl_socket_add_membership(sock, RTNLGRP_LINK);
	if (ret == 0)
		ret = nl_socket_set_nonblocking(sock);
	if (ret < 0) {
		nl_socket_free(sock);
		return err_set(err, -EIO, "cannot watch interfaces: %s", nl_geterror(ret));
	}
	*out = sock;
	return 0;
}

void link_news_drain(struct nl_sock *sock)
{
	char message[64]; /* cut to fit */
	ssize_t n;

	do
		n = recv(nl_socket_get_fd(sock), message, sizeof(message), 0);
	while (n > 0 || (n < 0 && (errno == ENOBUFS || errno == EINTR)));
}
