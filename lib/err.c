/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/*
 * Messages carry strings that came from files and peers: whatever could break the promise of one
 * line is replaced. Text is formatted apart first, so that arguments may point into err->text.
 */
static void store(struct err *err, const char *text)
{
	size_t i;

	for (i = 0; i < ERR_TEXT_MAX - 1 && text[i] != '\0'; i++) {
		unsigned char c = (unsigned char)text[i];

		err->text[i] = (c < 0x20 || c == 0x7f) ? '?' : text[i];
	}
	err->text[i] = '\0';
}

/* "<text>: <tail>", or text alone where there is no tail. */
static void store_joined(struct err *err, const char *text, const char *tail)
{
	char joined[2 * ERR_TEXT_MAX + 3];

	snprintf(joined, sizeof(joined), "%s%s%s", text, tail[0] != '\0' ? ": " : "", tail);
	store(err, joined);
}

int err_set(struct err *err, int code, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list args;

	if (err == NULL)
		return code;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	store(err, text);
	return code;
}

int err_errno(struct err *err, int errnum, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	char reason[128];
	va_list args;

	if (err == NULL)
		return -errnum;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	store_joined(err, text, strerror_r(errnum, reason, sizeof(reason)));
	return -errnum;
}

int err_wrap(struct err *err, int code, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list args;

	if (err == NULL)
		return code;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	store_joined(err, text, err->text);
	return code;
}
