/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Theory of operation. Two lines are said and two heard, in turn, so that neither sluice-vsock nor
 * the agent gets what is meant for the other:
 *
 *   CONNECT 1025      OK 1073741824
 *   127.0.0.1 80      OK, or ERROR Connection refused
 *
 * Of loopback, a refusal at 127.0.0.1 leads to a second attempt, at ::1, from the beginning. If
 * that fails as well, the first one's reason is told: more services listen there.
 */

#include "launcher/forward/guest_dial.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "lib/agent_wire.h"
#include "lib/peek_line.h"
#include "lib/unix_socket.h"

#define ANSWER_S   15 /* the agent gives up before */
#define BUSY_MS    20
#define BUSY_TRIES 250
#define LINE_MAX   320 /* of a reason, which is an err's text */

static const char *const loopback[] = { "127.0.0.1", "::1" };

#define N_LOOPBACK (sizeof(loopback) / sizeof(loopback[0]))

struct guest_dial {
	struct event_base *loop;
	struct guest_dial_plan plan;
	int fd;              /* -1: none at the moment */
	struct event *event; /* its answer, or with -1 the next attempt */
	size_t attempt;      /* of loopback's addresses */
	unsigned n_busy;
	bool to_agent; /* sluice-vsock has answered */
	char line[LINE_MAX];
	size_t len;
	struct err why;
};

static int dial(struct guest_dial *d, struct err *err);

/* --- answers --------------------------------------------------------------------------------- */

int guest_dial_answer(const char *line, size_t len, struct err *err)
{
	static const char error[] = "ERROR ";
	char reason[LINE_MAX];
	size_t n = 0;

	if (len == 2 && memcmp(line, "OK", 2) == 0)
		return 0;
	if (len < strlen(error) || memcmp(line, error, strlen(error)) != 0)
		return err_set(err, -EPROTO, "the guest's agent did not answer as one does");
	for (size_t i = strlen(error); i < len && n < sizeof(reason) - 1; i++)
		reason[n++] = isprint((unsigned char)line[i]) ? line[i] : '?';
	reason[n] = '\0';
	return err_set(err, -ECONNREFUSED, "%s", reason);
}

/* 1: the answer's line is there. */
static int read_line(struct guest_dial *d, struct err *err)
{
	int ret = peek_line(d->fd, d->line, sizeof(d->line), &d->len);

	if (ret == -ECONNRESET)
		return err_set(err, ret, "the guest's agent does not answer");
	if (ret < 0)
		return err_set(err, -EPROTO, "the guest's agent did not answer as one does");
	return ret;
}

static int say(struct guest_dial *d, const char *line, struct err *err)
{
	size_t len = strlen(line);

	d->len = 0;
	if (send(d->fd, line, len, MSG_NOSIGNAL) != (ssize_t)len)
		return err_set(err, -EPIPE, "the VM's vsock takes nothing");
	return 0;
}

static int say_where(struct guest_dial *d, struct err *err)
{
	const struct ip_addr *address = d->plan.address;
	char line[64], text[IP_ADDR_TEXT_MAX];

	d->to_agent = true;
	snprintf(line, sizeof(line), "%s %u\n",
		address != NULL ? ip_addr_format(address, text) : loopback[d->attempt],
		d->plan.port);
	return say(d, line, err);
}

static int check_vsock(const struct guest_dial *d, struct err *err)
{
	return d->len > 3 && memcmp(d->line, "OK ", 3) == 0
		       ? 0
		       : err_set(err, -EPROTO, "the VM's vsock did not answer as one does");
}

/* 1: the stream begins. */
static int take_line(struct guest_dial *d, struct err *err)
{
	int ret;

	if (!d->to_agent) {
		ret = check_vsock(d, err);
		return ret < 0 ? ret : say_where(d, err);
	}
	ret = guest_dial_answer(d->line, d->len - 1, err);
	return ret < 0 ? ret : 1;
}

/* --- attempts -------------------------------------------------------------------------------- */

static void drop(struct guest_dial *d)
{
	if (d->event != NULL)
		event_free(d->event);
	if (d->fd >= 0)
		close(d->fd);
	d->event = NULL;
	d->fd = -1;
}

static void fail(struct guest_dial *d, int ret, const struct err *why)
{
	struct err err = { "" };

	drop(d);
	if (d->attempt == 0)
		d->why = *why;
	if (ret == -ECONNREFUSED && d->plan.address == NULL && ++d->attempt < N_LOOPBACK &&
		dial(d, &err) == 0)
		return;
	d->plan.done(d->plan.owner, -1, &d->why);
}

static void on_answer(evutil_socket_t fd, short what, void *arg)
{
	struct guest_dial *d = arg;
	struct err why = { "" };
	int ret = (what & EV_TIMEOUT)
			  ? err_set(&why, -ETIMEDOUT, "the guest's agent did not answer in %d s",
				    ANSWER_S)
			  : read_line(d, &why);

	if (ret > 0)
		ret = take_line(d, &why);
	if (ret < 0) {
		fail(d, ret, &why);
	} else if (ret > 0) {
		int open = d->fd;

		d->fd = -1;
		drop(d);
		d->plan.done(d->plan.owner, open, NULL);
	}
}

static void on_less_busy(evutil_socket_t fd, short what, void *arg)
{
	struct guest_dial *d = arg;
	struct err why = { "" };
	int ret;

	drop(d);
	ret = dial(d, &why);
	if (ret < 0)
		fail(d, ret, &why);
}

/* Its queue of connections is full: soon it is not. */
static int wait_busy(struct guest_dial *d, struct err *err)
{
	const struct timeval pause = { 0, BUSY_MS * 1000 };

	if (d->n_busy++ == BUSY_TRIES)
		return err_set(err, -EAGAIN, "the VM's vsock takes no connections");
	d->event = evtimer_new(d->loop, on_less_busy, d);
	if (d->event == NULL || event_add(d->event, &pause) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

static int dial(struct guest_dial *d, struct err *err)
{
	const struct timeval patience = { ANSWER_S, 0 };
	char line[32];

	d->to_agent = false;
	d->fd = unix_connect(d->plan.vsock, err);
	if (d->fd == -EAGAIN)
		return wait_busy(d, err);
	if (d->fd < 0)
		return d->fd;
	d->event = event_new(d->loop, d->fd, EV_READ | EV_PERSIST, on_answer, d);
	if (d->event == NULL || event_add(d->event, &patience) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	snprintf(line, sizeof(line), "CONNECT %d\n", AGENT_FORWARD_PORT);
	return say(d, line, err);
}

int guest_dial_start(struct event_base *loop, const struct guest_dial_plan *plan,
	struct guest_dial **out, struct err *err)
{
	struct guest_dial *d = calloc(1, sizeof(*d));
	int ret;

	if (d == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	*d = (struct guest_dial) { .loop = loop, .plan = *plan, .fd = -1 };
	ret = dial(d, err);
	if (ret < 0) {
		guest_dial_free(d);
		return ret;
	}
	*out = d;
	return 0;
}

void guest_dial_free(struct guest_dial *d)
{
	if (d == NULL)
		return;
	drop(d);
	free(d);
}
