/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/l4_ports.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PORT_MAX  65535
#define ENTRY_MAX 32 /* of one entry as text: twice what any needs */

static const char *const names[] = { [L4_TCP] = "tcp", [L4_UDP] = "udp" };

const char *l4_protocol_name(enum l4_protocol protocol)
{
	return names[protocol];
}

/* a ends before b begins, with a port between them that is neither's. */
static bool lies_before(const struct l4_port_range *a, const struct l4_port_range *b)
{
	return a->protocol < b->protocol || (a->protocol == b->protocol && a->last + 1 < b->first);
}

int l4_ports_add(struct l4_ports *ports, struct l4_port_range range)
{
	size_t from = 0, to;

	/* range[from] to range[to - 1] become part of the new one. */
	while (from < ports->n && lies_before(&ports->range[from], &range))
		from++;
	for (to = from; to < ports->n && !lies_before(&range, &ports->range[to]); to++) {
		const struct l4_port_range *r = &ports->range[to];

		range.first = r->first < range.first ? r->first : range.first;
		range.last = r->last > range.last ? r->last : range.last;
	}
	if (to == from && ports->n == L4_PORTS_MAX)
		return -E2BIG;
	memmove(ports->range + from + 1, ports->range + to,
		(ports->n - to) * sizeof(ports->range[0]));
	ports->range[from] = range;
	ports->n = ports->n + 1 - (to - from);
	/* What is no longer in use is zero, so that equal lists are equal bytes. */
	memset(ports->range + ports->n, 0, (L4_PORTS_MAX - ports->n) * sizeof(ports->range[0]));
	return 0;
}

/* Reads digits at *text and moves it behind them. A value too large stays too large. */
static bool take_port(const char **text, unsigned *port)
{
	const char *digits = *text;

	for (*port = 0; isdigit((unsigned char)**text); ++*text)
		if (*port <= PORT_MAX)
			*port = *port * 10 + (unsigned)(**text - '0');
	return *text != digits;
}

static bool take_protocol(const char **text, enum l4_protocol *protocol)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t len = strlen(names[i]);

		if (strncmp(*text, names[i], len) == 0 && (*text)[len] == '/') {
			*protocol = (enum l4_protocol)i;
			*text += len + 1;
			return true;
		}
	}
	return false;
}

static int parse_entry(const char *text, struct l4_port_range *range, struct err *err)
{
	const char *rest = text;
	unsigned first, last;

	if (!take_protocol(&rest, &range->protocol) || !take_port(&rest, &first))
		goto refuse;
	last = first;
	if (*rest == '-' && (rest++, !take_port(&rest, &last)))
		goto refuse;
	if (*rest != '\0')
		goto refuse;
	if (first < 1 || first > PORT_MAX || last < 1 || last > PORT_MAX)
		return err_set(err, -EINVAL, "\"%s\": ports are 1 to %d", text, PORT_MAX);
	if (last < first)
		return err_set(err, -EINVAL, "\"%s\": the range ends before it begins", text);
	range->first = (uint16_t)first;
	range->last = (uint16_t)last;
	return 0;
refuse:
	return err_set(err, -EINVAL, "\"%s\": want tcp/PORT, udp/PORT or tcp/FIRST-LAST", text);
}

int l4_ports_parse(const char *text, struct l4_ports *ports, struct err *err)
{
	struct l4_ports parsed = { 0 };

	for (;;) {
		size_t len = strcspn(text, ",");
		struct l4_port_range range;
		char entry[ENTRY_MAX];
		int ret;

		/* One that is too long is cut, and so never good: what is right has 15 bytes. */
		snprintf(entry, sizeof(entry), "%.*s", (int)(len < ENTRY_MAX ? len : ENTRY_MAX),
			text);
		ret = len < ENTRY_MAX ? parse_entry(entry, &range, err)
				      : err_set(err, -EINVAL, "\"%s…\": is too long", entry);
		if (ret < 0)
			return ret;
		ret = l4_ports_add(&parsed, range);
		if (ret < 0)
			return err_set(err, ret, "has more than %d ranges", L4_PORTS_MAX);
		if (text[len] == '\0')
			break;
		text += len + 1;
	}
	*ports = parsed;
	return 0;
}

bool l4_ports_has(const struct l4_ports *ports, enum l4_protocol protocol, uint16_t port)
{
	for (size_t i = 0; i < ports->n; i++) {
		const struct l4_port_range *r = &ports->range[i];

		if (r->protocol == protocol && r->first <= port && port <= r->last)
			return true;
	}
	return false;
}

char *l4_ports_format(const struct l4_ports *ports, char *text)
{
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < ports->n; i++) {
		const struct l4_port_range *r = &ports->range[i];

		len += (size_t)snprintf(text + len, L4_PORTS_TEXT_MAX - len, "%s%s/%u",
			i > 0 ? "," : "", names[r->protocol], r->first);
		if (r->last != r->first)
			len += (size_t)snprintf(
				text + len, L4_PORTS_TEXT_MAX - len, "-%u", r->last);
	}
	return text;
}

int l4_ports_read(const char *path, struct l4_ports *ports, struct err *err)
{
	char text[L4_PORTS_TEXT_MAX + 2]; /* its newline, and what makes it too long */
	FILE *file = fopen(path, "re");
	size_t len;
	int ret;

	if (file == NULL)
		return err_errno(err, errno, "%s", path);
	len = fread(text, 1, sizeof(text) - 1, file);
	ret = ferror(file) ? -errno : 0;
	fclose(file);
	if (ret < 0)
		return err_errno(err, -ret, "%s", path);
	if (len > 0 && text[len - 1] == '\n')
		len--;
	text[len] = '\0';
	if (strlen(text) != len || len >= L4_PORTS_TEXT_MAX)
		return err_set(err, -EINVAL, "%s: is no list of ports", path);
	if (len == 0) {
		*ports = (struct l4_ports) { 0 };
		return 0;
	}
	ret = l4_ports_parse(text, ports, err);
	return ret < 0 ? err_wrap(err, ret, "%s", path) : 0;
}
