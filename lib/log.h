/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Structured logging to stderr, one event a line: `level=info ts=… msg="guest connected" port=vm0`
 * or the same as a JSON object. The message is a constant phrase that can be searched for; what
 * varies goes into fields. Control plane only: datapath code counts, it does not log.
 *
 * Whatever a guest or a VMM can trigger must use log_limited(), which lets a burst through per
 * call site and window, and says afterwards how many lines it held back.
 *
 * Thread-safety: a line is one write(2); log_configure() is called before threads start.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG, LOG_LEVEL_OFF };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

struct log_field {
	const char *key; /* NULL in the leading sentinel */
	const char *str; /* NULL: the value is `num` */
	int64_t num;
};

static inline struct log_field log_str(const char *key, const char *value)
{
	return (struct log_field) { .key = key, .str = value ? value : "" };
}

static inline struct log_field log_int(const char *key, int64_t value)
{
	return (struct log_field) { .key = key, .num = value };
}

/* One call site's budget; zero-initialised, static. */
struct log_limit {
	int64_t window_start_ms;
	unsigned n_in_window;
	unsigned n_suppressed;
};

void log_configure(enum log_level level, enum log_format format);

/* Instead of stderr; the descriptor stays the caller's. */
void log_to(int fd);

bool log_enabled(enum log_level level);

/* fields[0] is a sentinel that is not printed; n counts it. Strings are quoted where they need
 * it, and bytes that are not printable are escaped: a value may come from a peer. */
void log_write(enum log_level level, const char *msg, const struct log_field *fields, size_t n);

/* As log_write(), at most 5 lines in 10 s for this `limit`. */
void log_write_limited(struct log_limit *limit, enum log_level level, const char *msg,
	const struct log_field *fields, size_t n);

#define LOG_FIELDS(...)   ((const struct log_field[]) { { 0 }, ##__VA_ARGS__ })
#define LOG_N_FIELDS(...) (sizeof(LOG_FIELDS(__VA_ARGS__)) / sizeof(struct log_field))
#define LOG_AT(level, msg, ...)                                                                    \
	log_write(level, msg, LOG_FIELDS(__VA_ARGS__), LOG_N_FIELDS(__VA_ARGS__))

#define log_error(msg, ...) LOG_AT(LOG_LEVEL_ERROR, msg, ##__VA_ARGS__)
#define log_warn(msg, ...)  LOG_AT(LOG_LEVEL_WARN, msg, ##__VA_ARGS__)
#define log_info(msg, ...)  LOG_AT(LOG_LEVEL_INFO, msg, ##__VA_ARGS__)
#define log_debug(msg, ...) LOG_AT(LOG_LEVEL_DEBUG, msg, ##__VA_ARGS__)

#define log_limited(level, msg, ...)                                                               \
	do {                                                                                       \
		static struct log_limit limit_;                                                    \
		log_write_limited(                                                                 \
			&limit_, level, msg, LOG_FIELDS(__VA_ARGS__), LOG_N_FIELDS(__VA_ARGS__));  \
	} while (0)
