/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/cli/vm_client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/settings.h"
#include "config/settings_man.h"
#include "lib/unix_socket.h"

#define FIELD(member) SETTING_FIELD(struct vm_client_options, member)
#define ALWAYS        16

static const struct setting rows[] = {
	{ "name", SETTING_NAME, FIELD(name), .unit = "NAME", .preset = "vm0", .groups = ALWAYS,
		.help = "the VM's" },
	{ "run-dir", SETTING_PATH, FIELD(run_dir), .unit = "PATH", .preset = "/run/sluice",
		.groups = ALWAYS, .help = "where its sockets are" },
	{ "json", SETTING_BOOL, FIELD(json), .preset = "false", .groups = VM_CLIENT_JSON,
		.help = "print one JSON object" },
	{ "follow", SETTING_BOOL, FIELD(follow), .preset = "false", .groups = VM_CLIENT_FOLLOW,
		.help = "go on with what is said from now on" },
	{ "stdio", SETTING_BOOL, FIELD(stdio), .preset = "false", .groups = VM_CLIENT_STDIO,
		.help = "copy between one port and the standard input and output" },
	{ "grace", SETTING_U32, FIELD(grace_s), .unit = "SECONDS", .preset = "10", .min = 0,
		.max = 86400, .groups = VM_CLIENT_GRACE,
		.help = "that its command has to end by itself" },
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

/* Those rows that the verb has. */
static struct settings pick(unsigned options, struct setting *picked)
{
	size_t n = 0;

	for (size_t i = 0; i < N_ROWS; i++)
		if (rows[i].groups & (options | ALWAYS))
			picked[n++] = rows[i];
	return (struct settings) { .rows = picked, .n_rows = n, .env_prefix = "SLUICE_" };
}

int vm_client_parse(
	char *const *words, unsigned options, struct vm_client_options *o, struct err *err)
{
	struct setting picked[N_ROWS];
	struct settings table = pick(options, picked);
	int ret;

	*o = (struct vm_client_options) { 0 };
	settings_apply_defaults(&table, 0, o);
	if (words[0] != NULL && strcmp(words[0], "--help") == 0) {
		o->help = true;
		settings_print_help(&table, "--", stdout);
		return 0;
	}
	ret = settings_from_env(&table, o, err);
	if (ret == 0)
		ret = settings_from_args(&table, words, o, err);
	return ret < 0 ? ret : vm_paths_make(&o->paths, o->run_dir, o->name, err);
}

bool vm_client_takes_next(const char *word, unsigned options)
{
	struct setting picked[N_ROWS];
	struct settings table = pick(options, picked);

	return settings_takes_next(&table, word);
}

void vm_client_print_man(unsigned options, FILE *out)
{
	struct setting picked[N_ROWS];
	struct settings table = pick(options, picked);

	settings_man(&table, 0, "--", out);
}

int vm_client_connect(const struct vm_client_options *o, int *fd, struct err *err)
{
	int ret = unix_connect(o->paths.control, err);

	if (ret == -ENOENT || ret == -ECONNREFUSED)
		return err_set(err, ret, "no VM of the name \"%s\" runs here (%s)", o->name,
			o->paths.control);
	if (ret < 0)
		return ret;
	*fd = ret;
	return 0;
}
