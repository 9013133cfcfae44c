/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/process/remove_link.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

#include "launcher/process/netlink_ask.h"

struct request {
	struct nlmsghdr head;
	struct ifinfomsg link;
	struct rtattr name;
	char text[IF_NAMESIZE];
};

int remove_link(const char *name)
{
	struct request request = {
		.head = { .nlmsg_len = sizeof(request),
			.nlmsg_type = RTM_DELLINK,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		.name = { .rta_len = RTA_LENGTH(IF_NAMESIZE), .rta_type = IFLA_IFNAME },
	};
	size_t len = strnlen(name, IF_NAMESIZE);
	int ret;

	if (len == 0 || len == IF_NAMESIZE)
		return -EINVAL;
	memcpy(request.text, name, len);
	ret = netlink_ask(&request, sizeof(request));
	return ret == -ENODEV ? 0 : ret;
}
