/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/event.h>

#include "launcher/run/console.h"

#define LIMIT 8192

static char dir[] = "/tmp/sluice-console-XXXXXX";
static char path[64], old_path[72];
static struct event_base *loop;
static struct console *console;

static int setup(void **state)
{
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/console", dir);
	snprintf(old_path, sizeof(old_path), "%s.old", path);
	loop = event_base_new();
	return console_open(loop, path, LIMIT, &console, NULL);
}

static int teardown(void **state)
{
	console_free(console);
	event_base_free(loop);
	unlink(path);
	unlink(old_path);
	rmdir(dir);
	strcpy(dir, "/tmp/sluice-console-XXXXXX");
	return 0;
}

static void say(const char *text)
{
	assert_int_equal(write(console_writer(console), text, strlen(text)), (ssize_t)strlen(text));
	event_base_loop(loop, EVLOOP_NONBLOCK);
}

/* The last lines, as they are printed. */
static char *tail(unsigned n_lines)
{
	static char text[2 * LIMIT];
	FILE *out = fmemopen(text, sizeof(text), "w");

	assert_non_null(out);
	console_print_tail(path, n_lines, "> ", out);
	fclose(out);
	return text;
}

static size_t size_of(const char *name)
{
	struct stat st;

	return stat(name, &st) == 0 ? (size_t)st.st_size : 0;
}

static void test_lines(void **state)
{
	assert_string_equal(tail(3), "");
	say("one\ntwo\nthr");
	assert_string_equal(tail(9), "> one\n> two\n> thr\n");
	assert_string_equal(tail(2), "> two\n> thr\n");
	say("ee\r\n\033[2J\n");
	assert_string_equal(tail(2), "> three\n> ?[2J\n");
	assert_string_equal(tail(1), "> ?[2J\n");
}

/* However much is said, no more is kept; the last lines are there even where the files meet. */
static void test_limit(void **state)
{
	char line[32], expected[64];

	for (unsigned i = 0; i < 5000; i++) {
		snprintf(line, sizeof(line), "line %u\n", i);
		say(line);
		if (i == 0)
			continue;
		snprintf(expected, sizeof(expected), "> line %u\n> line %u\n", i - 1, i);
		assert_string_equal(tail(2), expected);
		assert_true(size_of(path) + size_of(old_path) <= LIMIT);
	}
	assert_true(size_of(path) + size_of(old_path) >= LIMIT / 2);
}

static void test_the_end(void **state)
{
	say("last words");
	console_close_writer(console);
	console_drain(console);
	assert_int_equal(event_base_loop(loop, EVLOOP_NONBLOCK), 1);
	assert_string_equal(tail(1), "> last words\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_end, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
