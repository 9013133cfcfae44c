/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "config/roff.h"
#include "config/settings_man.h"

#define PAGE_SIZE 4096

static char page[PAGE_SIZE];

static FILE *open_page(void)
{
	FILE *out;

	memset(page, 0, sizeof(page));
	out = fmemopen(page, sizeof(page) - 1, "w");
	assert_non_null(out);
	return out;
}

static void check_text(const char *text, const char *wanted)
{
	FILE *out = open_page();

	roff_text(text, out);
	fclose(out);
	assert_string_equal(page, wanted);
}

static void test_text(void **state)
{
	check_text("plain text, 1 to 2.", "plain text, 1 to 2.");
	check_text("--spin-us", "\\-\\-spin\\-us");
	check_text("C:\\n", "C:\\en");
	check_text(".conf is no request", "\\&.conf is no request");
	check_text("a.\n.b\n'c'", "a.\n\\&.b\n\\(aqc\\(aq");
	check_text("\"a\" `b` ~c ^d", "\\(dqa\\(dq \\(gab\\(ga \\(tic \\(had");
	check_text("", "");
}

static void test_entry(void **state)
{
	FILE *out = open_page();

	roff_entry("-c, --config", "FILE", out);
	roff_entry("ports", NULL, out);
	roff_heading("of \"x\"", out);
	fclose(out);
	assert_string_equal(page, ".TP\n\\fB\\-c, \\-\\-config\\fR \\fIFILE\\fR\n"
				  ".TP\n\\fBports\\fR\n.SS of \\(dqx\\(dq\n");
}

struct sample {
	uint32_t size, mode;
	bool flag;
	char path[16];
};

static const struct setting_word modes[] = { { "one", 1 }, { "two", 2 }, { NULL } };

#define FIELD(member) SETTING_FIELD(struct sample, member)

enum { GROUP_A = 1, GROUP_B = 2 };

static const struct setting rows[] = {
	{ "the-size", SETTING_U32, FIELD(size), .unit = "MIB", .preset = "5", .min = 1, .max = 9,
		.help = "how large", .groups = GROUP_A },
	{ "mode", SETTING_ENUM, FIELD(mode), .words = modes, .help = ".how", .groups = GROUP_B },
	{ "flag", SETTING_BOOL, FIELD(flag), .preset = "false", .help = "whether" },
	{ "path", SETTING_PATH, FIELD(path), .unit = "PATH", .required = true, .help = "where" },
	{ "list", SETTING_ARRAY, .help = "things" },
};

static const struct settings table = SETTINGS(rows, "SLUICE_");
static const struct settings bare = SETTINGS(rows, NULL);

static void print_rows(const struct settings *from, unsigned groups, const char *lead)
{
	FILE *out = open_page();

	settings_man(from, groups, lead, out);
	fclose(out);
}

static void test_rows(void **state)
{
	print_rows(&table, 0, "--");
	assert_string_equal(page, ".TP\n\\fB\\-\\-the\\-size\\fR \\fIMIB\\fR\nhow large.\n.br\n"
				  "1 to 9; default 5; SLUICE_THE_SIZE.\n"
				  ".TP\n\\fB\\-\\-mode\\fR \\fIWORD\\fR\n\\&.how.\n.br\n"
				  "\\(dqone\\(dq or \\(dqtwo\\(dq; default none; SLUICE_MODE.\n"
				  ".TP\n\\fB\\-\\-flag\\fR\nwhether.\n.br\n"
				  "true or false; default false; SLUICE_FLAG.\n"
				  ".TP\n\\fB\\-\\-path\\fR \\fIPATH\\fR\nwhere.\n.br\n"
				  "an absolute path of at most 15 bytes; required; SLUICE_PATH.\n"
				  ".TP\n\\fBlist\\fR\nthings.\n.br\n"
				  "an array of objects; only in the file.\n");
}

static void test_keys(void **state)
{
	print_rows(&bare, GROUP_B, "");
	assert_null(strstr(page, "size"));
	assert_null(strstr(page, "SLUICE"));
	assert_non_null(strstr(page, "\\fBmode\\fR"));
	assert_non_null(strstr(page, "\\fBflag\\fR"));
}

static void test_option_text(void **state)
{
	static const struct option_text options[] = {
		{ "-j, --json", NULL, "print JSON" },
		{ "-w, --wait", "SECONDS", "wait" },
		{ NULL },
	};
	FILE *out = open_page();

	option_text_print_help(options, out);
	option_text_man(options, out);
	fclose(out);
	assert_string_equal(page,
		"  -j, --json\n        print JSON\n  -w, --wait SECONDS\n        wait\n"
		".TP\n\\fB\\-j, \\-\\-json\\fR\nprint JSON.\n"
		".TP\n\\fB\\-w, \\-\\-wait\\fR \\fISECONDS\\fR\nwait.\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_entry),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_option_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
