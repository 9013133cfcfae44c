/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/annotation.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

/* A line that is being taken apart. */
struct cursor {
	const char *at, *end;
};

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int take_hex(struct cursor *c, unsigned n_digits, uint32_t *value)
{
	*value = 0;
	for (unsigned i = 0; i < n_digits; i++, c->at++) {
		int digit = c->at < c->end ? hex_digit(*c->at) : -1;

		if (digit < 0)
			return -EINVAL;
		*value = *value << 4 | (uint32_t)digit;
	}
	return 0;
}

/* RFC 3629; its surrogates and what is beyond the last code point are no characters. */
static int put_utf8(char **out, uint32_t code)
{
	static const unsigned char lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	unsigned n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

	if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000) || code == 0)
		return -EINVAL;
	for (unsigned i = n; i-- > 1; code >>= 6)
		(*out)[i] = (char)(0x80 | (code & 0x3f));
	(*out)[0] = (char)(lead[n] | code);
	*out += n;
	return 0;
}

/* What follows a backslash: never longer than how it is written. */
static int take_escape(struct cursor *c, char **out)
{
	static const char letters[] = "abfnrtv\\\"";
	static const char meanings[] = "\a\b\f\n\r\t\v\\\"";
	char kind = c->at < c->end ? *c->at++ : '\0';
	const char *letter = kind != '\0' ? strchr(letters, kind) : NULL;
	uint32_t code;

	if (letter != NULL) {
		*(*out)++ = meanings[letter - letters];
		return 0;
	}
	if (kind == 'u' || kind == 'U')
		return take_hex(c, kind == 'u' ? 4 : 8, &code) < 0 ? -EINVAL : put_utf8(out, code);
	if (kind != 'x' || take_hex(c, 2, &code) < 0 || code == 0)
		return -EINVAL;
	*(*out)++ = (char)code; /* a byte of what is no UTF-8 */
	return 0;
}

/* From the first quote to the end of the line; `out` has room for as many bytes. */
static int unquote(struct cursor *c, char *out)
{
	if (c->at == c->end || *c->at++ != '"')
		return -EINVAL;
	while (c->at < c->end && *c->at != '"') {
		char byte = *c->at++;

		if (byte == '\0')
			return -EINVAL;
		if (byte != '\\')
			*out++ = byte;
		else if (take_escape(c, &out) < 0)
			return -EINVAL;
	}
	*out = '\0';
	return c->at + 1 == c->end ? 0 : -EINVAL;
}

static int take_line(const struct cursor *line, int (*each)(void *, const char *, const char *),
	void *arg, unsigned number, struct err *err)
{
	const char *equals = memchr(line->at, '=', (size_t)(line->end - line->at));
	char key[ANNOTATION_KEY_MAX + 1];
	cleanup_free char *value = NULL;
	struct cursor rest;
	size_t len;

	if (equals == NULL || equals == line->at || equals - line->at > ANNOTATION_KEY_MAX)
		return err_set(err, -EINVAL, "line %u: want KEY=\"VALUE\"", number);
	len = (size_t)(equals - line->at);
	memcpy(key, line->at, len);
	key[len] = '\0';
	rest = (struct cursor) { equals + 1, line->end };
	value = malloc((size_t)(rest.end - rest.at) + 1);
	if (value == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	if (strlen(key) != len || unquote(&rest, value) < 0)
		return err_set(err, -EINVAL, "line %u: want KEY=\"VALUE\"", number);
	return each(arg, key, value);
}

int annotation_each(const char *text, size_t len,
	int (*each)(void *arg, const char *key, const char *value), void *arg, struct err *err)
{
	const char *end = text + len;
	int ret = 0;

	for (unsigned number = 1; ret == 0 && text < end; number++) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		struct cursor line = { text, newline != NULL ? newline : end };

		if (line.at < line.end)
			ret = take_line(&line, each, arg, number, err);
		text = line.end + 1;
	}
	return ret;
}
