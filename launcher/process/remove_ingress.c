/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/process/remove_ingress.h"

#include <errno.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "launcher/process/netlink_ask.h"
#include "lib/cleanup.h"

struct request {
	struct nlmsghdr head;
	struct tcmsg qdisc;
};

/* if_nametoindex(3) says nothing of signals. */
static int find_index(const char *name)
{
	cleanup_close int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = { 0 };
	size_t len = strnlen(name, IF_NAMESIZE);

	if (len == 0 || len == IF_NAMESIZE)
		return -EINVAL;
	memcpy(request.ifr_name, name, len);
	if (sock < 0 || ioctl(sock, SIOCGIFINDEX, &request) < 0)
		return -errno;
	return request.ifr_ifindex;
}

int remove_ingress(const char *name)
{
	int index = find_index(name);
	struct request request = {
		.head = { .nlmsg_len = sizeof(request),
			.nlmsg_type = RTM_DELQDISC,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		.qdisc = { .tcm_family = AF_UNSPEC,
			.tcm_ifindex = index,
			.tcm_parent = TC_H_INGRESS },
	};
	int ret = index < 0 ? index : netlink_ask(&request, sizeof(request));

	return ret == -ENODEV || ret == -ENOENT ? 0 : ret;
}
