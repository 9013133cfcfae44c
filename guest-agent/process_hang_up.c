/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The end of processes whose clients have gone. To find a session's processes takes a look at every
 * process there is, and hundreds of clients may go at once: so one look, as soon as the loop comes
 * to it, is for all of them.
 */

#include "guest-agent/process_private.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include <event2/event.h>

#include "guest-agent/session_kill.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/monotonic.h"

/* How long a session has after SIGHUP, and how often it is then looked after. */
#define HANG_UP_GRACE_MS 1000
#define KILL_AGAIN_MS    100
#define KILLS_MAX        100

/* libevent's clock is coarse, and a timer may be early by a tick. */
#define CLOCK_MS 20

static bool is_told(const struct process *process)
{
	return process->kill_at_ms != 0;
}

/* A number of a session is not given to a process while somebody is in it: who has it now, once the
 * leader has been reaped, is another, and there is nobody left. */
static bool number_is_anothers(const struct process *process)
{
	return process->is_reaped && kill(process->child.pid, 0) == 0;
}

static struct session session_of(const struct process *process, int64_t now)
{
	struct session session = { .leader = process->child.pid };

	if (number_is_anothers(process))
		session.leader = -1;
	else if (!is_told(process)) {
		session.signals[0] = SIGHUP;
		session.signals[1] = SIGCONT;
	} else if (now >= process->kill_at_ms) {
		session.signals[0] = SIGKILL;
	}
	return session;
}

/* Somebody who does not die (I/O that never returns) is given up at last. */
static void go_on(struct process *process, size_t n_alive, int64_t now)
{
	if (!is_told(process)) {
		/* Not before they see that their stdin has ended, which is less of a reason. */
		process_close_ends(process);
		process->kill_at_ms = now + HANG_UP_GRACE_MS;
	} else if (now >= process->kill_at_ms) {
		process->kill_at_ms = now + KILL_AGAIN_MS;
		if (process->is_reaped)
			process->n_kills++;
		else
			kill(process->child.pid, SIGKILL);
	}
	if (!process->is_reaped || (n_alive > 0 && process->n_kills < KILLS_MAX))
		return;
	if (n_alive > 0)
		log_warn("processes do not end", log_int("session", process->child.pid),
			log_int("processes", (int64_t)n_alive));
	process_destroy(process);
}

static void look_again_in(struct process_host *host, int64_t ms)
{
	const struct timeval later = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	event_add(host->on_hang_up, &later);
}

static void look_again(struct process_host *host, int64_t now)
{
	int64_t next = INT64_MAX;
	struct process *process;

	LIST_FOREACH(process, &host->processes, link)
	if (process->hangs_up && process->kill_at_ms < next)
		next = process->kill_at_ms;
	if (next != INT64_MAX)
		look_again_in(host, next > now ? next - now + CLOCK_MS : 0);
}

/* As many as there may be; NULL: memory is short. */
static struct session *make_sessions(const struct process_host *host)
{
	return calloc(host->n_processes + 1, sizeof(struct session));
}

static void on_hang_up(evutil_socket_t fd, short what, void *arg)
{
	struct process_host *host = arg;
	cleanup_free struct session *sessions = make_sessions(host);
	struct process *process, *next;
	int64_t now = monotonic_ms();
	size_t n = 0;

	if (sessions == NULL) {
		look_again_in(host, KILL_AGAIN_MS);
		return;
	}
	LIST_FOREACH(process, &host->processes, link)
	if (process->hangs_up)
		sessions[n++] = session_of(process, now);
	session_signal(sessions, n);
	n = 0;
	for (process = LIST_FIRST(&host->processes); process != NULL; process = next) {
		next = LIST_NEXT(process, link);
		if (process->hangs_up)
			go_on(process, sessions[n++].n_alive, now);
	}
	look_again(host, now);
}

int process_hang_up_init(struct process_host *host)
{
	host->on_hang_up = evtimer_new(host->loop, on_hang_up, host);
	return host->on_hang_up != NULL ? 0 : -ENOMEM;
}

void process_hang_up_reaped(struct process *process)
{
	look_again_in(process->host, 0);
}

void process_hang_up(struct process *process)
{
	/* Once nobody holds its output any more, its number may be that of another. */
	bool is_over = process->is_reaped && process_io_is_over(process);

	if (!process->is_forked || is_over) {
		process_let_go(process);
		return;
	}
	process->ops = NULL;
	process->hangs_up = true;
	process_forget_report(process);
	if (!process->is_executed)
		kill(process->child.pid, SIGKILL);
	look_again_in(process->host, 0);
}

void process_kill_all(struct process_host *host)
{
	cleanup_free struct session *sessions = make_sessions(host);
	struct process *process;
	size_t n = 0;

	LIST_FOREACH(process, &host->processes, link)
	{
		process->ops = NULL;
		if (process->is_forked && sessions != NULL)
			sessions[n++] = (struct session) { process->child.pid, { SIGKILL } };
	}
	session_signal(sessions, n);
	LIST_FOREACH(process, &host->processes, link)
	if (process->is_forked && !process->is_reaped)
		kill(process->child.pid, SIGKILL);
}
