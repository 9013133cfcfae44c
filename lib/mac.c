/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/mac.h"

#include <errno.h>
#include <stdio.h>

char *mac_format(const struct mac *mac, char *text)
{
	const uint8_t *b = mac->byte;

	snprintf(text, MAC_TEXT_MAX, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4],
		b[5]);
	return text;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int mac_parse(const char *text, struct mac *mac)
{
	struct mac out;

	if (strlen(text) != MAC_TEXT_MAX - 1)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(out.byte); i++) {
		int high = hex_digit(text[3 * i]);
		int low = hex_digit(text[3 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		if (i + 1 < sizeof(out.byte) && text[3 * i + 2] != ':')
			return -EINVAL;
		out.byte[i] = (uint8_t)(high << 4 | low);
	}
	*mac = out;
	return 0;
}
