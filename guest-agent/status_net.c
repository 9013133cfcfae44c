/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest-agent/status.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

#include "lib/listening.h"
#include "lib/ip_addr.h"

#define ROWS_MAX 512

/* The address's bytes and how many; NULL: it is no Internet address. */
static const uint8_t *bytes_of(const struct sockaddr *address, size_t *len)
{
	if (address != NULL && address->sa_family == AF_INET) {
		*len = sizeof(struct in_addr);
		return (const uint8_t *)&((const struct sockaddr_in *)address)->sin_addr;
	}
	if (address != NULL && address->sa_family == AF_INET6) {
		*len = sizeof(struct in6_addr);
		return (const uint8_t *)&((const struct sockaddr_in6 *)address)->sin6_addr;
	}
	return NULL;
}

static int prefix_of(const struct sockaddr *mask)
{
	size_t len;
	const uint8_t *bytes = bytes_of(mask, &len);
	int n = 0;

	for (size_t i = 0; bytes != NULL && i < len; i++)
		n += __builtin_popcount(bytes[i]);
	return n;
}

json_t *status_addresses(void)
{
	json_t *rows = json_array();
	struct ifaddrs *list = NULL;

	if (getifaddrs(&list) < 0)
		return rows;
	for (const struct ifaddrs *row = list; row != NULL; row = row->ifa_next) {
		char text[INET6_ADDRSTRLEN];
		size_t len;
		const uint8_t *bytes = bytes_of(row->ifa_addr, &len);

		if (bytes == NULL || json_array_size(rows) == ROWS_MAX)
			continue;
		inet_ntop(row->ifa_addr->sa_family, bytes, text, sizeof(text));
		json_array_append_new(
			rows, json_pack("{s:s, s:s, s:i}", "interface", row->ifa_name, "address",
				      text, "prefix", prefix_of(row->ifa_netmask)));
	}
	freeifaddrs(list);
	return rows;
}

static void add_listening(void *owner, const struct listening *one)
{
	json_t *rows = owner;
	char text[IP_ADDR_TEXT_MAX];

	if (json_array_size(rows) < ROWS_MAX)
		json_array_append_new(
			rows, json_pack("{s:s, s:i}", "address",
				      ip_addr_format(&one->address, text), "port", (int)one->port));
}

json_t *status_listening(void)
{
	json_t *rows = json_array();

	(void)listening_each(add_listening, rows);
	return rows;
}
