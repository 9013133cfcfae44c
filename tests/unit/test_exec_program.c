/* SPDX-License-Identifier: BSD-3-Clause */

/* sluice-exec against an agent that follows a script: what it asks for and how it ends. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <jansson.h>

#include "tests/fakes/fake_agent.h"
#include "tests/unit/exec_program.h"

#define WORDS(...)                                                                                 \
	(const char *const[])                                                                      \
	{                                                                                          \
		__VA_ARGS__, NULL                                                                  \
	}

static void run_against(struct outcome *outcome, void (*script)(struct fake_agent *agent),
	void *arg, const char *const *words)
{
	struct fake_agent agent;

	fake_agent_start(&agent, script, arg);
	program_run(outcome, agent.path, words, "input", 5);
	fake_agent_stop(&agent);
}

/* --- the request ----------------------------------------------------------------------------- */

static void say_and_exit(struct fake_agent *agent)
{
	fake_agent_begin(agent, agent->arg);
	fake_agent_output(agent, AGENT_STDOUT, "to ", 3);
	fake_agent_output(agent, AGENT_STDERR, "err", 3);
	fake_agent_output(agent, AGENT_STDOUT, "out\n", 4);
	fake_agent_exit(agent, 7);
	/* Behind EXIT there is nothing to be said: it is not heard. */
	fake_agent_output(agent, AGENT_STDOUT, "late", 4);
	fake_agent_expect_end(agent);
}

static void test_plain(void **state)
{
	struct agent_request request;
	struct outcome outcome;
	json_t *spec;

	run_against(&outcome, say_and_exit, &request, WORDS("--", "cmd", "a b", "", "--env"));
	assert_int_equal(outcome.status, 7);
	assert_string_equal(outcome.out, "to out\n");
	assert_string_equal(outcome.err, "err");
	outcome_free(&outcome);
	spec = json_loads(request.spec, 0, NULL);
	assert_true(json_is_object(spec));
	assert_null(json_object_get(spec, "cwd"));
	assert_null(json_object_get(spec, "user"));
	assert_false(json_is_true(json_object_get(spec, "terminal")));
	json_decref(spec);
	assert_string_equal(request.argv[0], "cmd");
	assert_string_equal(request.argv[1], "a b");
	assert_string_equal(request.argv[2], "");
	assert_string_equal(request.argv[3], "--env");
	assert_null(request.argv[4]);
	assert_null(request.env[0]);
	fake_agent_free_request(&request);
}

static void test_options(void **state)
{
	struct agent_request request;
	struct outcome outcome;
	json_t *spec;

	run_against(&outcome, say_and_exit, &request,
		WORDS("--user", "www:adm", "--cwd=/srv/a b", "-it", "--env", "A=1",
			"--env=B=", "-e", "A=2=3", "--", "cmd"));
	assert_int_equal(outcome.status, 7);
	outcome_free(&outcome);
	spec = json_loads(request.spec, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(spec, "cwd")), "/srv/a b");
	assert_string_equal(json_string_value(json_object_get(spec, "user")), "www:adm");
	assert_true(json_is_true(json_object_get(spec, "terminal")));
	json_decref(spec);
	/* One layer is kept as it was given. */
	assert_string_equal(request.env[0], "A=1");
	assert_string_equal(request.env[1], "B=");
	assert_string_equal(request.env[2], "A=2=3");
	assert_null(request.env[3]);
	fake_agent_free_request(&request);
}

static void check_groups(const char *const *words, const char *expected)
{
	struct agent_request request;
	struct outcome outcome;
	json_t *spec, *groups;

	run_against(&outcome, say_and_exit, &request, words);
	assert_int_equal(outcome.status, 7);
	outcome_free(&outcome);
	spec = json_loads(request.spec, 0, NULL);
	groups = json_object_get(spec, "groups");
	if (expected == NULL)
		assert_null(groups);
	else
		assert_string_equal(json_string_value(groups), expected);
	json_decref(spec);
	fake_agent_free_request(&request);
}

/* To say that there are none is not to say nothing. */
static void test_groups(void **state)
{
	check_groups(WORDS("--user", "www", "--", "cmd"), NULL);
	check_groups(WORDS("--group-add", "audio,29", "--", "cmd"), "audio,29");
	check_groups(WORDS("--group-add", "", "--", "cmd"), "");
	check_groups(WORDS("--group-add=", "--", "cmd"), "");
	check_groups(WORDS("--group-add", "4", "--group-add=5", "--", "cmd"), "5");
}

/* Every byte but NUL. */
static const char *all_bytes(void)
{
	static char bytes[5 + 255 + 1] = "ALL=";

	for (int i = 1; i < 256; i++)
		bytes[3 + i] = (char)i;
	return bytes;
}

/* Under a sanitizer it cannot be. */
static bool is_static(void)
{
	return strcmp(getenv("SLUICE_EXEC_STATIC"), "1") == 0;
}

/* What would change a program that looked at it: none of it does, all of it is passed on. */
static const char *const strange_env[] = { "LD_PRELOAD=/nonexistent/evil.so",
	"LD_LIBRARY_PATH=/nonexistent",
	"GLIBC_TUNABLES=glibc.malloc.check=3:glibc.malloc.perturb=1", "MALLOC_PERTURB_=170",
	"EVENT_NOEPOLL=1", "EVENT_SHOW_METHOD=1", "LANG=tlh_QO.UTF-8", "SLUICE_TIMEOUT=1",
	"no equals sign", "=odd", "TWICE=1", "TWICE=2", NULL };

static void run_with_env(struct outcome *outcome, struct agent_request *request,
	const char *const *env, const char *const *words)
{
	struct program program = { .fds = { -1, file_of("", 0), file_of("", 0) }, .env = env };
	struct fake_agent agent;

	fake_agent_start(&agent, say_and_exit, request);
	program_start(&program, agent.path, words);
	outcome->status = program_wait(&program);
	fake_agent_stop(&agent);
	outcome->out = file_read(program.fds[1], &outcome->out_len);
	outcome->err = file_read(program.fds[2], NULL);
	close(program.fds[1]);
	close(program.fds[2]);
}

static void test_environment_is_passed_on(void **state)
{
	struct agent_request request;
	struct outcome outcome;
	size_t i;

	for (size_t n = 0; strange_env[n] != NULL; n++) {
		/* An odd number of strings, and an even one: see exec_start.c. */
		run_with_env(
			&outcome, &request, strange_env + n, WORDS("--inherit-env", "--", "cmd"));
		assert_int_equal(outcome.status, 7);
		assert_string_equal(outcome.out, "to out\n");
		/* The loader and libevent would have had something to say. */
		if (is_static())
			assert_string_equal(outcome.err, "err");
		outcome_free(&outcome);
		for (i = 0; strange_env[n + i] != NULL; i++)
			assert_string_equal(request.env[i], strange_env[n + i]);
		assert_null(request.env[i]);
		fake_agent_free_request(&request);
	}
}

static void test_environment_is_not_passed_on(void **state)
{
	struct agent_request request;
	struct outcome outcome;

	run_with_env(&outcome, &request, strange_env, WORDS("--", "cmd"));
	assert_int_equal(outcome.status, 7);
	outcome_free(&outcome);
	assert_null(request.env[0]);
	fake_agent_free_request(&request);
}

static void test_environment_layers(void **state)
{
	const char *env[] = { "A=inherited", "B=inherited", "C=inherited", all_bytes(), NULL };
	static const char in_file[] = "B=file\0D=new\nline\0C=file\0E=last";
	struct agent_request request;
	struct outcome outcome;
	char path[64];
	int fd = file_of(in_file, sizeof(in_file) - 1);

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), fd);
	run_with_env(&outcome, &request, env,
		WORDS("--env-file", path, "--inherit-env", "--env", "C=option", "--", "cmd"));
	close(fd);
	assert_int_equal(outcome.status, 7);
	outcome_free(&outcome);
	assert_string_equal(request.env[0], "A=inherited");
	assert_string_equal(request.env[1], all_bytes());
	assert_string_equal(request.env[2], "B=file");
	assert_string_equal(request.env[3], "D=new\nline");
	assert_string_equal(request.env[4], "E=last");
	assert_string_equal(request.env[5], "C=option");
	assert_null(request.env[6]);
	fake_agent_free_request(&request);
}

static void test_all_bytes_in_argv(void **state)
{
	struct agent_request request;
	struct outcome outcome;

	run_against(&outcome, say_and_exit, &request, WORDS("--", "cmd", all_bytes()));
	outcome_free(&outcome);
	assert_string_equal(request.argv[1], all_bytes());
	fake_agent_free_request(&request);
}

/* No interpreter: nothing that the environment could tell to load something. */
static void test_is_static(void **state)
{
	int fd = open(getenv("SLUICE_EXEC"), O_RDONLY | O_CLOEXEC);
	bool has_interpreter = false;
	Elf64_Ehdr elf;
	Elf64_Phdr segment;

	assert_int_equal(pread(fd, &elf, sizeof(elf), 0), sizeof(elf));
	for (int i = 0; i < elf.e_phnum; i++) {
		assert_int_equal(pread(fd, &segment, sizeof(segment),
					 (off_t)elf.e_phoff + i * (off_t)sizeof(segment)),
			sizeof(segment));
		has_interpreter |= segment.p_type == PT_INTERP;
	}
	close(fd);
	assert_int_equal(has_interpreter, !is_static());
}

static void test_usage(void **state)
{
	static const struct {
		const char *words[6];
		const char *text; /* in the message */
	} rows[] = {
		{ { "--" }, "there is no command" },
		{ { "cmd" }, "cmd: unknown option" },
		{ { "--name", "a/b", "--", "cmd" }, "--name" },
		{ { "--env", "x", "--", "cmd" }, "K=V" },
		{ { "--env" }, "K=V" },
		{ { "-x", "--", "cmd" }, "-x: unknown option" },
		{ { "--timeout", "0", "--", "cmd" }, "--timeout" },
		{ { "--cwd", "here", "--", "cmd" }, "--cwd" },
		{ { "--env-file", "/nonexistent", "--", "cmd" }, "cannot open /nonexistent" },
		{ { "--env-file", "/dev/zero", "--", "cmd" }, "at most 2097152 bytes" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct outcome outcome;

		program_run(&outcome, "/nonexistent", rows[i].words, "", 0);
		assert_int_equal(outcome.status, 126);
		assert_non_null(strstr(outcome.err, rows[i].text));
		assert_string_equal(outcome.out, "");
		outcome_free(&outcome);
	}
}

/* --- the end --------------------------------------------------------------------------------- */

struct ending {
	void (*script)(struct fake_agent *agent);
	int status;
	const char *err; /* is in stderr; "": that is empty */
};

static void die_of_signal(struct fake_agent *agent)
{
	const struct agent_exit ex = { .signalled = true, .dumped = true, .value = SIGSEGV };

	fake_agent_begin(agent, NULL);
	agent_wire_put_exit(agent->out, &ex);
	fake_agent_flush(agent);
	fake_agent_expect_end(agent);
}

static void refuse(struct fake_agent *agent, uint32_t status, const char *text)
{
	struct agent_request request;

	fake_agent_greet(agent);
	fake_agent_take_request(agent, &request);
	fake_agent_free_request(&request);
	agent_wire_put_error(agent->out, status, text);
	fake_agent_flush(agent);
	fake_agent_expect_end(agent);
}

static void not_found(struct fake_agent *agent)
{
	refuse(agent, 127, "cmd: not found\n");
}

static void not_executable(struct fake_agent *agent)
{
	refuse(agent, 126, "cmd: Permission denied");
}

static void odd_status(struct fake_agent *agent)
{
	refuse(agent, 0, "");
}

static void vanish(struct fake_agent *agent)
{
	fake_agent_begin(agent, NULL);
	fake_agent_output(agent, AGENT_STDOUT, "half", 4);
}

static void vanish_in_frame(struct fake_agent *agent)
{
	fake_agent_begin(agent, NULL);
	fake_agent_say(agent, "\x09\0\0\0\x10\0\0\0abc", 11);
}

static void vanish_when_asked(struct fake_agent *agent)
{
	struct agent_request request;

	fake_agent_greet(agent);
	fake_agent_take_request(agent, &request);
	fake_agent_free_request(&request);
}

static void other_version(struct fake_agent *agent)
{
	fake_agent_accept(agent);
	fake_agent_take_connect(agent);
	fake_agent_say(agent, "OK 1\n\x01\0\0\0\x0c\0\0\0SLUICE\r\n\x02\0\0\0", 25);
	fake_agent_expect_end(agent);
}

static void no_agent(struct fake_agent *agent)
{
	fake_agent_accept(agent);
	fake_agent_take_connect(agent);
	fake_agent_say(agent, "OK 1\nSSH-2.0-OpenSSH_9.2p1\r\n", 29);
	fake_agent_expect_end(agent);
}

static void out_of_turn(struct fake_agent *agent)
{
	fake_agent_begin(agent, NULL);
	agent_wire_put_u32(agent->out, AGENT_STARTED, 43);
	fake_agent_flush(agent);
	fake_agent_expect_end(agent);
}

static void output_before_start(struct fake_agent *agent)
{
	fake_agent_greet(agent);
	fake_agent_output(agent, AGENT_STDOUT, "x", 1);
	fake_agent_expect_end(agent);
}

static void bad_exit(struct fake_agent *agent)
{
	fake_agent_begin(agent, NULL);
	fake_agent_say(agent, "\x0d\0\0\0\x08\0\0\0\x02\0\0\0\0\0\0\0", 16);
	fake_agent_expect_end(agent);
}

static const struct ending endings[] = {
	{ die_of_signal, 128 + SIGSEGV, "" },
	{ not_found, 127, "sluice-exec: cmd: not found?\n" },
	{ not_executable, 126, "sluice-exec: cmd: Permission denied\n" },
	{ odd_status, 126, "" },
	{ vanish, 125, "sluice-exec: connection lost: the agent's end was closed\n" },
	{ vanish_in_frame, 125, "closed within a frame\n" },
	{ vanish_when_asked, 125, "connection lost: " },
	{ other_version, 126, "version 2" },
	{ no_agent, 126, "sluice-exec: " },
	{ out_of_turn, 125, "the agent said STARTED out of turn" },
	{ output_before_start, 125, "the agent said STDOUT out of turn" },
	{ bad_exit, 125, "the agent's EXIT makes no sense" },
};

static void test_endings(void **state)
{
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		struct outcome outcome;

		run_against(&outcome, endings[i].script, NULL, WORDS("-i", "--", "cmd"));
		if (outcome.status != endings[i].status ||
			strstr(outcome.err, endings[i].err) == NULL)
			print_error("ending %zu: %d \"%s\"\n", i, outcome.status, outcome.err);
		assert_int_equal(outcome.status, endings[i].status);
		assert_non_null(strstr(outcome.err, endings[i].err));
		if (endings[i].script == vanish)
			assert_string_equal(outcome.out, "half");
		outcome_free(&outcome);
	}
}

/* Every byte in a segment of its own. */
static void dribble(struct fake_agent *agent, struct evbuffer *all)
{
	char byte;

	while (evbuffer_remove(all, &byte, 1) == 1) {
		fake_agent_say(agent, &byte, 1);
		usleep(200);
	}
}

static void say_in_bytes(struct fake_agent *agent)
{
	struct evbuffer *all = evbuffer_new();
	const struct agent_exit ex = { .value = 3 };

	fake_agent_accept(agent);
	fake_agent_take_connect(agent);
	evbuffer_add(all, "OK 1234567\n", 11);
	agent_wire_put_hello(all);
	dribble(agent, all);
	fake_agent_expect(agent, AGENT_HELLO, NULL, 0);
	agent_wire_put_u32(all, AGENT_STARTED, 42);
	agent_wire_put(all, AGENT_STDOUT, "one", 3);
	agent_wire_put(all, AGENT_STDERR, "two", 3);
	agent_wire_put_exit(all, &ex);
	dribble(agent, all);
	evbuffer_free(all);
	fake_agent_expect_end(agent);
}

static void test_half_frames(void **state)
{
	struct outcome outcome;

	run_against(&outcome, say_in_bytes, NULL, WORDS("--", "cmd"));
	assert_string_equal(outcome.err, "two");
	assert_string_equal(outcome.out, "one");
	assert_int_equal(outcome.status, 3);
	outcome_free(&outcome);
}

/* --- CONNECT --------------------------------------------------------------------------------- */

static void two_closed_then_good(struct fake_agent *agent)
{
	fake_agent_accept(agent);
	fake_agent_hang_up(agent);
	fake_agent_accept(agent);
	fake_agent_take_connect(agent);
	fake_agent_hang_up(agent);
	fake_agent_accept(agent);
	fake_agent_take_connect(agent);
	fake_agent_say(agent, "OK 3\n", 5); /* and no HELLO: it was not asked anything */
	fake_agent_hang_up(agent);
	say_and_exit(agent);
}

static void garbage(struct fake_agent *agent)
{
	fake_agent_accept(agent);
	fake_agent_take_connect(agent);
	fake_agent_say(agent, agent->arg, strlen(agent->arg));
	fake_agent_expect_end(agent);
}

static void mute(struct fake_agent *agent)
{
	fake_agent_accept(agent);
	fake_agent_take_connect(agent);
	fake_agent_expect_end(agent);
}

static void mute_behind_ok(struct fake_agent *agent)
{
	fake_agent_accept(agent);
	fake_agent_take_connect(agent);
	fake_agent_say(agent, "OK 1\n", 5);
	fake_agent_expect_end(agent);
}

static void mute_behind_hello(struct fake_agent *agent)
{
	fake_agent_accept(agent);
	fake_agent_take_connect(agent);
	evbuffer_add(agent->out, "OK 1\n", 5);
	agent_wire_put_hello(agent->out);
	fake_agent_flush(agent);
	fake_agent_expect_end(agent);
}

static void test_retries(void **state)
{
	struct outcome outcome;

	run_against(&outcome, two_closed_then_good, NULL, WORDS("--", "cmd"));
	assert_int_equal(outcome.status, 7);
	assert_string_equal(outcome.err, "err"); /* nothing of what failed before */
	assert_string_equal(outcome.out, "to out\n");
	outcome_free(&outcome);
}

static void test_garbage(void **state)
{
	static const char *const answers[] = { "HTTP/1.1 400 Bad Request\r\n", "\n", "OK\n",
		"OK \n", "OK x\n", "OK 1 \n", "ok 1\n", "OK 1\r\n",
		"OK 11111111111111111111111111111111111111111111\n" };

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct outcome outcome;

		run_against(&outcome, garbage, (void *)answers[i], WORDS("--", "cmd"));
		assert_int_equal(outcome.status, 126);
		assert_non_null(strstr(outcome.err, "the answer to CONNECT is not OK"));
		outcome_free(&outcome);
	}
}

static void test_silence_is_bounded(void **state)
{
	static const struct ending rows[] = {
		{ mute, 126, "no answer to CONNECT" },
		{ mute_behind_ok, 126, "within 1 s" },
		{ mute_behind_hello, 126, "within 1 s" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct outcome outcome;

		run_against(&outcome, rows[i].script, NULL, WORDS("--timeout", "1", "--", "cmd"));
		assert_int_equal(outcome.status, rows[i].status);
		assert_non_null(strstr(outcome.err, rows[i].err));
		assert_non_null(strstr(outcome.err, "within 1 s"));
		outcome_free(&outcome);
	}
}

static void test_nobody_there(void **state)
{
	struct outcome outcome;

	program_run(&outcome, "/nonexistent/x.vsock", WORDS("--timeout", "1", "--", "cmd"), "", 0);
	assert_int_equal(outcome.status, 126);
	assert_string_equal(outcome.err,
		"sluice-exec: no agent answered within 1 s: cannot connect to "
		"/nonexistent/x.vsock: No such file or directory\n");
	outcome_free(&outcome);
	program_run(&outcome, "/dev/null", WORDS("--timeout", "1", "--", "cmd"), "", 0);
	assert_int_equal(outcome.status, 126);
	outcome_free(&outcome);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_environment_is_passed_on),
		cmocka_unit_test(test_environment_is_not_passed_on),
		cmocka_unit_test(test_environment_layers),
		cmocka_unit_test(test_all_bytes_in_argv),
		cmocka_unit_test(test_is_static),
		cmocka_unit_test(test_usage),
		cmocka_unit_test(test_endings),
		cmocka_unit_test(test_half_frames),
		cmocka_unit_test(test_retries),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_silence_is_bounded),
		cmocka_unit_test(test_nobody_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
