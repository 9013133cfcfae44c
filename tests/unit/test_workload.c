/* SPDX-License-Identifier: BSD-3-Clause */

/* The workload's connection as sluice-vm keeps it: it breaks, is sought again and goes on where it
 * was; and if nobody answers any more, that is the end. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "launcher/run/workload.h"
#include "tests/fakes/fake_agent.h"

#define RETRY_MS    500
#define PATIENCE_MS 30000

struct watch {
	struct event_base *loop;
	struct workload *workload;
	unsigned n_started, n_ended;
	uint32_t pid;
	struct exec_end end;
	int out[2], err[2];
};

static void on_started(void *owner, uint32_t pid)
{
	struct watch *watch = owner;

	watch->n_started++;
	watch->pid = pid;
}

static void on_ended(void *owner, const struct exec_end *end)
{
	struct watch *watch = owner;

	watch->n_ended++;
	watch->end = *end;
	event_base_loopbreak(watch->loop);
}

static void start(struct watch *watch, const char *vsock, unsigned retry_ms)
{
	struct workload_plan plan = { .vsock = vsock, .retry_ms = retry_ms };
	struct err err = { "" };

	*watch = (struct watch) { .loop = event_base_new() };
	assert_int_equal(pipe2(watch->out, O_CLOEXEC), 0);
	assert_int_equal(pipe2(watch->err, O_CLOEXEC), 0);
	plan.streams = (struct exec_streams) { -1, watch->out[1], watch->err[1] };
	plan.owner = (struct workload_owner) { on_started, on_ended, watch };
	assert_int_equal(workload_start(watch->loop, &plan, &watch->workload, &err), 0);
}

static void finish(struct watch *watch)
{
	workload_free(watch->workload);
	event_base_free(watch->loop);
	for (int i = 0; i < 2; i++) {
		close(watch->out[i]);
		close(watch->err[i]);
	}
}

/* All that has been written to one of our pipes. */
static void check_written(const int *pipe, const char *expected)
{
	char text[128] = "";

	assert_return_code(fcntl(pipe[0], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(read(pipe[0], text, sizeof(text) - 1), strlen(expected));
	assert_string_equal(text, expected);
}

/* --- agents ---------------------------------------------------------------------------------- */

static void take_attach(struct fake_agent *agent, uint64_t n_stdout, uint64_t n_stderr)
{
	const struct agent_attached attached = {
		.pid = 1, .n_stdout = n_stdout, .n_stderr = n_stderr
	};
	struct agent_offsets from = { 0 };
	enum agent_wire_type type;
	uint32_t len;

	fake_agent_greet(agent);
	if (!fake_agent_next(agent, &type, &len) || type != AGENT_ATTACH ||
		agent_wire_get_offsets(agent->in, len, &from) < 0 || from.n_stdout != n_stdout ||
		from.n_stderr != n_stderr) {
		fprintf(stderr, "attached at %d, %d\n", (int)from.n_stdout, (int)from.n_stderr);
		abort();
	}
	agent_wire_put_attached(agent->out, &attached);
	fake_agent_flush(agent);
}

/* The window's size is told on every connection. */
static void expect_window(struct fake_agent *agent, uint16_t rows)
{
	struct agent_window window = { 0 };
	enum agent_wire_type type;
	uint32_t len;

	if (!fake_agent_next(agent, &type, &len) || type != AGENT_RESIZE ||
		agent_wire_get_window(agent->in, len, &window) < 0 || window.rows != rows)
		abort();
}

static void break_thrice(struct fake_agent *agent)
{
	take_attach(agent, 0, 0);
	expect_window(agent, 40);
	fake_agent_output(agent, AGENT_STDOUT, "hello ", 6);
	fake_agent_output(agent, AGENT_STDERR, "xyz", 3);
	fake_agent_hang_up(agent);

	/* Within a frame: nothing of it counts. */
	take_attach(agent, 6, 3);
	expect_window(agent, 40);
	fake_agent_output(agent, AGENT_STDOUT, "wor", 3);
	fake_agent_say(agent, "\11\0\0\0\5\0\0\0lost", 12);
	fake_agent_hang_up(agent);

	/* A connection that comes to nothing. */
	fake_agent_accept(agent);
	fake_agent_hang_up(agent);

	take_attach(agent, 9, 3);
	expect_window(agent, 40);
	fake_agent_output(agent, AGENT_STDERR, "!", 1);
	fake_agent_output(agent, AGENT_STDOUT, "ld", 2);
	fake_agent_exit(agent, 9);
	fake_agent_expect_end(agent);
}

static void test_goes_on_where_it_was(void **state)
{
	const struct agent_window window = { .rows = 40, .columns = 120 };
	struct fake_agent agent;
	struct watch watch;

	fake_agent_start(&agent, break_thrice, NULL);
	start(&watch, agent.path, PATIENCE_MS);
	workload_resize(watch.workload, &window);
	event_base_dispatch(watch.loop);
	assert_int_equal(watch.n_started, 1);
	assert_int_equal(watch.pid, 1);
	assert_int_equal(watch.n_ended, 1);
	assert_int_equal(watch.end.how, EXEC_EXITED);
	assert_int_equal(watch.end.ex.value, 9);
	check_written(watch.out, "hello world");
	check_written(watch.err, "xyz!");
	fake_agent_stop(&agent);
	finish(&watch);
}

static void break_and_be_silent(struct fake_agent *agent)
{
	take_attach(agent, 0, 0);
	fake_agent_output(agent, AGENT_STDOUT, "last", 4);
	fake_agent_hang_up(agent);
	/* Connections are queued, and nobody says a word on them. */
}

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1000 + (double)now.tv_nsec / 1e6;
}

static void test_silence_is_the_end(void **state)
{
	struct fake_agent agent;
	struct watch watch;
	double begun = now_ms();

	fake_agent_start(&agent, break_and_be_silent, NULL);
	start(&watch, agent.path, RETRY_MS);
	event_base_dispatch(watch.loop);
	assert_int_equal(watch.n_started, 1);
	assert_int_equal(watch.n_ended, 1);
	assert_int_equal(watch.end.how, EXEC_LOST);
	assert_true(watch.end.err.text[0] != '\0');
	assert_true(now_ms() - begun >= RETRY_MS);
	check_written(watch.out, "last");
	fake_agent_stop(&agent);
	finish(&watch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_goes_on_where_it_was),
		cmocka_unit_test(test_silence_is_the_end),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
