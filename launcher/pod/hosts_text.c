/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/pod/hosts_text.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/memstream.h"

#define BLANKS    " \t"
#define LOCALHOST "localhost"

static bool is_printable(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((line[i] < 0x20 || line[i] > 0x7e) && line[i] != '\t')
			return false;
	return true;
}

static size_t word_len(const char *at, const char *end)
{
	size_t n = 0;

	while (at + n < end && strchr(BLANKS "#", at[n]) == NULL)
		n++;
	return n;
}

/* Whether the line gives an address that name: its first word is the address. */
static bool line_names(const char *at, size_t len, const char *name)
{
	const char *end = at + len;

	for (size_t i = 0; at < end && *at != '#'; at++) {
		size_t n = word_len(at, end);

		if (n == 0)
			continue;
		if (i++ > 0 && n == strlen(name) && strncasecmp(at, name, n) == 0)
			return true;
		at += n - 1;
	}
	return false;
}

/* The length of the first line that is fit to be copied, with *text moved to it and *size made
 * what is left from there. False: there is none. */
static bool next_line(const char **text, size_t *size, size_t *len)
{
	while (*size > 0) {
		const char *end = memchr(*text, '\n', *size);
		size_t skip;

		*len = end != NULL ? (size_t)(end - *text) : *size;
		if (is_printable(*text, *len))
			return true;
		skip = *len + (end != NULL);
		*text += skip;
		*size -= skip;
	}
	return false;
}

static void pass_line(const char **text, size_t *size, size_t len)
{
	size_t skip = len < *size ? len + 1 : len;

	*text += skip;
	*size -= skip;
}

static bool text_names(const char *text, size_t size, const char *name)
{
	size_t len;

	for (; next_line(&text, &size, &len); pass_line(&text, &size, len))
		if (line_names(text, len, name))
			return true;
	return false;
}

static void write_all(FILE *out, const char *pods, size_t size, const struct hosts_own *own)
{
	bool named = own->hostname[0] == '\0' || strcasecmp(own->hostname, LOCALHOST) == 0 ||
		     text_names(pods, size, own->hostname);
	char addr[IP_ADDR_TEXT_MAX];
	size_t len;

	if (!text_names(pods, size, LOCALHOST))
		fputs("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n", out);
	for (; next_line(&pods, &size, &len); pass_line(&pods, &size, len))
		fprintf(out, "%.*s\n", (int)len, pods);
	for (size_t i = 0; !named && i < own->n_addrs; i++)
		fprintf(out, "%s\t%s\n", ip_addr_format(&own->addrs[i], addr), own->hostname);
}

char *hosts_text(const char *pods, size_t size, const struct hosts_own *own)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (out == NULL)
		return NULL;
	write_all(out, pods, size, own);
	return memstream_text(out, &text);
}
