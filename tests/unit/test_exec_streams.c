/* SPDX-License-Identifier: BSD-3-Clause */

/* sluice-exec's stdin, stdout and stderr: every byte, in order, whoever is slow; and signals, which
 * must not wait for any of it. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>

#include "tests/fakes/fake_agent.h"
#include "tests/unit/exec_program.h"

#define MIB           (1U << 20)
#define STREAM_LEN    (64U * MIB)
#define INTERACTIVE   ((const char *const[]) { "-i", "--", "cmd", NULL })
#define WITHOUT_STDIN ((const char *const[]) { "--", "cmd", NULL })

/* Byte number i of a stream: it has no period that a lost or doubled piece could hide in. */
static uint8_t pattern(uint64_t i)
{
	return (uint8_t)((i * UINT64_C(0x9e3779b97f4a7c15)) >> 56);
}

static void fill(uint8_t *bytes, size_t len, uint64_t from)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = pattern(from + i);
}

static bool fits(const uint8_t *bytes, size_t len, uint64_t from)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] != pattern(from + i))
			return false;
	}
	return true;
}

/* --- an agent that gives back what it gets --------------------------------------------------- */

/* Takes STDIN, checks it and its credit, gives it back as STDOUT. */
static void echo(struct fake_agent *agent)
{
	static uint8_t bytes[AGENT_WIRE_DATA_MAX];
	uint64_t n = 0, credit = AGENT_WIRE_STDIN_WINDOW;
	enum agent_wire_type type;
	uint32_t len;

	fake_agent_begin(agent, NULL);
	while (fake_agent_next(agent, &type, &len) && type == AGENT_STDIN) {
		if (len > credit)
			abort();
		evbuffer_remove(agent->in, bytes, len);
		if (!fits(bytes, len, n))
			abort();
		n += len;
		credit -= len;
		fake_agent_output(agent, AGENT_STDOUT, bytes, len);
		fake_agent_credit(agent, len);
		credit += len;
		if (agent->arg != NULL && n % (4 * MIB) < len)
			usleep(20000);
	}
	if (type != AGENT_STDIN_CLOSE)
		abort();
	fake_agent_exit(agent, n == STREAM_LEN ? 0 : 1);
	fake_agent_expect_end(agent);
}

static void *feed(void *arg)
{
	static uint8_t bytes[100003]; /* no divisor of anything */
	int fd = *(int *)arg;
	uint64_t n = 0;

	while (n < STREAM_LEN) {
		size_t len = STREAM_LEN - n < sizeof(bytes) ? STREAM_LEN - n : sizeof(bytes);
		ssize_t written;

		fill(bytes, len, n);
		written = write(fd, bytes, len);
		if (written <= 0)
			abort();
		n += (size_t)written;
	}
	close(fd);
	return NULL;
}

/* Reads to the end; slowly, in pieces of odd sizes. How much fitted. */
static uint64_t drain(int fd, bool slow)
{
	static uint8_t bytes[70001];
	uint64_t n = 0;
	ssize_t len;

	while ((len = read(fd, bytes, slow ? 7001 : sizeof(bytes))) > 0) {
		if (!fits(bytes, (size_t)len, n))
			return 0;
		n += (uint64_t)len;
		if (slow && n % (4 * MIB) < (uint64_t)len)
			usleep(20000);
	}
	return n;
}

/* From in[0], which is fed by in[1], to out[1], which is read at out[0]; all are closed. */
static void echo_between(const int in[2], const int out[2], bool slow_agent, bool slow_reader)
{
	struct fake_agent agent;
	int feed_to = in[1];
	struct program program = { .fds = { -1, -1, STDERR_FILENO } };
	pthread_t feeder;

	fake_agent_start(&agent, echo, slow_agent ? &agent : NULL);
	program.fds[0] = in[0];
	program.fds[1] = out[1];
	program_start(&program, agent.path, INTERACTIVE);
	close(in[0]);
	close(out[1]);
	pthread_create(&feeder, NULL, feed, &feed_to);
	assert_int_equal(drain(out[0], slow_reader), STREAM_LEN);
	pthread_join(feeder, NULL);
	assert_int_equal(program_wait(&program), 0);
	fake_agent_stop(&agent);
	close(out[0]);
}

/* `pair` makes two connected descriptors: [0] to be read, [1] to be written. */
static void echo_through(int (*pair)(int fds[2]), bool slow_agent, bool slow_reader)
{
	int in[2], out[2];

	assert_int_equal(pair(in), 0);
	assert_int_equal(pair(out), 0);
	echo_between(in, out, slow_agent, slow_reader);
}

static int make_pipe(int fds[2])
{
	return pipe2(fds, O_CLOEXEC);
}

static int make_socketpair(int fds[2])
{
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds);
}

static void test_both_directions(void **state)
{
	echo_through(make_pipe, false, false);
	echo_through(make_socketpair, false, false);
}

static void test_slow_reader(void **state)
{
	echo_through(make_pipe, false, true);
}

static void test_slow_agent(void **state)
{
	echo_through(make_pipe, true, false);
}

/* --- credit ---------------------------------------------------------------------------------- */

static uint32_t take_stdin(struct fake_agent *agent, uint32_t at_least)
{
	uint32_t n = 0;

	while (n < at_least || fake_agent_hears(agent, 50))
		n += fake_agent_expect(agent, AGENT_STDIN, NULL, 0);
	return n;
}

static void give_little_credit(struct fake_agent *agent)
{
	fake_agent_begin(agent, NULL);
	if (take_stdin(agent, AGENT_WIRE_STDIN_WINDOW) != AGENT_WIRE_STDIN_WINDOW)
		abort();
	fake_agent_credit(agent, 1);
	if (take_stdin(agent, 1) != 1)
		abort();
	fake_agent_credit(agent, 70000);
	if (take_stdin(agent, 70000) != 70000)
		abort();
	/* With more than there is, and more than 32 bits of it. */
	fake_agent_credit(agent, UINT32_MAX);
	fake_agent_credit(agent, UINT32_MAX);
	if (take_stdin(agent, MIB - AGENT_WIRE_STDIN_WINDOW - 70001) !=
		MIB - AGENT_WIRE_STDIN_WINDOW - 70001)
		abort();
	fake_agent_exit(agent, 0);
	fake_agent_expect_end(agent);
}

static void test_credit_is_kept(void **state)
{
	static uint8_t bytes[MIB];
	struct program program = { .fds = { -1, STDOUT_FILENO, STDERR_FILENO } };
	struct fake_agent agent;
	int in[2];

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(fcntl(in[1], F_SETPIPE_SZ, MIB), MIB);
	assert_int_equal(write(in[1], bytes, sizeof(bytes)), MIB);
	fake_agent_start(&agent, give_little_credit, NULL);
	program.fds[0] = in[0];
	program_start(&program, agent.path, INTERACTIVE);
	assert_int_equal(program_wait(&program), 0);
	fake_agent_stop(&agent);
	close(in[0]);
	close(in[1]);
}

/* --- kinds of files -------------------------------------------------------------------------- */

static void expect_input(struct fake_agent *agent)
{
	const char *expected = agent->arg;
	char got[64] = "";

	fake_agent_begin(agent, NULL);
	if (expected[0] != '\0')
		fake_agent_expect(agent, AGENT_STDIN, got, sizeof(got) - 1);
	fake_agent_expect(agent, AGENT_STDIN_CLOSE, NULL, 0);
	if (got[0] != '\0')
		fake_agent_output(agent, AGENT_STDOUT, got, strlen(got));
	fake_agent_exit(agent, strcmp(got, expected) == 0 ? 0 : 1);
	fake_agent_expect_end(agent);
}

static void run_with(int in, int out, const char *input, const char *const *words)
{
	struct program program = { .fds = { in, out, STDERR_FILENO } };
	struct fake_agent agent;

	fake_agent_start(&agent, expect_input, (void *)input);
	program_start(&program, agent.path, words);
	assert_int_equal(program_wait(&program), 0);
	fake_agent_stop(&agent);
}

static void test_files(void **state)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int in = file_of("some bytes", 10);
	int out = file_of("before ", 7);
	char *text;

	assert_int_equal(lseek(out, 7, SEEK_SET), 7);
	run_with(in, out, "some bytes", INTERACTIVE);
	text = file_read(out, NULL);
	assert_string_equal(text, "before some bytes");
	free(text);
	run_with(in, out, "", INTERACTIVE); /* at its end */
	assert_int_equal(lseek(in, 0, SEEK_SET), 0);
	run_with(in, out, "", WITHOUT_STDIN);
	assert_int_equal(lseek(in, 0, SEEK_CUR), 0); /* not a byte was read */
	run_with(null, null, "", INTERACTIVE);
	run_with(-1, -1, "", INTERACTIVE); /* closed */
	close(in);
	close(out);
	close(null);
}

static void test_flags_are_left_alone(void **state)
{
	int in[2], out[2];

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(write(in[1], "x", 1), 1);
	close(in[1]);
	run_with(in[0], out[1], "x", INTERACTIVE);
	assert_int_equal(fcntl(in[0], F_GETFL) & O_NONBLOCK, 0);
	assert_int_equal(fcntl(out[1], F_GETFL) & O_NONBLOCK, 0);
	close(in[0]);
	close(out[0]);
	close(out[1]);
}

/* A caller that has made its descriptors non-blocking, as some run-times do. */
static void test_non_blocking(void **state)
{
	int in[2], out[2];

	assert_int_equal(pipe2(in, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(fcntl(in[1], F_SETFL, 0), 0);
	assert_int_equal(fcntl(out[0], F_SETFL, 0), 0);
	echo_between(in, out, false, true);
}

/* --- both outputs into one ------------------------------------------------------------------- */

#define LINES 2000

static void alternate(struct fake_agent *agent)
{
	char line[32];

	fake_agent_begin(agent, NULL);
	for (int i = 0; i < LINES; i++) {
		int len = snprintf(line, sizeof(line), "line %d\n", i);

		agent_wire_put(
			agent->out, i % 2 == 0 ? AGENT_STDOUT : AGENT_STDERR, line, (size_t)len);
	}
	fake_agent_flush(agent);
	fake_agent_exit(agent, 0);
	fake_agent_expect_end(agent);
}

static void test_order_of_both(void **state)
{
	struct program program = { .fds = { -1, -1, -1 } };
	struct fake_agent agent;
	FILE *lines;
	int out[2];

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	program.fds[1] = program.fds[2] = out[1];
	fake_agent_start(&agent, alternate, NULL);
	program_start(&program, agent.path, WITHOUT_STDIN);
	close(out[1]);
	lines = fdopen(out[0], "r");
	for (int i = 0; i < LINES; i++) {
		int n = -1;

		assert_int_equal(fscanf(lines, "line %d\n", &n), 1);
		assert_int_equal(n, i);
	}
	assert_int_equal(fgetc(lines), EOF);
	fclose(lines);
	assert_int_equal(program_wait(&program), 0);
	fake_agent_stop(&agent);
}

/* --- signals --------------------------------------------------------------------------------- */

struct blocked {
	int started[2]; /* the script says when the program may be signalled */
};

static void expect_signal(struct fake_agent *agent, uint32_t expected)
{
	uint32_t len, signo;
	enum agent_wire_type type;

	if (!fake_agent_next(agent, &type, &len) || type != AGENT_SIGNAL ||
		agent_wire_get_u32(agent->in, len, &signo) < 0 || signo != expected)
		abort();
}

/* Floods stdout, takes no stdin, and hears signals nevertheless. */
static void flood_and_listen(struct fake_agent *agent)
{
	static const char bytes[65536];
	const struct blocked *blocked = agent->arg;
	struct pollfd pollfd;

	fake_agent_begin(agent, NULL);
	take_stdin(agent, AGENT_WIRE_STDIN_WINDOW);
	fcntl(agent->fd, F_SETFL, O_NONBLOCK);
	pollfd = (struct pollfd) { .fd = agent->fd, .events = POLLOUT };
	while (poll(&pollfd, 1, 300) == 1) {
		agent_wire_put(agent->out, AGENT_STDOUT, bytes, sizeof(bytes));
		evbuffer_write(agent->out, agent->fd);
	}
	if (write(blocked->started[1], "x", 1) != 1)
		abort();
	expect_signal(agent, SIGINT);
	expect_signal(agent, SIGUSR1);
	expect_signal(agent, SIGTERM);
	expect_signal(agent, 37); /* systemd's SIGRTMIN+3 */
	fake_agent_hang_up(agent);
}

static void test_signals_while_all_is_blocked(void **state)
{
	struct program program = { .fds = { -1, -1, STDERR_FILENO } };
	struct blocked blocked;
	struct fake_agent agent;
	int in, out[2];
	char byte;

	assert_int_equal(pipe2(blocked.started, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	in = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	program.fds[0] = in;
	program.fds[1] = out[1];
	fake_agent_start(&agent, flood_and_listen, &blocked);
	program_start(&program, agent.path, INTERACTIVE);
	close(out[1]);
	assert_int_equal(read(blocked.started[0], &byte, 1), 1);
	/* Those that are pending together are delivered, and told, by their number. */
	assert_int_equal(kill(program.pid, SIGINT), 0);
	assert_int_equal(kill(program.pid, SIGUSR1), 0);
	assert_int_equal(kill(program.pid, SIGTERM), 0);
	assert_int_equal(kill(program.pid, 37), 0);
	fake_agent_stop(&agent);
	while (read(out[0], &byte, 1) == 1)
		continue; /* all that has come is still ours */
	assert_int_equal(program_wait(&program), 125);
	close(in);
	close(out[0]);
	close(blocked.started[0]);
	close(blocked.started[1]);
}

static void ask_and_start_late(struct fake_agent *agent)
{
	const struct blocked *blocked = agent->arg;
	struct agent_request request;

	fake_agent_greet(agent);
	fake_agent_take_request(agent, &request);
	fake_agent_free_request(&request);
	if (write(blocked->started[1], "x", 1) != 1)
		abort();
	fake_agent_expect_end(agent);
}

/* As long as nothing runs, ^C is for the one who waits. */
static void test_signal_before_it_runs(void **state)
{
	struct program program = { .fds = { -1, STDOUT_FILENO, STDERR_FILENO } };
	struct blocked blocked;
	struct fake_agent agent;
	char byte;

	assert_int_equal(pipe2(blocked.started, O_CLOEXEC), 0);
	fake_agent_start(&agent, ask_and_start_late, &blocked);
	program_start(&program, agent.path, INTERACTIVE);
	assert_int_equal(read(blocked.started[0], &byte, 1), 1);
	assert_int_equal(kill(program.pid, SIGINT), 0);
	assert_int_equal(program_wait(&program), 128 + SIGINT);
	fake_agent_stop(&agent);
	close(blocked.started[0]);
	close(blocked.started[1]);
}

/* --- nobody reads ---------------------------------------------------------------------------- */

static void flood(struct fake_agent *agent)
{
	static const char bytes[65536];

	fake_agent_begin(agent, NULL);
	do {
		agent_wire_put(agent->out, AGENT_STDOUT, bytes, sizeof(bytes));
	} while (fake_agent_flush(agent));
}

static void test_nobody_reads(void **state)
{
	struct program program = { .fds = { -1, -1, -1 } };
	struct fake_agent agent;
	int out[2];
	char *said, byte;

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	program.fds[1] = out[1];
	program.fds[2] = file_of("", 0);
	fake_agent_start(&agent, flood, NULL);
	program_start(&program, agent.path, WITHOUT_STDIN);
	close(out[1]);
	assert_int_equal(read(out[0], &byte, 1), 1);
	close(out[0]);
	assert_int_equal(program_wait(&program), 128 + SIGPIPE);
	fake_agent_stop(&agent);
	said = file_read(program.fds[2], NULL);
	assert_string_equal(said, "");
	free(said);
	close(program.fds[2]);
}

/* What could not be written is not to be taken for an end that went well. */
static void test_disk_is_full(void **state)
{
	struct program program = { .fds = { -1, -1, -1 } };
	struct fake_agent agent;
	char *said;

	program.fds[1] = open("/dev/full", O_WRONLY | O_CLOEXEC);
	program.fds[2] = file_of("", 0);
	fake_agent_start(&agent, alternate, NULL);
	program_start(&program, agent.path, WITHOUT_STDIN);
	assert_int_equal(program_wait(&program), 125);
	fake_agent_stop(&agent);
	said = file_read(program.fds[2], NULL);
	assert_non_null(strstr(said, "cannot write to stdout: No space left on device"));
	free(said);
	close(program.fds[1]);
	close(program.fds[2]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_directions),
		cmocka_unit_test(test_slow_reader),
		cmocka_unit_test(test_slow_agent),
		cmocka_unit_test(test_credit_is_kept),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_flags_are_left_alone),
		cmocka_unit_test(test_non_blocking),
		cmocka_unit_test(test_order_of_both),
		cmocka_unit_test(test_signals_while_all_is_blocked),
		cmocka_unit_test(test_signal_before_it_runs),
		cmocka_unit_test(test_nobody_reads),
		cmocka_unit_test(test_disk_is_full),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
