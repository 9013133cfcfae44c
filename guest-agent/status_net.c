/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest-agent/status.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define ROWS_MAX   512
#define TCP_LISTEN 0x0a

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

/* The kernel prints an address as words of its own byte order. */
static bool parse_address(const char *hex, int family, char *text)
{
	size_t n_words = family == AF_INET ? 1 : 4;
	uint32_t words[4];

	if (strlen(hex) != 8 * n_words)
		return false;
	for (size_t i = 0; i < n_words; i++)
		if (sscanf(hex + 8 * i, "%8" SCNx32, &words[i]) != 1)
			return false;
	return inet_ntop(family, words, text, INET6_ADDRSTRLEN) != NULL;
}

static void add_listening(json_t *rows, const char *path, int family)
{
	FILE *file = fopen(path, "re");
	char line[512];

	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		char hex[33], text[INET6_ADDRSTRLEN];
		unsigned port, state;

		if (sscanf(line, " %*d: %32[0-9A-F]:%x %*[0-9A-F]:%*x %x", hex, &port, &state) != 3)
			continue;
		if (state != TCP_LISTEN || !parse_address(hex, family, text))
			continue;
		if (json_array_size(rows) < ROWS_MAX)
			json_array_append_new(
				rows, json_pack("{s:s, s:i}", "address", text, "port", (int)port));
	}
	if (file != NULL)
		fclose(file);
}

json_t *status_listening(void)
{
	json_t *rows = json_array();

	add_listening(rows, "/proc/net/tcp", AF_INET);
	add_listening(rows, "/proc/net/tcp6", AF_INET6);
	return rows;
}
