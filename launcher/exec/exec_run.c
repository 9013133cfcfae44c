/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Signals. Without a raw terminal, what would end us or what has a meaning of the command's own is
 * passed on, and we end when the command does. With one the keyboard's signals are bytes for the
 * guest's terminal, and a signal that somebody sends is meant for us: the terminal is restored, and
 * the agent hangs up on the command as a closed terminal would. So it is while there is no command
 * yet: ^C ends the wait. What is ignored when we start (nohup) stays ignored.
 *
 * SIGTSTP stops us and not the command, whose output then waits as on any pipe; so it needs no
 * handler, but with a raw terminal, which must not stay raw behind us. SIGCONT makes it raw again
 * and tells the size, which may be another.
 */

#include "launcher/exec/exec_run.h"

#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "launcher/exec/exec_client.h"
#include "launcher/exec/exec_tty.h"
#include "lib/monotonic.h"
#include "lib/standard_streams.h"

#define RETRY_PAUSE_NS 50000000

/* Numbers of the kernel, not of this C library, which keeps two real-time signals for itself. */
#define REALTIME_FIRST 34
#define REALTIME_LAST  64

static const int passed_on[] = { SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGTERM,
	SIGSTKFLT, SIGVTALRM, SIGPROF, SIGIO, SIGPWR };

enum { N_PASSED_ON = sizeof(passed_on) / sizeof(passed_on[0]) };
enum { N_SIGNALS = N_PASSED_ON + REALTIME_LAST - REALTIME_FIRST + 1 + 3 };

struct run {
	const struct exec_options *opts;
	struct event_base *loop;
	struct exec_client *client;
	struct event *signals[N_SIGNALS];
	size_t n_signals;
	struct event *deadline; /* until the command runs */
	struct exec_tty tty;
	bool started, ended;
	struct exec_end end;
	bool late;
	int killed_by; /* a signal that was meant for us */
};

/* --- what happens while it runs -------------------------------------------------------------- */

static void on_started(void *owner, uint32_t pid)
{
	struct run *run = owner;

	run->started = true;
	event_del(run->deadline);
	if (run->opts->tty && run->opts->interactive)
		exec_tty_make_raw(&run->tty, STDIN_FILENO);
}

static void on_ended(void *owner, const struct exec_end *end)
{
	struct run *run = owner;

	run->end = *end;
	run->ended = true;
	event_base_loopbreak(run->loop);
}

static void on_late(evutil_socket_t fd, short what, void *arg)
{
	struct run *run = arg;

	run->late = true;
	event_base_loopbreak(run->loop);
}

static void on_signal(evutil_socket_t signo, short what, void *arg)
{
	struct run *run = arg;

	if (run->started && !run->tty.raw) {
		exec_client_signal(run->client, (int)signo);
		return;
	}
	run->killed_by = (int)signo;
	event_base_loopbreak(run->loop);
}

static void tell_window(struct run *run)
{
	struct agent_window window;

	if (exec_tty_window(&window))
		exec_client_resize(run->client, &window);
}

static void on_window(evutil_socket_t signo, short what, void *arg)
{
	tell_window(arg);
}

static void on_stop(evutil_socket_t signo, short what, void *arg)
{
	struct run *run = arg;

	exec_tty_restore(&run->tty, STDIN_FILENO);
	(void)kill(getpid(), SIGSTOP);
}

static void on_continue(evutil_socket_t signo, short what, void *arg)
{
	struct run *run = arg;

	/* Also behind a SIGSTOP, when a shell has made the terminal its own meanwhile. */
	exec_tty_restore(&run->tty, STDIN_FILENO);
	exec_tty_make_raw(&run->tty, STDIN_FILENO);
	tell_window(run);
}

/* --- start and end --------------------------------------------------------------------------- */

static void listen_to(struct run *run, int signo, event_callback_fn handler)
{
	struct sigaction now;
	struct event *event;

	if (sigaction(signo, NULL, &now) < 0 || now.sa_handler == SIG_IGN)
		return;
	event = evsignal_new(run->loop, signo, handler, run);
	if (event == NULL || event_add(event, NULL) < 0)
		return;
	run->signals[run->n_signals++] = event;
}

static void listen_to_all(struct run *run)
{
	for (size_t i = 0; i < N_PASSED_ON; i++)
		listen_to(run, passed_on[i], on_signal);
	for (int signo = REALTIME_FIRST; signo <= REALTIME_LAST; signo++)
		listen_to(run, signo, on_signal);
	if (!run->opts->tty)
		return;
	listen_to(run, SIGWINCH, on_window);
	if (run->opts->interactive && isatty(STDIN_FILENO)) {
		listen_to(run, SIGTSTP, on_stop);
		listen_to(run, SIGCONT, on_continue);
	}
}

/* EVENT_* in the environment is the command's. */
static struct event_base *new_loop(void)
{
	struct event_config *config = event_config_new();
	struct event_base *loop = NULL;

	if (config == NULL)
		return NULL;
	if (event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV) == 0)
		loop = event_base_new_with_config(config);
	event_config_free(config);
	return loop;
}

static int start_client(struct run *run, int fd, struct err *err)
{
	const struct exec_options *opts = run->opts;
	const struct exec_owner owner = { on_started, on_ended, run };
	const struct exec_streams streams = { .in = opts->interactive ? STDIN_FILENO : -1,
		.out = STDOUT_FILENO,
		.err = STDERR_FILENO };
	struct process_spec spec = { .cwd = opts->cwd[0] != '\0' ? (char *)opts->cwd : NULL,
		.user = opts->user[0] != '\0' ? (char *)opts->user : NULL,
		.groups = opts->groups,
		.terminal = opts->tty };
	struct agent_window window;

	if (opts->tty && exec_tty_window(&window)) {
		spec.rows = window.rows;
		spec.columns = window.columns;
	}
	return exec_client_start(run->loop, fd, &spec, opts->command, opts->env, &streams, &owner,
		&run->client, err);
}

/* One connection. 0: it ended somehow, see *run. */
static int try_once(struct run *run, int64_t deadline_ms, struct err *err)
{
	int64_t left = deadline_ms - monotonic_ms();
	struct timeval timeout;
	int fd, ret;

	left = left > 1 ? left : 1;
	ret = exec_connect(run->opts->socket, AGENT_PORT, (unsigned)left, &fd, err);
	if (ret < 0)
		return ret;
	ret = start_client(run, fd, err);
	if (ret < 0)
		return ret;
	left = deadline_ms - monotonic_ms();
	left = left > 1 ? left : 1;
	timeout = (struct timeval) { .tv_sec = left / 1000, .tv_usec = left % 1000 * 1000 };
	event_add(run->deadline, &timeout);
	listen_to_all(run);
	event_base_dispatch(run->loop);
	return 0;
}

static void clean_up(struct run *run)
{
	exec_tty_restore(&run->tty, STDIN_FILENO);
	while (run->n_signals > 0)
		event_free(run->signals[--run->n_signals]);
	event_del(run->deadline);
	exec_client_free(run->client);
	run->client = NULL;
}

/* The agent hung up before anything was asked of it: the guest goes down, or has just come up. */
static bool may_try_again(const struct run *run, int64_t deadline_ms)
{
	return run->ended && run->end.how == EXEC_LOST && !run->end.answered &&
	       monotonic_ms() < deadline_ms;
}

static int try_until(struct run *run, int64_t deadline_ms, struct err *err)
{
	const struct timespec pause = { .tv_nsec = RETRY_PAUSE_NS };

	for (;;) {
		int ret = try_once(run, deadline_ms, err);

		clean_up(run);
		if (ret < 0 || !may_try_again(run, deadline_ms))
			return ret;
		run->ended = false;
		(void)nanosleep(&pause, NULL);
	}
}

static int status_of(const struct run *run, struct err *err)
{
	const struct exec_end *end = &run->end;

	if (run->killed_by != 0)
		return EXEC_STATUS_SIGNALLED + run->killed_by;
	if (run->late)
		return err_set(err, EXEC_STATUS_NOT_RUN,
			"the agent did not start the command within %u s",
			(unsigned)run->opts->timeout_s);
	if (end->how == EXEC_UNREAD)
		return EXEC_STATUS_SIGNALLED + SIGPIPE;
	if (end->how == EXEC_EXITED)
		return end->ex.signalled ? EXEC_STATUS_SIGNALLED + (int)(end->ex.value & 0x7f)
					 : (int)(end->ex.value & 0xff);
	*err = end->err;
	if (end->how == EXEC_FAILED)
		return end->status == EXEC_STATUS_NOT_RUN + 1 ? (int)end->status
							      : EXEC_STATUS_NOT_RUN;
	return end->answered ? EXEC_STATUS_LOST : EXEC_STATUS_NOT_RUN;
}

int exec_run(const struct exec_options *opts, struct err *err)
{
	struct run run = { .opts = opts };
	int status = EXEC_STATUS_NOT_RUN;

	standard_streams_fill();
	signal(SIGPIPE, SIG_IGN);
	run.loop = new_loop();
	if (run.loop != NULL)
		run.deadline = evtimer_new(run.loop, on_late, &run);
	if (run.deadline == NULL)
		(void)err_set(err, 0, "out of memory");
	else if (try_until(&run, monotonic_ms() + (int64_t)opts->timeout_s * 1000, err) == 0)
		status = status_of(&run, err);
	if (run.deadline != NULL)
		event_free(run.deadline);
	if (run.loop != NULL)
		event_base_free(run.loop);
	return status;
}
