/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What QEMU's monitor sends: one JSON object a line, of one of four kinds (QEMU's qmp-spec). The
 * monitor is a hostile guest's next neighbour: what is of no kind, or of two, is refused.
 */

#include <jansson.h>
#include <stddef.h>

#include "lib/err.h"

/* The longest line; QEMU's answers to what we ask have some hundred bytes. */
#define QMP_LINE_MAX (64 * 1024)

enum qmp_kind {
	QMP_GREETING,
	QMP_RETURN, /* id, value */
	QMP_ERROR,  /* id, text: what it says */
	QMP_EVENT,  /* text: its name, value: its data */
};

struct qmp_message {
	enum qmp_kind kind;
	json_t *root; /* owns the rest */
	json_int_t id;
	json_t *value;    /* never NULL of a return; an object or NULL of an event */
	const char *text; /* never NULL of an error or an event */
};

/* 0, or -EPROTO; *message is then empty. Free by qmp_message_free() in either case. */
int qmp_decode(const char *line, size_t len, struct qmp_message *message, struct err *err);

void qmp_message_free(struct qmp_message *message);

/* {"execute": command, "arguments": ..., "id": id} and a newline; `arguments` (NULL: none) is
 * borrowed. To be freed; NULL: no memory. */
char *qmp_encode(const char *command, const json_t *arguments, json_int_t id);
