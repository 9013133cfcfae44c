/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Error messages for human edges (configuration, control commands, device set-up).
 *
 * Functions return 0 or a negative errno; where a person will read the outcome they also take a
 * last parameter `struct err *` that collects one line: what failed, where, what to do about it.
 * Callers on the way up prepend context with err_wrap(): `port "vm0": cannot bind /run/x.sock:
 * Permission denied`. Every function here accepts NULL for an error nobody wants to read.
 */

#define ERR_TEXT_MAX 512

struct err {
	char text[ERR_TEXT_MAX]; /* always NUL-terminated; empty until set */
};

/* Stores the formatted message (cut to fit) and returns `code` unchanged. */
int err_set(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* As err_set(), with ": " and the text of errno value `errnum` (positive) appended; returns
 * -errnum. */
int err_errno(struct err *err, int errnum, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Prepends the formatted context and ": " to the message already there; returns `code`. */
int err_wrap(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
