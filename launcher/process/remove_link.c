/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/process/remove_link.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/cleanup.h"

struct request {
	struct nlmsghdr head;
	struct ifinfomsg link;
	struct rtattr name;
	char text[IF_NAMESIZE];
};

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

int remove_link(const char *name)
{
	cleanup_close int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct request request = {
		.head = { .nlmsg_len = sizeof(request),
			.nlmsg_type = RTM_DELLINK,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		.name = { .rta_len = RTA_LENGTH(IF_NAMESIZE), .rta_type = IFLA_IFNAME },
	};
	size_t len = strnlen(name, IF_NAMESIZE);
	int ret;

	if (sock < 0)
		return -errno;
	if (len == 0 || len == IF_NAMESIZE)
		return -EINVAL;
	memcpy(request.text, name, len);
	if (send(sock, &request, sizeof(request), 0) < 0)
		return -errno;
	ret = await_answer(sock);
	return ret == -ENODEV ? 0 : ret;
}
