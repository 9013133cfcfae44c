/* SPDX-License-Identifier: BSD-3-Clause */

/* The client in the event loop of a program that has more to do: attachments to the workload, and
 * clients that are freed early. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "launcher/exec/exec_client.h"
#include "tests/fakes/fake_agent.h"

#define PATIENCE_MS 30000

struct attachment {
	struct event_base *loop;
	struct exec_client *client;
	uint32_t pid;
	unsigned n_ended;
	struct exec_end end;
	struct agent_offsets written;
};

static void on_started(void *arg, uint32_t pid)
{
	struct attachment *a = arg;

	a->pid = pid;
}

/* Frees the client from within, as is allowed. */
static void on_ended(void *arg, const struct exec_end *end)
{
	struct attachment *a = arg;

	a->n_ended++;
	a->end = *end;
	a->written = exec_client_written(a->client);
	exec_client_free(a->client);
	a->client = NULL;
	event_base_loopbreak(a->loop);
}

static void attach(struct attachment *a, const char *path, struct agent_offsets from, int out)
{
	const struct exec_owner owner = { on_started, on_ended, a };
	const struct exec_streams streams = { .in = -1, .out = out, .err = -1 };
	struct err err = { "" };
	int fd = -1;

	*a = (struct attachment) { .loop = event_base_new() };
	assert_int_equal(exec_connect(path, AGENT_PORT, PATIENCE_MS, &fd, &err), 0);
	assert_int_equal(
		exec_client_attach(a->loop, fd, &from, &streams, &owner, &a->client, &err), 0);
}

static void finish(struct attachment *a)
{
	exec_client_free(a->client);
	event_base_free(a->loop);
}

/* --- an agent that has a workload ------------------------------------------------------------ */

static void take_attach(struct fake_agent *agent, uint64_t n_stdout, uint64_t n_stderr)
{
	struct agent_offsets from;
	enum agent_wire_type type;
	uint32_t len;

	if (!fake_agent_next(agent, &type, &len) || type != AGENT_ATTACH ||
		agent_wire_get_offsets(agent->in, len, &from) < 0 || from.n_stdout != n_stdout ||
		from.n_stderr != n_stderr)
		abort();
}

static void say_attached(struct fake_agent *agent, uint64_t n_stdout, uint64_t n_stderr)
{
	const struct agent_attached attached = {
		.pid = 1, .n_stdout = n_stdout, .n_stderr = n_stderr
	};

	agent_wire_put_attached(agent->out, &attached);
	fake_agent_flush(agent);
	fake_agent_expect(agent, AGENT_STDIN_CLOSE, NULL, 0);
}

/* Acknowledgements up to this one; they never go back. */
static void await_ack(struct fake_agent *agent, uint64_t n_stdout, uint64_t n_stderr)
{
	struct agent_offsets ack = { 0 };

	while (ack.n_stdout < n_stdout || ack.n_stderr < n_stderr) {
		struct agent_offsets before = ack;
		enum agent_wire_type type;
		uint32_t len;

		if (!fake_agent_next(agent, &type, &len) || type != AGENT_OUTPUT_ACK ||
			agent_wire_get_offsets(agent->in, len, &ack) < 0 ||
			ack.n_stdout < before.n_stdout || ack.n_stderr < before.n_stderr)
			abort();
	}
	if (ack.n_stdout != n_stdout || ack.n_stderr != n_stderr)
		abort();
}

static void output_and_break(struct fake_agent *agent)
{
	fake_agent_greet(agent);
	take_attach(agent, 10, 20);
	say_attached(agent, 12, 20);
	fake_agent_output(agent, AGENT_STDOUT, "hello ", 6);
	fake_agent_output(agent, AGENT_STDERR, "xyz", 3);
	await_ack(agent, 18, 23);
	fake_agent_output(agent, AGENT_STDOUT, "wor", 3);
	fake_agent_hang_up(agent);

	fake_agent_greet(agent);
	take_attach(agent, 21, 23);
	say_attached(agent, 21, 23);
	fake_agent_output(agent, AGENT_STDOUT, "ld", 2);
	fake_agent_exit(agent, 9);
	fake_agent_expect_end(agent);
}

/* The connection breaks; the next one goes on where the output was. */
static void test_attach_twice(void **state)
{
	struct fake_agent agent;
	struct attachment a, b;
	char text[64] = "";
	int out[2];

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	fake_agent_start(&agent, output_and_break, NULL);
	attach(&a, agent.path, (struct agent_offsets) { 10, 20 }, out[1]);
	event_base_dispatch(a.loop);
	assert_int_equal(a.n_ended, 1);
	assert_int_equal(a.pid, 1);
	assert_int_equal(a.end.how, EXEC_LOST);
	assert_true(a.end.answered);
	assert_int_equal(a.written.n_stdout, 21);
	assert_int_equal(a.written.n_stderr, 23);

	attach(&b, agent.path, a.written, out[1]);
	event_base_dispatch(b.loop);
	assert_int_equal(b.n_ended, 1);
	assert_int_equal(b.end.how, EXEC_EXITED);
	assert_int_equal(b.end.ex.value, 9);
	assert_int_equal(b.written.n_stdout, 23);
	assert_int_equal(read(out[0], text, sizeof(text)), 11);
	assert_string_equal(text, "hello world");
	fake_agent_stop(&agent);
	finish(&a);
	finish(&b);
	close(out[0]);
	close(out[1]);
}

static void output_much(struct fake_agent *agent)
{
	static const char bytes[65536];

	fake_agent_greet(agent);
	take_attach(agent, 0, 0);
	say_attached(agent, 0, 0);
	for (int i = 0; i < 64; i++)
		fake_agent_output(agent, AGENT_STDOUT, bytes, sizeof(bytes));
	await_ack(agent, 64 * sizeof(bytes), 0);
	fake_agent_exit(agent, 0);
	fake_agent_expect_end(agent);
}

/* A workload does not end because nobody looks at it. */
static void test_attach_without_reader(void **state)
{
	struct fake_agent agent;
	struct attachment a;
	int out[2];

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	close(out[0]);
	fake_agent_start(&agent, output_much, NULL);
	attach(&a, agent.path, (struct agent_offsets) { 0 }, out[1]);
	event_base_dispatch(a.loop);
	assert_int_equal(a.end.how, EXEC_EXITED);
	assert_int_equal(a.written.n_stdout, 64 * 65536);
	fake_agent_stop(&agent);
	finish(&a);
	close(out[1]);
}

static void go_back(struct fake_agent *agent)
{
	const struct agent_attached attached = { .pid = 1, .n_stdout = 9 };

	fake_agent_greet(agent);
	take_attach(agent, 10, 0);
	agent_wire_put_attached(agent->out, &attached);
	fake_agent_flush(agent);
	fake_agent_expect_end(agent);
}

static void test_attach_never_goes_back(void **state)
{
	struct fake_agent agent;
	struct attachment a;

	fake_agent_start(&agent, go_back, NULL);
	attach(&a, agent.path, (struct agent_offsets) { 10, 0 }, -1);
	event_base_dispatch(a.loop);
	assert_int_equal(a.end.how, EXEC_LOST);
	assert_string_equal(a.end.err.text, "the agent's ATTACHED makes no sense");
	fake_agent_stop(&agent);
	finish(&a);
}

/* --- freed early ----------------------------------------------------------------------------- */

static unsigned count_entries(const char *path)
{
	DIR *dir = opendir(path);
	unsigned n = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

/* Threads end a moment after they were told. */
static bool comes_to(const char *path, unsigned n)
{
	for (int i = 0; i < PATIENCE_MS && count_entries(path) > n; i++)
		usleep(1000);
	return count_entries(path) <= n;
}

/* Those of the test before may still be ending: how many there were before the first. */
static unsigned n_threads_at_first;

static int count_threads(void **state)
{
	n_threads_at_first = count_entries("/proc/self/task");
	return 0;
}

static void flood(struct fake_agent *agent)
{
	static const char bytes[65536];

	fake_agent_greet(agent);
	take_attach(agent, 0, 0);
	say_attached(agent, 0, 0);
	do {
		agent_wire_put(agent->out, AGENT_STDOUT, bytes, sizeof(bytes));
	} while (fake_agent_flush(agent));
}

static void on_full(evutil_socket_t fd, short what, void *arg)
{
	event_base_loopbreak(arg);
}

/* So long that a pipe which something came into is full. */
static void fill(struct attachment *a, int pipe)
{
	const struct timeval soon = { .tv_usec = 200000 };
	int n = 0, before;

	do {
		before = n;
		event_base_once(a->loop, -1, EV_TIMEOUT, on_full, a->loop, &soon);
		event_base_dispatch(a->loop);
		assert_return_code(ioctl(pipe, FIONREAD, &n), errno);
	} while (n == 0 || n != before);
}

/* Its writer is stuck in a full pipe: nobody waits for it, and nothing is left when it is not. */
static void test_freed_while_blocked(void **state)
{
	unsigned n_fds;
	struct fake_agent agent;
	struct attachment a;
	char bytes[4096];
	int out[2];

	assert_true(comes_to("/proc/self/task", n_threads_at_first));
	n_fds = count_entries("/proc/self/fd");
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	fake_agent_start(&agent, flood, NULL);
	attach(&a, agent.path, (struct agent_offsets) { 0 }, out[1]);
	fill(&a, out[0]);
	assert_int_equal(a.n_ended, 0);
	finish(&a);
	a.client = NULL;
	fake_agent_stop(&agent);
	close(out[1]);
	while (read(out[0], bytes, sizeof(bytes)) > 0)
		continue;
	close(out[0]);
	assert_true(comes_to("/proc/self/task", n_threads_at_first));
	assert_true(comes_to("/proc/self/fd", n_fds));
}

static void run_and_exit(struct fake_agent *agent)
{
	for (int i = 0; i < 100; i++) {
		fake_agent_begin(agent, NULL);
		fake_agent_output(agent, AGENT_STDOUT, "x", 1);
		fake_agent_exit(agent, 0);
		fake_agent_expect_end(agent);
		fake_agent_hang_up(agent);
	}
}

/* One after the other in one process, with a stdin that never says anything. */
static void test_nothing_is_left(void **state)
{
	static char *const argv[] = { (char *)"true", NULL };
	unsigned n_fds;
	struct fake_agent agent;
	int in[2], out[2];

	assert_true(comes_to("/proc/self/task", n_threads_at_first));
	n_fds = count_entries("/proc/self/fd");
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	fake_agent_start(&agent, run_and_exit, NULL);
	for (int i = 0; i < 100; i++) {
		struct attachment a = { .loop = event_base_new() };
		const struct exec_owner owner = { on_started, on_ended, &a };
		const struct exec_streams streams = { .in = in[0], .out = out[1], .err = out[1] };
		const struct process_spec spec = { 0 };
		int fd = -1;

		assert_int_equal(exec_connect(agent.path, AGENT_PORT, PATIENCE_MS, &fd, NULL), 0);
		assert_int_equal(exec_client_start(a.loop, fd, &spec, argv, argv + 1, &streams,
					 &owner, &a.client, NULL),
			0);
		event_base_dispatch(a.loop);
		assert_int_equal(a.end.how, EXEC_EXITED);
		finish(&a);
	}
	fake_agent_stop(&agent);
	close(in[0]);
	close(in[1]);
	close(out[0]);
	close(out[1]);
	assert_true(comes_to("/proc/self/task", n_threads_at_first));
	assert_true(comes_to("/proc/self/fd", n_fds));
}

static void test_bad_requests(void **state)
{
	static char *const none[] = { NULL };
	char *huge[] = { NULL, NULL };
	const struct exec_streams streams = { -1, -1, -1 };
	const struct exec_owner owner = { on_started, on_ended, NULL };
	const struct process_spec spec = { 0 };
	struct event_base *loop = event_base_new();
	struct exec_client *client = NULL;
	struct err err = { "" };

	assert_int_equal(exec_client_start(loop, open("/dev/null", O_RDWR), &spec, none, none,
				 &streams, &owner, &client, &err),
		-EINVAL);
	huge[0] = malloc(AGENT_WIRE_STRINGS_MAX + 1);
	memset(huge[0], 'x', AGENT_WIRE_STRINGS_MAX);
	huge[0][AGENT_WIRE_STRINGS_MAX] = '\0';
	assert_int_equal(exec_client_start(loop, open("/dev/null", O_RDWR), &spec, huge, none,
				 &streams, &owner, &client, &err),
		-E2BIG);
	assert_string_equal(err.text, "arguments: Argument list too long");
	assert_null(client);
	free(huge[0]);
	event_base_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_attach_twice),
		cmocka_unit_test(test_attach_without_reader),
		cmocka_unit_test(test_attach_never_goes_back),
		cmocka_unit_test(test_freed_while_blocked),
		cmocka_unit_test(test_nothing_is_left),
		cmocka_unit_test(test_bad_requests),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, count_threads, NULL);
}
