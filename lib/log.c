/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/log.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/monotonic.h"

#define LINE_MAX_BYTES    4096 /* PIPE_BUF: one write of this size is never torn */
#define LIMIT_WINDOW_MS   10000
#define LIMIT_N_IN_WINDOW 5

static enum log_level log_level = LOG_LEVEL_INFO;
static enum log_format log_format = LOG_FORMAT_TEXT;
static int log_fd = STDERR_FILENO;

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

/* A line being put together. Bytes that do not fit set `full`; a field that ran into that is
 * taken back as a whole, so a cut line is still well-formed. */
struct line {
	char text[LINE_MAX_BYTES];
	size_t len;
	bool full;
};

#define LINE_TAIL 2 /* room kept for "}" and the newline */

static void put(struct line *line, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void put(struct line *line, const char *fmt, ...)
{
	size_t room = sizeof(line->text) - LINE_TAIL - line->len;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(line->text + line->len, room, fmt, args);
	va_end(args);
	if (n < 0 || (size_t)n >= room)
		line->full = true;
	else
		line->len += (size_t)n;
}

static bool is_plain(const char *s)
{
	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++) {
		if (*s <= ' ' || *s > '~' || *s == '"' || *s == '=' || *s == '\\')
			return false;
	}
	return true;
}

/* Anything but printable ASCII is escaped in both formats: a log line must not be able to move a
 * terminal's cursor, and must be valid UTF-8 whatever a peer sent. */
static void put_quoted(struct line *line, const char *s)
{
	put(line, "\"");
	for (; *s != '\0' && !line->full; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			put(line, "\\%c", c);
		else if (c == '\n')
			put(line, "\\n");
		else if (c == '\t')
			put(line, "\\t");
		else if (c < 0x20 || c > 0x7e)
			put(line, log_format == LOG_FORMAT_JSON ? "\\u%04x" : "\\x%02x", c);
		else
			put(line, "%c", c);
	}
	put(line, "\"");
}

static void put_field(struct line *line, const char *key, const char *str, int64_t num)
{
	bool json = log_format == LOG_FORMAT_JSON;
	size_t start = line->len;

	if (line->full)
		return;
	if (start > 0)
		put(line, json ? ", " : " ");
	put(line, json ? "%s\"%s\": " : "%s%s=", json && start == 0 ? "{" : "", key);
	if (str == NULL)
		put(line, "%" PRId64, num);
	else if (!json && is_plain(str))
		put(line, "%s", str);
	else
		put_quoted(line, str);
	if (line->full)
		line->len = start;
}

/* UTC with milliseconds: "2026-01-31T23:59:59.123Z". */
static void format_now(char *text, size_t size)
{
	struct timespec now;
	struct tm tm;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	n = strftime(text, size, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + n, size - n, ".%03dZ", (int)(now.tv_nsec / 1000000));
}

static void write_line(enum log_level level, const char *msg, const struct log_field *fields,
	size_t n, unsigned n_suppressed)
{
	struct line line = { .len = 0 };
	char now[40];
	int saved = errno;

	format_now(now, sizeof(now));
	put_field(&line, "level", level_names[level], 0);
	put_field(&line, "ts", now, 0);
	put_field(&line, "msg", msg, 0);
	for (size_t i = 1; i < n; i++)
		put_field(&line, fields[i].key, fields[i].str, fields[i].num);
	if (n_suppressed > 0)
		put_field(&line, "suppressed", NULL, n_suppressed);
	if (log_format == LOG_FORMAT_JSON)
		line.text[line.len++] = '}';
	line.text[line.len++] = '\n';
	/* Nobody is left to tell when stderr is gone. */
	if (write(log_fd, line.text, line.len) < 0)
		errno = saved;
	errno = saved;
}

void log_configure(enum log_level level, enum log_format format)
{
	log_level = level;
	log_format = format;
}

void log_to(int fd)
{
	log_fd = fd;
}

bool log_enabled(enum log_level level)
{
	return log_level != LOG_LEVEL_OFF && level <= log_level;
}

void log_write(enum log_level level, const char *msg, const struct log_field *fields, size_t n)
{
	if (log_enabled(level))
		write_line(level, msg, fields, n, 0);
}

/* Takes one line from the budget. Returns whether it may be written; *n_suppressed is how many
 * before it could not. */
static bool limit_take(struct log_limit *limit, unsigned *n_suppressed)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	/* Counted from 1, so that a zero-initialised window is always in the past. */
	int64_t now_ms = monotonic_ms() + 1;
	bool taken;

	pthread_mutex_lock(&lock);
	if (limit->window_start_ms == 0 || now_ms - limit->window_start_ms >= LIMIT_WINDOW_MS) {
		limit->window_start_ms = now_ms;
		limit->n_in_window = 0;
	}
	taken = limit->n_in_window < LIMIT_N_IN_WINDOW;
	*n_suppressed = 0;
	if (taken) {
		limit->n_in_window++;
		*n_suppressed = limit->n_suppressed;
		limit->n_suppressed = 0;
	} else {
		limit->n_suppressed++;
	}
	pthread_mutex_unlock(&lock);
	return taken;
}

void log_write_limited(struct log_limit *limit, enum log_level level, const char *msg,
	const struct log_field *fields, size_t n)
{
	unsigned n_suppressed;

	if (log_enabled(level) && limit_take(limit, &n_suppressed))
		write_line(level, msg, fields, n, n_suppressed);
}
