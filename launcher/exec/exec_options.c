/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/exec/exec_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/process_spec.h"
#include "config/settings.h"
#include "config/settings_man.h"
#include "launcher/exec/exec_env.h"
#include "lib/cleanup.h"

#define FIELD(member) SETTING_FIELD(struct exec_options, member)

static const struct setting rows[] = {
	{ "name", SETTING_NAME, FIELD(name), .unit = "NAME", .preset = "vm0",
		.help = "the VM, which has its socket at RUN-DIR/NAME.vsock" },
	{ "run-dir", SETTING_PATH, FIELD(run_dir), .unit = "PATH", .preset = "/run/sluice",
		.help = "where its sockets are" },
	{ "socket", SETTING_PATH, FIELD(socket), .unit = "PATH",
		.help = "its vsock socket, wherever that is" },
	{ "user", SETTING_STRING, FIELD(user), .unit = "USER[:GROUP]",
		.help = "-u: who runs the command, by number or by the guest's names (default: "
			"who runs the workload)" },
	{ "group-add", SETTING_TEXT, FIELD(groups), .heap = true, .max = PROCESS_GROUPS_MAX,
		.unit = "[GROUP[,GROUP]...]",
		.help = "all the groups that it is in besides, by number or by the guest's names; "
			"none if this is empty (default: the workload's)" },
	{ "cwd", SETTING_PATH, FIELD(cwd), .unit = "PATH",
		.help = "-w: its working directory (default: the workload's)" },
	{ "workdir", SETTING_PATH, FIELD(cwd), .unit = "PATH", .help = "the same" },
	{ "env-file", SETTING_PATH, FIELD(env_file), .unit = "PATH",
		.help = "strings K=V of its environment, each ended by a NUL byte" },
	{ "inherit-env", SETTING_BOOL, FIELD(inherit_env), .preset = "false",
		.help = "it gets the environment that this program was given" },
	{ "guest-home", SETTING_BOOL, FIELD(guest_home), .preset = "false",
		.help = "but for HOME, which is that of its user in the guest" },
	{ "tty", SETTING_BOOL, FIELD(tty), .preset = "false",
		.help = "-t: it gets a terminal; ours, if it is read, is raw meanwhile" },
	{ "interactive", SETTING_BOOL, FIELD(interactive), .preset = "false",
		.help = "-i: it gets our stdin (otherwise its own is closed)" },
	{ "timeout", SETTING_U32, FIELD(timeout_s), .preset = "30", .unit = "SECONDS", .min = 1,
		.max = 86400, .help = "how long the guest's agent is tried until it answers" },
};

static const struct settings table = SETTINGS(rows, NULL);

static const struct option_text others[] = {
	{ "-e, --env", "K=V", "a string of its environment; may be given many times" },
	{ "-h, --help", NULL, "print this text" },
	{ "-V, --version", NULL, "print the version" },
	{ NULL },
};

/* What the table has not: options that may be given many times, and short ones. */
struct words {
	char **kept; /* for the table; ends with NULL */
	char **env;
	size_t n_env;
};

static bool has_name(const char *string)
{
	return string[0] != '\0' && strchr(string + 1, '=') != NULL;
}

static int add_env(struct words *words, char *string, struct err *err)
{
	if (string == NULL || !has_name(string))
		return err_set(err, -EINVAL, "--env: needs K=V");
	words->env[words->n_env++] = string;
	return 0;
}

/* "-it": every letter is one. */
static int take_letters(const char *letters, struct exec_options *opts, struct err *err)
{
	for (const char *c = letters; *c != '\0'; c++) {
		if (*c == 'i')
			opts->interactive = true;
		else if (*c == 't')
			opts->tty = true;
		else if (*c == 'h')
			opts->action = EXEC_ACTION_HELP;
		else if (*c == 'V')
			opts->action = EXEC_ACTION_VERSION;
		else
			return err_set(err, -EINVAL, "-%s: unknown option (see --help)", letters);
	}
	return 0;
}

/* Short forms of what has a value. */
static char *long_form(char *word)
{
	if (strcmp(word, "-u") == 0)
		return (char *)"--user";
	return strcmp(word, "-w") == 0 ? (char *)"--cwd" : word;
}

/* Up to and without "--". Returns how many words are behind it, or -EINVAL. */
static int split(char **argv, struct words *words, struct exec_options *opts, struct err *err)
{
	char **kept = words->kept;
	int ret = 0;

	for (; ret == 0 && *argv != NULL && strcmp(*argv, "--") != 0; argv++) {
		char *word = long_form(*argv);

		if (strcmp(word, "--env") == 0 || strcmp(word, "-e") == 0) {
			ret = add_env(words, argv[1], err);
			argv += argv[1] != NULL;
		} else if (strncmp(word, "--env=", 6) == 0) {
			ret = add_env(words, word + 6, err);
		} else if (strcmp(word, "--help") == 0) {
			opts->action = EXEC_ACTION_HELP;
		} else if (strcmp(word, "--version") == 0) {
			opts->action = EXEC_ACTION_VERSION;
		} else if (word[0] == '-' && word[1] != '-' && word[1] != '\0') {
			ret = take_letters(word + 1, opts, err);
		} else {
			*kept++ = word;
			if (settings_takes_next(&table, word) && argv[1] != NULL)
				*kept++ = *++argv;
		}
	}
	*kept = NULL;
	opts->command = *argv != NULL ? argv + 1 : argv;
	return ret;
}

/* One layer: what is twice in it stays so. */
static int add_inherited(struct exec_env *env, char *const *environment, size_t n, bool guest_home)
{
	cleanup_free char **kept = calloc(n + 1, sizeof(*kept));
	size_t n_kept = 0;

	if (kept == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (!guest_home || strncmp(environment[i], "HOME=", 5) != 0)
			kept[n_kept++] = environment[i];
	return exec_env_add(env, kept, n_kept);
}

static int collect_env(const struct words *words, char *const *environment,
	struct exec_options *opts, struct err *err)
{
	cleanup_free char **of_file = NULL;
	struct exec_env env = { 0 };
	size_t n = 0;
	int ret;

	while (environment != NULL && environment[n] != NULL)
		n++;
	ret = add_inherited(&env, environment, opts->inherit_env ? n : 0, opts->guest_home);
	if (ret == 0 && opts->env_file[0] != '\0') {
		ret = exec_env_read(opts->env_file, &opts->env_bytes, &of_file, &n, err);
		if (ret == 0)
			ret = exec_env_add(&env, of_file, n);
	}
	if (ret == 0)
		ret = exec_env_add(&env, words->env, words->n_env);
	opts->env = env.strings;
	return ret == -ENOMEM ? err_set(err, ret, "out of memory") : ret;
}

static int find_socket(struct exec_options *opts, struct err *err)
{
	int n;

	if (opts->socket[0] != '\0')
		return 0;
	n = snprintf(opts->socket, sizeof(opts->socket), "%s/%s.vsock", opts->run_dir, opts->name);
	if (n >= (int)sizeof(opts->socket))
		return err_set(err, -ENAMETOOLONG, "--run-dir: is too long");
	return 0;
}

static int parse(struct words *words, char **argv, char *const *environment,
	struct exec_options *opts, struct err *err)
{
	int ret = split(argv, words, opts, err);

	if (ret < 0 || opts->action != EXEC_ACTION_RUN)
		return ret;
	ret = settings_from_args(&table, words->kept, opts, err);
	if (ret == 0 && opts->command[0] == NULL)
		ret = err_set(err, -EINVAL, "there is no command: it goes behind \"--\"");
	if (ret == 0)
		ret = find_socket(opts, err);
	return ret == 0 ? collect_env(words, environment, opts, err) : ret;
}

int exec_options_parse(
	int argc, char **argv, char *const *environment, struct exec_options *opts, struct err *err)
{
	cleanup_free char **kept = calloc((size_t)argc + 1, sizeof(*kept));
	cleanup_free char **env = calloc((size_t)argc + 1, sizeof(*env));
	struct words words = { .kept = kept, .env = env };

	*opts = (struct exec_options) { 0 };
	if (kept == NULL || env == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	settings_apply_defaults(&table, 0, opts);
	return parse(&words, argv + (argc > 0), environment, opts, err);
}

void exec_options_free(struct exec_options *opts)
{
	free(steal_ptr(&opts->groups));
	free(steal_ptr(&opts->env));
	free(steal_ptr(&opts->env_bytes));
}

void exec_options_print_help(const char *program, FILE *out)
{
	fprintf(out,
		"Usage: %s [OPTION]... -- COMMAND [ARGUMENT]...\n"
		"Runs a command in a VM, beside its workload.\n\n",
		program);
	settings_print_help(&table, "--", out);
	option_text_print_help(others, out);
	fputs("\nExit status: the command's, or 128 and the number of the signal that ended it;\n"
	      "126 if it could not be run, 127 if there is no such command, 125 if the connection\n"
	      "was lost while it ran.\n",
		out);
}

void exec_options_print_man(FILE *out)
{
	settings_man(&table, 0, "--", out);
	option_text_man(others, out);
}
