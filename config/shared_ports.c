/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/shared_ports.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* With a protocol before every entry that has none. */
static bool complete(const char *text, char *to, size_t size)
{
	size_t len = 0;

	for (;;) {
		size_t n = strcspn(text, ",");

		len += (size_t)snprintf(to + len, size - len, "%s%.*s%s",
			isdigit((unsigned char)text[0]) ? "tcp/" : "", (int)n, text,
			text[n] == ',' ? "," : "");
		if (len >= size)
			return false;
		if (text[n] == '\0')
			return true;
		text += n + 1;
	}
}

static int spread(struct shared_ports *ports, struct err *err)
{
	for (size_t i = 0; i < ports->ranges.n; i++) {
		const struct l4_port_range *r = &ports->ranges.range[i];

		if (r->protocol != L4_TCP)
			return err_set(
				err, -EINVAL, "udp/%u: only TCP ports can be shared", r->first);
		if (ports->n + r->last - r->first >= SHARED_PORTS_MAX)
			return err_set(err, -E2BIG, "has more than %d ports", SHARED_PORTS_MAX);
		for (uint32_t port = r->first; port <= r->last; port++)
			ports->port[ports->n++] = (uint16_t)port;
	}
	return 0;
}

int shared_ports_parse(const char *text, struct shared_ports *ports, struct err *err)
{
	char list[L4_PORTS_TEXT_MAX + 4 * L4_PORTS_MAX];
	struct shared_ports parsed = { .n = 0 };
	int ret = 0;

	if (!complete(text, list, sizeof(list)))
		return err_set(err, -EINVAL, "is too long");
	if (text[0] != '\0')
		ret = l4_ports_parse(list, &parsed.ranges, err);
	if (ret == 0)
		ret = spread(&parsed, err);
	if (ret == 0)
		*ports = parsed;
	return ret;
}
