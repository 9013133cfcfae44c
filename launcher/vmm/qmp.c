/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/vmm/qmp.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/util.h>

#include "launcher/vmm/qmp_message.h"
#include "lib/cleanup.h"

enum state { AWAITS_GREETING, AWAITS_CAPABILITIES, READY, ENDED };

struct pending {
	json_int_t id; /* 0: free */
	qmp_done_fn *done;
};

struct qmp {
	struct bufferevent *stream;
	struct qmp_owner owner;
	enum state state;
	bool busy;   /* in a callback: qmp_close() leaves it to be freed */
	bool closed; /* and was called */
	json_int_t last_id;
	struct pending pending[QMP_PENDING_MAX];
};

static void release(struct qmp *qmp)
{
	bufferevent_free(qmp->stream);
	free(qmp);
}

static void end(struct qmp *qmp, const char *error)
{
	if (qmp->state == ENDED)
		return;
	qmp->state = ENDED;
	bufferevent_disable(qmp->stream, EV_READ | EV_WRITE);
	qmp->owner.ended(qmp->owner.owner, error);
}

/* --- asking ---------------------------------------------------------------------------------- */

static struct pending *find_pending(struct qmp *qmp, json_int_t id)
{
	for (size_t i = 0; i < QMP_PENDING_MAX; i++)
		if (qmp->pending[i].id == id)
			return &qmp->pending[i];
	return NULL;
}

static int ask(struct qmp *qmp, const char *command, const json_t *arguments, qmp_done_fn *done)
{
	struct pending *slot = find_pending(qmp, 0);
	cleanup_free char *line = NULL;

	if (slot == NULL)
		return -EBUSY;
	line = qmp_encode(command, arguments, qmp->last_id + 1);
	if (line == NULL || bufferevent_write(qmp->stream, line, strlen(line)) < 0)
		return -ENOMEM;
	*slot = (struct pending) { .id = ++qmp->last_id, .done = done };
	return 0;
}

int qmp_execute(struct qmp *qmp, const char *command, const json_t *arguments, qmp_done_fn *done,
	struct err *err)
{
	int ret = qmp->state == READY ? ask(qmp, command, arguments, done) : -ENOTCONN;

	return ret == 0 ? 0 : err_errno(err, -ret, "cannot ask QEMU for %s", command);
}

/* --- answers --------------------------------------------------------------------------------- */

static int on_greeting(struct qmp *qmp)
{
	if (qmp->state != AWAITS_GREETING)
		return -EPROTO;
	qmp->state = AWAITS_CAPABILITIES;
	return ask(qmp, "qmp_capabilities", NULL, NULL);
}

/* To the one command before it is ready, and then to the owner's. */
static int on_answer(struct qmp *qmp, const struct qmp_message *message)
{
	struct pending *slot = message->id > 0 ? find_pending(qmp, message->id) : NULL;
	qmp_done_fn *done;

	if (slot == NULL)
		return -EPROTO;
	done = slot->done;
	slot->id = 0;
	if (qmp->state == AWAITS_CAPABILITIES) {
		if (message->kind == QMP_ERROR)
			return -EPROTO;
		qmp->state = READY;
		qmp->owner.ready(qmp->owner.owner);
	} else if (done != NULL) {
		done(qmp->owner.owner, message->value, message->text);
	}
	return 0;
}

static int on_event(struct qmp *qmp, const struct qmp_message *message)
{
	if (qmp->state == AWAITS_GREETING)
		return -EPROTO;
	qmp->owner.event(qmp->owner.owner, message->text, message->value);
	return 0;
}

static int dispatch(struct qmp *qmp, const struct qmp_message *message)
{
	switch (message->kind) {
	case QMP_GREETING:
		return on_greeting(qmp);
	case QMP_RETURN:
	case QMP_ERROR:
		return on_answer(qmp, message);
	case QMP_EVENT:
		break;
	}
	return on_event(qmp, message);
}

static void take_line(struct qmp *qmp, const char *line, size_t len)
{
	struct qmp_message message;
	struct err err = { "" };
	int ret = qmp_decode(line, len, &message, &err);

	if (ret == 0) {
		ret = dispatch(qmp, &message);
		if (ret == -EPROTO)
			err_set(&err, ret, "out of turn");
		else if (ret < 0)
			err_errno(&err, -ret, "cannot answer");
	}
	qmp_message_free(&message);
	if (ret < 0 && !qmp->closed)
		end(qmp, err.text);
}

/* --- the stream ------------------------------------------------------------------------------ */

static void on_read(struct bufferevent *stream, void *arg)
{
	struct evbuffer *input = bufferevent_get_input(stream);
	struct qmp *qmp = arg;
	size_t len;

	qmp->busy = true;
	while (!qmp->closed && qmp->state != ENDED) {
		cleanup_free char *line = evbuffer_readln(input, &len, EVBUFFER_EOL_LF);

		if (line == NULL)
			break;
		take_line(qmp, line, len);
	}
	if (!qmp->closed && evbuffer_get_length(input) >= QMP_LINE_MAX)
		end(qmp, "a line that is too long");
	qmp->busy = false;
	if (qmp->closed)
		release(qmp);
}

static void on_stream_event(struct bufferevent *stream, short what, void *arg)
{
	struct qmp *qmp = arg;

	qmp->busy = true;
	end(qmp, NULL);
	qmp->busy = false;
	if (qmp->closed)
		release(qmp);
}

int qmp_open(struct event_base *loop, int fd, const struct qmp_owner *owner, struct qmp **out,
	struct err *err)
{
	cleanup_free struct qmp *qmp = calloc(1, sizeof(*qmp));

	if (qmp != NULL && evutil_make_socket_nonblocking(fd) == 0)
		qmp->stream = bufferevent_socket_new(loop, fd, BEV_OPT_CLOSE_ON_FREE);
	if (qmp == NULL || qmp->stream == NULL) {
		close(fd);
		return err_errno(err, ENOMEM, "cannot talk to QEMU");
	}
	qmp->owner = *owner;
	bufferevent_setcb(qmp->stream, on_read, NULL, on_stream_event, qmp);
	/* More is not read than could be one line. */
	bufferevent_setwatermark(qmp->stream, EV_READ, 0, QMP_LINE_MAX);
	if (bufferevent_enable(qmp->stream, EV_READ | EV_WRITE) < 0) {
		bufferevent_free(qmp->stream);
		return err_errno(err, ENOMEM, "cannot talk to QEMU");
	}
	*out = steal_ptr(&qmp);
	return 0;
}

void qmp_close(struct qmp *qmp)
{
	if (qmp == NULL)
		return;
	if (qmp->busy)
		qmp->closed = true;
	else
		release(qmp);
}
