/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/listening.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>

#include "lib/cleanup.h"

#define TCP_LISTEN 0x0a

struct finder {
	listening_found *found;
	void *owner;
};

static void tell(
	const struct finder *finder, int family, const void *address, uint16_t port, bool v6_only)
{
	struct listening one = { .port = port };

	one.address = family == AF_INET ? ip_addr_v4(address) : ip_addr_v6(address);
	one.dual = !v6_only && family == AF_INET6 && ip_addr_is_unspecified(&one.address) &&
		   !ip_addr_is_v4(&one.address);
	finder->found(finder->owner, &one);
}

/* --- sock_diag ------------------------------------------------------------------------------- */

static int request(int fd, int family)
{
	const struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 body;
	} message = {
		.header = { .nlmsg_len = sizeof(message),
			.nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.body = { .sdiag_family = (uint8_t)family,
			.sdiag_protocol = IPPROTO_TCP,
			.idiag_states = 1U << TCP_LISTEN },
	};

	return send(fd, &message, sizeof(message), 0) < 0 ? -errno : 0;
}

static bool is_v6_only(const struct inet_diag_msg *row, int len)
{
	const struct rtattr *attribute = (const struct rtattr *)(row + 1);

	for (; RTA_OK(attribute, len); attribute = RTA_NEXT(attribute, len))
		if (attribute->rta_type == INET_DIAG_SKV6ONLY)
			return *(const uint8_t *)RTA_DATA(attribute) != 0;
	return false;
}

/* 1: there is more to come. */
static int take_message(const struct finder *finder, const struct nlmsghdr *message)
{
	const struct inet_diag_msg *row = NLMSG_DATA(message);
	const struct nlmsgerr *error = NLMSG_DATA(message);

	if (message->nlmsg_type == NLMSG_DONE)
		return 0;
	if (message->nlmsg_type == NLMSG_ERROR)
		return error->error < 0 ? error->error : -EPROTO;
	if (message->nlmsg_len < NLMSG_LENGTH(sizeof(*row)))
		return -EPROTO;
	tell(finder, row->idiag_family, row->id.idiag_src, ntohs(row->id.idiag_sport),
		is_v6_only(row, (int)(message->nlmsg_len - NLMSG_LENGTH(sizeof(*row)))));
	return 1;
}

static int take_answer(int fd, const struct finder *finder)
{
	_Alignas(struct nlmsghdr) char buffer[16384];
	int ret = 1;

	while (ret > 0) {
		ssize_t n = recv(fd, buffer, sizeof(buffer), 0);
		const struct nlmsghdr *message = (const struct nlmsghdr *)buffer;

		if (n <= 0)
			return n < 0 ? -errno : -EPROTO;
		for (; ret > 0 && NLMSG_OK(message, n); message = NLMSG_NEXT(message, n))
			ret = take_message(finder, message);
	}
	return ret;
}

int listening_ask(listening_found *found, void *owner)
{
	static const int families[] = { AF_INET, AF_INET6 };
	const struct finder finder = { found, owner };
	cleanup_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	int ret = fd < 0 ? -errno : 0;

	for (size_t i = 0; ret == 0 && i < sizeof(families) / sizeof(families[0]); i++) {
		ret = request(fd, families[i]);
		if (ret == 0)
			ret = take_answer(fd, &finder);
	}
	return ret;
}

/* --- /proc ----------------------------------------------------------------------------------- */

/* The kernel prints an address as words of its own byte order. */
static bool parse_address(const char *hex, uint32_t words[4], size_t n_words)
{
	if (strlen(hex) != 8 * n_words)
		return false;
	for (size_t i = 0; i < n_words; i++)
		if (sscanf(hex + 8 * i, "%8" SCNx32, &words[i]) != 1)
			return false;
	return true;
}

/* Those that listen come first: what is behind them, which may be a lot, is not read. */
static int read_file(const struct finder *finder, const char *path, int family)
{
	FILE *file = fopen(path, "re");
	unsigned state = TCP_LISTEN;
	char line[512];

	if (file == NULL)
		return errno == ENOENT ? 0 : -errno;
	while (state == TCP_LISTEN && fgets(line, sizeof(line), file) != NULL) {
		char hex[33];
		uint32_t words[4];
		unsigned port;

		if (sscanf(line, " %*d: %32[0-9A-F]:%x %*[0-9A-F]:%*x %x", hex, &port, &state) ==
				3 &&
			state == TCP_LISTEN && parse_address(hex, words, family == AF_INET ? 1 : 4))
			tell(finder, family, words, (uint16_t)port, false);
	}
	fclose(file);
	return 0;
}

int listening_read(listening_found *found, void *owner)
{
	const struct finder finder = { found, owner };
	int ret = read_file(&finder, "/proc/net/tcp", AF_INET);

	return ret == 0 ? read_file(&finder, "/proc/net/tcp6", AF_INET6) : ret;
}

int listening_each(listening_found *found, void *owner)
{
	return listening_ask(found, owner) == 0 ? 0 : listening_read(found, owner);
}
