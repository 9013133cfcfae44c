/* SPDX-License-Identifier: BSD-3-Clause */

/* An exec whose command is on the line. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "launcher/oci/exec_words.h"

#define WORDS_MAX 32

static const struct runtime_settings plain, permissive = { .exec_in_container = true };

static int convert(char *text, const struct runtime_settings *settings, struct exec_line *line,
	struct err *err)
{
	char *argv[WORDS_MAX + 1] = { NULL }, *rest = text;
	struct runtime_words words;
	int argc = 0;

	while (rest != NULL && argc < WORDS_MAX)
		argv[argc++] = strsep(&rest, " ");
	assert_int_equal(runtime_words_parse(argc, argv, &words, err), 0);
	assert_string_equal(words.verb, "exec");
	snprintf(line->client, sizeof(line->client), "/c");
	return exec_words_convert(&words, argv, settings, line, err);
}

static void check(const char *text, const char *expected)
{
	char copy[512], found[1024] = "";
	struct exec_line line;
	struct err err = { "" };

	snprintf(copy, sizeof(copy), "%s", text);
	if (convert(copy, &plain, &line, &err) != 0)
		fail_msg("%s: %s", text, err.text);
	for (char **word = line.argv; *word != NULL; word++) {
		size_t len = strlen(found);

		snprintf(found + len, sizeof(found) - len, "%s%s", len > 0 ? " " : "", *word);
	}
	assert_string_equal(found, expected);
	free(line.argv);
}

static void test_converted(void **state)
{
	check("runc exec c1 id -u",
		"runc exec c1 /c --interactive --inherit-env --guest-home -- id -u");
	check("runc --root /r --log=/l exec -d --pid-file /p c1 sleep 1",
		"runc --root /r --log=/l exec -d --pid-file /p c1 /c --interactive --inherit-env "
		"--guest-home "
		"-- sleep 1");
	check("runc exec -t -u 33:34 --cwd /srv -e A=1 --env=B=2 c1 sh",
		"runc exec -t -e A=1 --env=B=2 c1 /c --interactive --inherit-env --guest-home "
		"--tty --user "
		"33:34 --cwd /srv -- sh");
	check("runc exec --tty=false --user=0 c1 sh", "runc exec --tty=false c1 /c --interactive "
						      "--inherit-env --guest-home --user 0 -- sh");
	check("runc exec -g 4 --additional-gids=5 -g 6 c1 id",
		"runc exec c1 /c --interactive --inherit-env --guest-home --group-add 4,5,6 -- id");
	check("runc exec -e HOME=/srv c1 id",
		"runc exec -e HOME=/srv c1 /c --interactive --inherit-env -- id");
	/* What belongs to the command is not looked at. */
	check("runc exec -- c1 sh -u 0 --cap X -- y",
		"runc exec -- c1 /c --interactive --inherit-env --guest-home -- sh -u 0 --cap X -- "
		"y");
	check("runc exec c1 -x", "runc exec c1 /c --interactive --inherit-env --guest-home -- -x");
	check("runc exec -e SLUICE_EXEC_TARGET=vm c1 id",
		"runc exec -e SLUICE_EXEC_TARGET=vm c1 /c --interactive --inherit-env --guest-home "
		"-- id");
}

static void refuse(
	const char *text, const struct runtime_settings *settings, int expected, const char *why)
{
	char copy[512];
	struct exec_line line;
	struct err err = { "" };
	int ret;

	snprintf(copy, sizeof(copy), "%s", text);
	ret = convert(copy, settings, &line, &err);
	if (ret != expected || strstr(err.text, why) == NULL)
		fail_msg("%s: %d %s", text, ret, err.text);
	assert_null(line.argv);
}

static void test_refused(void **state)
{
	refuse("runc exec --shiny c1 id", &plain, -EINVAL, "--shiny");
	refuse("runc exec --cap CAP_NET_RAW c1 id", &plain, -ENOTSUP, "--cap");
	refuse("runc exec c1", &plain, -EINVAL, "no command");
	refuse("runc exec -e SLUICE_EXEC_TARGET=container c1 id", &plain, -EPERM,
		"exec-in-container");
	refuse("runc exec -e SLUICE_EXEC_TARGET=moon c1 id", &permissive, -EINVAL, "moon");
}

static void test_stays_outside(void **state)
{
	refuse("runc exec -u 5 -e SLUICE_EXEC_TARGET=container c1 id", &permissive, 1, "");
}

static void test_many_groups(void **state)
{
	char text[2 * EXEC_GROUPS_MAX] = "runc exec -g ";
	size_t len = strlen(text);
	struct exec_line line;
	struct err err = { "" };

	memset(text + len, '4', EXEC_GROUPS_MAX - 1);
	strcpy(text + len + EXEC_GROUPS_MAX - 1, " c1 id");
	assert_int_equal(convert(text, &plain, &line, &err), 0);
	assert_int_equal(strlen(line.argv[8]), EXEC_GROUPS_MAX - 1);
	free(line.argv);
	strcpy(text, "runc exec -g ");
	memset(text + len, '4', EXEC_GROUPS_MAX);
	strcpy(text + len + EXEC_GROUPS_MAX, " c1 id");
	assert_int_equal(convert(text, &plain, &line, &err), -EINVAL);
	assert_non_null(strstr(err.text, "too many"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_converted),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_stays_outside),
		cmocka_unit_test(test_many_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
