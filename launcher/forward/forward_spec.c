/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/forward/forward_spec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

static bool parse_port(const char *text, uint16_t *port)
{
	size_t len = strlen(text);
	unsigned long value = strtoul(text, NULL, 10);

	if (len == 0 || len > 5 || text[strspn(text, "0123456789")] != '\0' || value > UINT16_MAX)
		return false;
	*port = (uint16_t)value;
	return true;
}

static int refuse(const char *text, struct err *err)
{
	return err_set(
		err, -EINVAL, "\"%.60s\": want [ADDRESS:]LOCAL:REMOTE, such as 8080:80", text);
}

int forward_spec_port(const char *text, uint16_t *port, struct err *err)
{
	if (!parse_port(text, port) || *port == 0)
		return err_set(err, -EINVAL, "\"%.60s\": is no port (1 to 65535)", text);
	return 0;
}

/* Brackets belong around an IPv6 address, and only there. */
static bool parse_address(char *text, struct ip_addr *address)
{
	size_t len = strlen(text);
	bool bracketed = len > 2 && text[0] == '[' && text[len - 1] == ']';

	if (bracketed) {
		text[len - 1] = '\0';
		text++;
	}
	return ip_addr_parse(text, address) == 0 && (strchr(text, ':') != NULL) == bracketed;
}

int forward_spec_parse(const char *text, struct forward_spec *spec, struct err *err)
{
	cleanup_free char *copy = strdup(text);
	char *remote, *local;

	*spec = (struct forward_spec) { .local = 0 };
	if (copy == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	remote = strrchr(copy, ':');
	if (remote == NULL) {
		if (!parse_port(copy, &spec->remote) || spec->remote == 0)
			return refuse(text, err);
		spec->local = spec->remote;
		return 0;
	}
	*remote++ = '\0';
	local = strrchr(copy, ':');
	if (local != NULL) {
		*local++ = '\0';
		spec->has_address = true;
		if (!parse_address(copy, &spec->address))
			return refuse(text, err);
	} else {
		local = copy;
	}
	if ((local[0] != '\0' && !parse_port(local, &spec->local)) ||
		!parse_port(remote, &spec->remote) || spec->remote == 0)
		return refuse(text, err);
	return 0;
}
