/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The whole client of QEMU's monitor, against a monitor that says the input. It asks something
 * whenever it is ready or hears an event, and its owner closes it at the third event.
 */

#include <assert.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "launcher/vmm/qmp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct session {
	struct qmp *qmp;
	unsigned n_events;
	bool ready, ended;
};

static void on_done(void *owner, const json_t *result, const char *error)
{
	const struct session *session = owner;

	assert(session->ready && !session->ended);
	assert((result == NULL) == (error != NULL));
}

static void on_ready(void *owner)
{
	struct session *session = owner;

	assert(!session->ready && !session->ended);
	session->ready = true;
	qmp_execute(session->qmp, "cont", NULL, on_done, NULL);
}

static void on_event(void *owner, const char *name, const json_t *data)
{
	struct session *session = owner;

	assert(!session->ended && strlen(name) > 0);
	assert(data == NULL || json_is_object(data));
	qmp_execute(session->qmp, "query-status", NULL, on_done, NULL);
	if (++session->n_events == 3) {
		qmp_close(session->qmp);
		session->qmp = NULL;
	}
}

static void on_ended(void *owner, const char *error)
{
	struct session *session = owner;

	assert(!session->ended);
	assert(error == NULL || strlen(error) > 0);
	session->ended = true;
}

static struct event_base *event_loop(void)
{
	static struct event_base *loop;

	if (loop == NULL) {
		signal(SIGPIPE, SIG_IGN);
		loop = event_base_new();
	}
	return loop;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct session session = { 0 };
	const struct qmp_owner owner = {
		.ready = on_ready, .event = on_event, .ended = on_ended, .owner = &session
	};
	struct event_base *loop = event_loop();
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return 0;
	if (qmp_open(loop, pair[1], &owner, &session.qmp, NULL) == 0) {
		ssize_t n = send(pair[0], data, size, MSG_DONTWAIT | MSG_NOSIGNAL);

		/* What it asks stays unread: with our end open it would wait for more. */
		shutdown(pair[0], SHUT_WR);
		event_base_dispatch(loop);
		assert(n < 0 || session.ended || session.qmp == NULL);
		qmp_close(session.qmp);
	}
	close(pair[0]);
	return 0;
}
