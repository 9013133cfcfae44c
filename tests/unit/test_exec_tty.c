/* SPDX-License-Identifier: BSD-3-Clause */

/* sluice-exec on a terminal of its own: raw while the command runs and never behind it, its size
 * told, its keys bytes. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <jansson.h>

#include "tests/fakes/fake_agent.h"
#include "tests/unit/exec_program.h"

#define ON_TERMINAL ((const char *const[]) { "-it", "--", "sh", NULL })
#define PATIENCE    30000 /* ms */

struct terminal {
	int master, slave;
	struct termios before;
	struct program program;
	struct fake_agent agent;
	int go[2]; /* the test lets the script go on */
	struct agent_request request;
};

static void set_size(struct terminal *t, unsigned short rows, unsigned short columns)
{
	const struct winsize size = { .ws_row = rows, .ws_col = columns };

	assert_int_equal(ioctl(t->master, TIOCSWINSZ, &size), 0);
}

static bool is_raw(const struct terminal *t)
{
	struct termios now;

	assert_int_equal(tcgetattr(t->slave, &now), 0);
	return (now.c_lflag & (ICANON | ECHO | ISIG)) == 0 && (now.c_oflag & OPOST) == 0;
}

static bool is_as_before(const struct terminal *t)
{
	struct termios now;

	assert_int_equal(tcgetattr(t->slave, &now), 0);
	return now.c_lflag == t->before.c_lflag && now.c_iflag == t->before.c_iflag &&
	       now.c_oflag == t->before.c_oflag && now.c_cflag == t->before.c_cflag &&
	       memcmp(now.c_cc, t->before.c_cc, sizeof(now.c_cc)) == 0;
}

static void await_state(const struct terminal *t, bool (*is)(const struct terminal *t))
{
	for (int i = 0; i < PATIENCE && !is(t); i++)
		usleep(1000);
	assert_true(is(t));
}

static void await_go(struct fake_agent *agent)
{
	struct terminal *t = agent->arg;
	char byte;

	if (read(t->go[0], &byte, 1) != 1)
		abort();
}

static void let_go(struct terminal *t)
{
	assert_int_equal(write(t->go[1], "x", 1), 1);
}

static void start(struct terminal *t, void (*script)(struct fake_agent *agent))
{
	char name[64];

	*t = (struct terminal) { 0 };
	t->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(t->master >= 0 && grantpt(t->master) == 0 && unlockpt(t->master) == 0);
	assert_int_equal(ptsname_r(t->master, name, sizeof(name)), 0);
	t->slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(t->slave >= 0);
	assert_int_equal(tcgetattr(t->slave, &t->before), 0);
	assert_int_equal(pipe2(t->go, O_CLOEXEC), 0);
	set_size(t, 33, 101);
	fake_agent_start(&t->agent, script, t);
	t->program = (struct program) { .fds = { t->slave, t->slave, t->slave }, .tty = true };
	program_start(&t->program, t->agent.path, ON_TERMINAL);
}

static int finish(struct terminal *t)
{
	int status = program_wait(&t->program);

	fake_agent_stop(&t->agent);
	assert_true(is_as_before(t));
	close(t->master);
	close(t->slave);
	close(t->go[0]);
	close(t->go[1]);
	return status;
}

static void expect_window(struct fake_agent *agent, unsigned rows, unsigned columns)
{
	struct agent_window window;
	enum agent_wire_type type;
	uint32_t len;

	if (!fake_agent_next(agent, &type, &len) || type != AGENT_RESIZE ||
		agent_wire_get_window(agent->in, len, &window) < 0 || window.rows != rows ||
		window.columns != columns)
		abort();
}

static void expect_keys(struct fake_agent *agent, const char *keys, size_t len)
{
	char got[64];
	size_t n = 0;

	while (n < len)
		n += fake_agent_expect(agent, AGENT_STDIN, got + n, sizeof(got) - n);
	if (n != len || memcmp(got, keys, len) != 0)
		abort();
}

/* --- scripts and tests ----------------------------------------------------------------------- */

static const char keys[] = "a\x03\x1a\x1c\x04\r\x11\x13\xff";

static void type_and_resize(struct fake_agent *agent)
{
	struct terminal *t = agent->arg;

	fake_agent_begin(agent, &t->request);
	expect_keys(agent, keys, strlen(keys));
	fake_agent_output(agent, AGENT_STDOUT, "k", 1);
	expect_window(agent, 50, 132);
	fake_agent_output(agent, AGENT_STDOUT, "a\nb", 3);
	fake_agent_exit(agent, 5);
	fake_agent_expect_end(agent);
}

static void test_keys_and_size(void **state)
{
	struct terminal t;
	char out[8] = "";
	json_t *spec;

	start(&t, type_and_resize);
	await_state(&t, is_raw);
	assert_int_equal(write(t.master, keys, strlen(keys)), strlen(keys));
	assert_int_equal(read(t.master, out, 1), 1); /* all keys have come */
	set_size(&t, 50, 132);
	for (size_t n = 0; n < 3;) {
		ssize_t len = read(t.master, out + n, 3 - n);

		assert_true(len > 0);
		n += (size_t)len;
	}
	assert_string_equal(out, "a\nb"); /* no carriage return was added */
	assert_int_equal(finish(&t), 5);
	spec = json_loads(t.request.spec, 0, NULL);
	assert_true(json_is_true(json_object_get(spec, "terminal")));
	assert_int_equal(json_integer_value(json_object_get(spec, "rows")), 33);
	assert_int_equal(json_integer_value(json_object_get(spec, "columns")), 101);
	json_decref(spec);
	fake_agent_free_request(&t.request);
}

static void wait_and_vanish(struct fake_agent *agent)
{
	fake_agent_begin(agent, NULL);
	await_go(agent);
}

static void test_restored_when_the_agent_vanishes(void **state)
{
	struct terminal t;

	start(&t, wait_and_vanish);
	await_state(&t, is_raw);
	let_go(&t);
	assert_int_equal(finish(&t), 125);
}

static void wait_for_end(struct fake_agent *agent)
{
	fake_agent_begin(agent, NULL);
	fake_agent_expect_end(agent);
}

static void test_restored_by_signals(void **state)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGALRM, 64 };

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		struct terminal t;

		start(&t, wait_for_end);
		await_state(&t, is_raw);
		assert_int_equal(kill(t.program.pid, signals[i]), 0);
		assert_int_equal(finish(&t), 128 + signals[i]);
	}
}

static void refuse(struct fake_agent *agent)
{
	struct terminal *t = agent->arg;

	fake_agent_greet(agent);
	fake_agent_take_request(agent, &t->request);
	fake_agent_free_request(&t->request);
	await_go(agent);
	agent_wire_put_error(agent->out, 127, "sh: not found");
	fake_agent_flush(agent);
	fake_agent_expect_end(agent);
}

/* What never runs never touches the terminal. */
static void test_untouched_until_it_runs(void **state)
{
	struct terminal t;

	start(&t, refuse);
	usleep(50000);
	assert_true(is_as_before(&t));
	let_go(&t);
	assert_int_equal(finish(&t), 127);
}

static void stop_and_go_on(struct fake_agent *agent)
{
	fake_agent_begin(agent, NULL);
	expect_window(agent, 33, 101); /* told anew, whatever happened meanwhile */
	fake_agent_exit(agent, 0);
	fake_agent_expect_end(agent);
}

/* As a shell's `kill -TSTP` and `fg`. */
static void test_stopped_and_continued(void **state)
{
	struct terminal t;
	int status;

	start(&t, stop_and_go_on);
	await_state(&t, is_raw);
	assert_int_equal(kill(t.program.pid, SIGTSTP), 0);
	assert_int_equal(waitpid(t.program.pid, &status, WUNTRACED), t.program.pid);
	assert_true(WIFSTOPPED(status));
	assert_true(is_as_before(&t));
	assert_int_equal(kill(t.program.pid, SIGCONT), 0);
	assert_int_equal(finish(&t), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys_and_size),
		cmocka_unit_test(test_restored_when_the_agent_vanishes),
		cmocka_unit_test(test_restored_by_signals),
		cmocka_unit_test(test_untouched_until_it_runs),
		cmocka_unit_test(test_stopped_and_continued),
	};

	signal(SIGPIPE, SIG_IGN);
	/* Ignored below nohup(1), and in a shell's background. */
	signal(SIGHUP, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGQUIT, SIG_DFL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
