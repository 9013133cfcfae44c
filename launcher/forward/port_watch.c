/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/forward/port_watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "launcher/process/backoff.h"
#include "launcher/process/loop.h"
#include "lib/agent_wire.h"
#include "lib/log.h"
#include "lib/unix_socket.h"

#define READ_MAX 16384
#define REST_MS  200 /* between two reports */

struct port_watch {
	struct event_base *loop;
	const char *vsock;
	struct port_watch_owner owner;
	struct backoff backoff;
	int fd; /* -1: none */
	struct event *readable;
	struct event *timer; /* the next attempt, the end of patience or of a rest */
	struct evbuffer *in;
	bool greeted; /* sluice-vsock has answered: these are the agent's bytes */
	bool heard;   /* a report: patience has become a rest */
	struct port_report report;
};

/* --- lines ----------------------------------------------------------------------------------- */

static int take_report(struct port_watch *w, const char *line, size_t len, struct err *err)
{
	int ret = port_report_parse(line, len, &w->report, err);

	if (ret < 0)
		return err_wrap(err, ret, "not a report");
	w->heard = true;
	w->owner.heard(w->owner.owner, &w->report);
	return 1;
}

static int take_greeting(struct port_watch *w, const char *line, struct err *err)
{
	if (strncmp(line, "OK ", 3) != 0)
		return err_set(err, -EPROTO, "the VM's vsock did not answer as one does");
	w->greeted = true;
	backoff_begun(&w->backoff, loop_now_ms());
	return 0;
}

/* 1: a report was heard; 0: there is none yet. */
static int take_lines(struct port_watch *w, struct err *err)
{
	size_t len;
	char *line;
	int ret = 0;

	while (ret == 0 && (line = evbuffer_readln(w->in, &len, EVBUFFER_EOL_LF)) != NULL) {
		ret = w->greeted ? take_report(w, line, len, err) : take_greeting(w, line, err);
		free(line);
	}
	if (ret == 0 && evbuffer_get_length(w->in) > PORT_REPORT_LINE_MAX)
		ret = err_set(err, -EPROTO, "a line without an end");
	return ret;
}

/* --- the connection -------------------------------------------------------------------------- */

static void drop(struct port_watch *w)
{
	if (w->readable != NULL)
		event_free(w->readable);
	if (w->fd >= 0)
		close(w->fd);
	w->readable = NULL;
	w->fd = -1;
	w->greeted = w->heard = false;
	(void)evbuffer_drain(w->in, evbuffer_get_length(w->in));
}

static void lose(struct port_watch *w, int ret, const struct err *why)
{
	if (ret == -EPROTO || ret == -ETIMEDOUT)
		log_limited(LOG_LEVEL_WARN, "ports-unheard", log_str("reason", why->text));
	drop(w);
	(void)loop_set_timer(w->timer, backoff_ended(&w->backoff, loop_now_ms()));
}

static void go_on(struct port_watch *w)
{
	struct err err = { "" };
	int ret = take_lines(w, &err);

	if (ret < 0) {
		lose(w, ret, &err);
	} else if (ret > 0) {
		(void)event_del(w->readable);
		(void)loop_set_timer(w->timer, REST_MS);
	}
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct port_watch *w = arg;
	struct err none = { "" };
	int n = evbuffer_read(w->in, fd, READ_MAX);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		lose(w, -EPIPE, &none);
	else
		go_on(w);
}

static int dial(struct port_watch *w, struct err *err)
{
	char line[32];
	int len = snprintf(line, sizeof(line), "CONNECT %d\n", AGENT_PORTS_PORT);

	w->fd = unix_connect(w->vsock, err);
	if (w->fd < 0)
		return w->fd;
	w->readable = event_new(w->loop, w->fd, EV_READ | EV_PERSIST, on_readable, w);
	if (w->readable == NULL || event_add(w->readable, NULL) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	if (send(w->fd, line, (size_t)len, MSG_NOSIGNAL) != len)
		return err_set(err, -EPIPE, "the VM's vsock takes nothing");
	return loop_set_timer(w->timer, w->owner.patience_ms);
}

static void on_time(evutil_socket_t fd, short what, void *arg)
{
	struct port_watch *w = arg;
	struct err err = { "" };
	int ret;

	if (w->heard) {
		(void)event_add(w->readable, NULL);
		go_on(w);
		return;
	}
	ret = w->fd < 0 ? dial(w, &err)
			: err_set(&err, -ETIMEDOUT, "the %s says nothing",
				  w->greeted ? "agent" : "VM's vsock");
	if (ret < 0)
		lose(w, ret, &err);
}

struct port_watch *port_watch_start(
	struct event_base *loop, const char *vsock, const struct port_watch_owner *owner)
{
	struct port_watch *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->loop = loop;
	w->vsock = vsock;
	w->owner = *owner;
	w->fd = -1;
	w->in = evbuffer_new();
	w->timer = evtimer_new(loop, on_time, w);
	if (w->in != NULL && w->timer != NULL && loop_set_timer(w->timer, 0) == 0)
		return w;
	port_watch_free(w);
	return NULL;
}

void port_watch_free(struct port_watch *w)
{
	if (w == NULL)
		return;
	if (w->in != NULL) {
		drop(w);
		evbuffer_free(w->in);
	}
	if (w->timer != NULL)
		event_free(w->timer);
	free(w);
}
