/* SPDX-License-Identifier: BSD-3-Clause */

/* Command lines as engines give them, and as people do. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "launcher/oci/runtime_words.h"

#define WORDS_MAX 32

struct row {
	const char *line; /* words behind "runtime", apart by blanks */
	struct runtime_words expected;
};

/* Splits in place. */
static int split(char *line, char **argv)
{
	char *rest = line, *word;
	int argc = 0;

	argv[argc++] = (char *)"runtime";
	while ((word = strsep(&rest, " ")) != NULL)
		if (word[0] != '\0')
			argv[argc++] = word;
	argv[argc] = NULL;
	return argc;
}

static void check_text(const char *line, const char *what, const char *found, const char *expected)
{
	if ((found == NULL) != (expected == NULL) ||
		(found != NULL && strcmp(found, expected) != 0))
		fail_msg("%s: %s is %s, not %s", line, what, found != NULL ? found : "not found",
			expected != NULL ? expected : "none");
}

static void check(const struct row *row)
{
	const struct runtime_words *e = &row->expected;
	char line[512], *argv[WORDS_MAX];
	struct runtime_words words;
	struct err err = { "" };
	int argc;

	snprintf(line, sizeof(line), "%s", row->line);
	argc = split(line, argv);
	if (runtime_words_parse(argc, argv, &words, &err) != 0)
		fail_msg("%s: %s", row->line, err.text);
	check_text(row->line, "verb", words.verb, e->verb);
	check_text(row->line, "bundle", words.bundle, e->bundle);
	check_text(row->line, "process", words.process, e->process);
	check_text(row->line, "id", words.id, e->id);
	check_text(row->line, "log", words.log, e->log);
	check_text(row->line, "resources", words.resources, e->resources);
	check_text(row->line, "memory", words.memory, e->memory);
	if (words.n_global != e->n_global || words.log_json != e->log_json)
		fail_msg("%s: %zu words before the verb, json %d", row->line, words.n_global,
			words.log_json);
	if (words.id != NULL)
		assert_ptr_equal(argv[words.id_at], words.id);
}

static const struct row podman[] = {
	{ "create --bundle /b/c --pid-file /b/p c1",
		{ .verb = "create", .n_global = 1, .bundle = "/b/c", .id = "c1" } },
	{ "create --bundle /b/c --pid-file /b/p --console-socket /tmp/conmon-term.X c1",
		{ .verb = "create", .n_global = 1, .bundle = "/b/c", .id = "c1" } },
	{ "--log-format=json --log /b/oci-log create --bundle /b/c --pid-file /b/p c1",
		{ .verb = "create",
			.n_global = 4,
			.bundle = "/b/c",
			.id = "c1",
			.log = "/b/oci-log",
			.log_json = true } },
	{ "--systemd-cgroup --log-format=json --log=/b/oci-log create --no-pivot --bundle /b/c c1",
		{ .verb = "create",
			.n_global = 4,
			.bundle = "/b/c",
			.id = "c1",
			.log = "/b/oci-log",
			.log_json = true } },
	{ "start c1", { .verb = "start", .n_global = 1 } },
	{ "exec --pid-file /b/p --process /b/exec/process --detach c1",
		{ .verb = "exec", .n_global = 1, .process = "/b/exec/process", .id = "c1" } },
	{ "exec --pid-file /b/p --process /b/x --detach --tty --console-socket /tmp/t c1",
		{ .verb = "exec", .n_global = 1, .process = "/b/x", .id = "c1" } },
	{ "kill c1 15", { .verb = "kill", .n_global = 1 } },
	{ "delete --force c1", { .verb = "delete", .n_global = 1 } },
	{ "state c1", { .verb = "state", .n_global = 1 } },
	{ "--version", { .verb = NULL } },
	{ "features", { .verb = "features", .n_global = 1 } },
};

static const struct row containerd[] = {
	{ "--root /run/containerd/runc/k8s.io --log /b/log.json --log-format json "
	  "--systemd-cgroup create --bundle /b --pid-file /b/init.pid --console-socket /s c1",
		{ .verb = "create",
			.n_global = 8,
			.bundle = "/b",
			.id = "c1",
			.log = "/b/log.json",
			.log_json = true } },
	{ "--root /r --log /l --log-format json exec --process /tmp/runc-process1 --console-socket "
	  "/s --detach --pid-file /p c1",
		{ .verb = "exec",
			.n_global = 7,
			.process = "/tmp/runc-process1",
			.id = "c1",
			.log = "/l",
			.log_json = true } },
	{ "--root /r --log /l --log-format json kill --all c1 9",
		{ .verb = "kill", .n_global = 7, .log = "/l", .log_json = true } },
	{ "--root /r update --resources - c1",
		{ .verb = "update", .n_global = 3, .id = "c1", .resources = "-" } },
	{ "update -r=/f --memory 5 --cpu-quota 7 c1",
		{ .verb = "update", .n_global = 1, .id = "c1", .resources = "/f", .memory = "5" } },
	{ "checkpoint --image-path /i c1", { .verb = "checkpoint", .n_global = 1, .id = "c1" } },
	{ "restore --image-path /i --bundle /b --detach c1",
		{ .verb = "restore", .n_global = 1, .id = "c1", .bundle = "/b" } },
	{ "--root /r events --stats c1", { .verb = "events", .n_global = 3 } },
};

static const struct row people[] = {
	{ "create c1", { .verb = "create", .n_global = 1, .id = "c1" } },
	{ "run -b /b c1", { .verb = "run", .n_global = 1, .bundle = "/b", .id = "c1" } },
	{ "run -b=/b c1", { .verb = "run", .n_global = 1, .bundle = "/b", .id = "c1" } },
	{ "run -b/b c1", { .verb = "run", .n_global = 1, .bundle = "/b", .id = "c1" } },
	{ "run --b /b c1", { .verb = "run", .n_global = 1, .bundle = "/b", .id = "c1" } },
	{ "run -bundle /b c1", { .verb = "run", .n_global = 1, .bundle = "/b", .id = "c1" } },
	{ "run c1 --bundle=/b", { .verb = "run", .n_global = 1, .bundle = "/b", .id = "c1" } },
	{ "create --bundle create create",
		{ .verb = "create", .n_global = 1, .bundle = "create", .id = "create" } },
	{ "create --bundle exec -- -c1",
		{ .verb = "create", .n_global = 1, .bundle = "exec", .id = "-c1" } },
	{ "-log /l -debug create c1",
		{ .verb = "create", .n_global = 4, .id = "c1", .log = "/l" } },
	{ "--log create exec c1", { .verb = "exec", .n_global = 3, .id = "c1", .log = "create" } },
	{ "--log-format json --log-format text start c1", { .verb = "start", .n_global = 5 } },
	/* What we do not know. */
	{ "--shiny create c1", { .verb = "create", .n_global = 2, .id = "c1" } },
	{ "--shiny very create c1", { .verb = "create", .n_global = 3, .id = "c1" } },
	{ "--shiny=very create c1", { .verb = "create", .n_global = 2, .id = "c1" } },
	{ "--shiny polish c1", { .verb = "polish", .n_global = 2 } },
	{ "polish --bundle /b c1", { .verb = "polish", .n_global = 1 } },
	{ "create --shiny=1 --bundle /b c1",
		{ .verb = "create", .n_global = 1, .bundle = "/b", .id = "c1" } },
	{ "create --bundle= c1", { .verb = "create", .n_global = 1, .bundle = "", .id = "c1" } },
	/* An exec's command has options of its own. */
	{ "exec -t -u 0 --env A=1 c1 sh --process /x -p /y --bundle /b",
		{ .verb = "exec", .n_global = 1, .id = "c1" } },
	{ "exec -p /x c1", { .verb = "exec", .n_global = 1, .process = "/x", .id = "c1" } },
	{ "exec", { .verb = "exec", .n_global = 1 } },
	{ "", { .verb = NULL } },
	{ "--", { .verb = NULL } },
	{ "-", { .verb = "-", .n_global = 1 } },
};

static void check_all(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		check(&rows[i]);
}

static void test_podman(void **state)
{
	check_all(podman, sizeof(podman) / sizeof(podman[0]));
}

static void test_containerd(void **state)
{
	check_all(containerd, sizeof(containerd) / sizeof(containerd[0]));
}

static void test_people(void **state)
{
	check_all(people, sizeof(people) / sizeof(people[0]));
}

static void test_refusals(void **state)
{
	static const char *const lines[] = { "--log", "create --bundle", "exec --process", "--root",
		"create -b", "exec -u", "create --config /x c1", "run -f /x c1" };

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		char line[64], *argv[WORDS_MAX];
		struct runtime_words words;
		struct err err = { "" };
		int argc;

		snprintf(line, sizeof(line), "%s", lines[i]);
		argc = split(line, argv);
		assert_int_equal(runtime_words_parse(argc, argv, &words, &err), -EINVAL);
		assert_non_null(strchr(err.text, ':'));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_podman),
		cmocka_unit_test(test_containerd),
		cmocka_unit_test(test_people),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
