/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/run/workload.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "launcher/process/loop.h"
#include "lib/log.h"

/*
 * How often a guest that may still be booting is asked, and how long for an answer: a machine
 * without a driver, or an agent that does not listen yet, refuses at once.
 */
#define RETRY_MS  10
#define ANSWER_MS 100

struct workload {
	struct event_base *loop;
	struct workload_plan plan;
	char vsock[PATH_MAX];
	struct event *retry;
	struct exec_client *client; /* NULL: it is being sought */
	struct agent_offsets written;
	double lost_at_ms; /* 0: it has not started, or is there */
	bool started;
	struct agent_window window; /* rows 0: not told */
};

static void seek(struct workload *w)
{
	const struct timeval soon = { 0, RETRY_MS * 1000 };

	(void)event_add(w->retry, &soon);
}

static void end(struct workload *w, const struct exec_end *how)
{
	exec_client_free(w->client);
	w->client = NULL;
	w->plan.owner.ended(w->plan.owner.owner, how);
}

static void on_started(void *owner, uint32_t pid)
{
	struct workload *w = owner;

	if (!w->started)
		w->plan.owner.started(w->plan.owner.owner, pid);
	w->started = true;
	w->lost_at_ms = 0;
}

static void on_ended(void *owner, const struct exec_end *how)
{
	struct workload *w = owner;

	if (how->how != EXEC_LOST) {
		end(w, how);
		return;
	}
	log_warn("agent-lost", log_str("reason", how->err.text));
	w->written = exec_client_written(w->client);
	exec_client_free(w->client);
	w->client = NULL;
	if (w->started && w->lost_at_ms == 0)
		w->lost_at_ms = loop_now_ms();
	seek(w);
}

static int connect_and_attach(struct workload *w, struct err *err)
{
	const struct exec_owner owner = { on_started, on_ended, w };
	int fd, ret = exec_connect(w->vsock, AGENT_PORT, ANSWER_MS, &fd, err);

	if (ret < 0)
		return ret;
	ret = exec_client_attach(
		w->loop, fd, &w->written, &w->plan.streams, &owner, &w->client, err);
	if (ret == 0 && w->window.rows > 0)
		exec_client_resize(w->client, &w->window);
	return ret;
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct workload *w = arg;
	struct exec_end lost = { .how = EXEC_LOST };

	if (connect_and_attach(w, &lost.err) == 0)
		return;
	if (w->lost_at_ms > 0 && loop_now_ms() - w->lost_at_ms > w->plan.retry_ms)
		end(w, &lost);
	else
		seek(w);
}

int workload_start(struct event_base *loop, const struct workload_plan *plan, struct workload **out,
	struct err *err)
{
	struct workload *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	*w = (struct workload) { .loop = loop, .plan = *plan };
	snprintf(w->vsock, sizeof(w->vsock), "%s", plan->vsock);
	w->retry = evtimer_new(loop, on_retry, w);
	if (w->retry == NULL) {
		free(w);
		return err_set(err, -ENOMEM, "out of memory");
	}
	seek(w);
	*out = w;
	return 0;
}

void workload_signal(struct workload *workload, int signo)
{
	if (workload->client != NULL)
		exec_client_signal(workload->client, signo);
}

void workload_resize(struct workload *workload, const struct agent_window *window)
{
	workload->window = *window;
	if (workload->client != NULL)
		exec_client_resize(workload->client, window);
}

void workload_free(struct workload *workload)
{
	if (workload == NULL)
		return;
	exec_client_free(workload->client);
	event_free(workload->retry);
	free(workload);
}
