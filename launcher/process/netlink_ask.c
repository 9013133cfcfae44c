/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/process/netlink_ask.h"

#include <errno.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include "lib/cleanup.h"

struct answer {
	struct nlmsghdr head;
	struct nlmsgerr error;
};

static int await_answer(int sock)
{
	struct answer answer = { 0 };
	ssize_t n;

	do
		n = recv(sock, &answer, sizeof(answer), 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (n < (ssize_t)sizeof(answer.head) || answer.head.nlmsg_type != NLMSG_ERROR)
		return -EPROTO;
	return answer.error.error;
}

int netlink_ask(const void *request, size_t len)
{
	cleanup_close int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (sock < 0 || send(sock, request, len, 0) < 0)
		return -errno;
	return await_answer(sock);
}
