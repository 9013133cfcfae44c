/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/vsock_config.h"

#include <errno.h>
#include <string.h>

#include "config/log_words.h"
#include "config/settings.h"
#include "config/settings_man.h"

#define FIELD(member) SETTING_FIELD(struct vsock_config, member)

static const struct setting rows[] = {
	{ "device", SETTING_PATH, FIELD(device), .unit = "PATH", .required = true,
		.help = "vhost-user socket that the VMM connects to" },
	{ "host", SETTING_PATH, FIELD(host), .unit = "PATH", .required = true,
		.help = "unix socket for clients, who say CONNECT <port>; the guest's connections "
			"to port N of the host go to the socket PATH_N" },
	{ "cid", SETTING_U32, FIELD(cid), .unit = "N", .required = true, .min = VSOCK_CID_MIN,
		.max = VSOCK_CID_MAX, .help = "the guest's context ID" },
	{ "log-level", SETTING_ENUM, FIELD(log_level), .unit = "LEVEL", .preset = "info",
		.words = log_level_words,
		.help = "least severe events that are written to stderr" },
	{ "log-format", SETTING_ENUM, FIELD(log_format), .unit = "FORMAT", .preset = "text",
		.words = log_format_words, .help = "how a line of the log is written" },
};

static const struct settings table = SETTINGS(rows, NULL);

static const struct option_text others[] = {
	{ "-h, --help", NULL, "print this text" },
	{ "-V, --version", NULL, "print the version" },
	{ NULL },
};

static int check_required(const struct vsock_config *config, struct err *err)
{
	for (size_t i = 0; i < table.n_rows; i++)
		if (rows[i].required && setting_is_zero(&rows[i], config))
			return err_set(err, -EINVAL, "--%s: missing (see --help)", rows[i].name);
	return 0;
}

static bool is(const char *word, const char *name, const char *short_name)
{
	return strcmp(word, name) == 0 || strcmp(word, short_name) == 0;
}

int vsock_config_parse(int argc, char **argv, struct vsock_config *config, struct err *err)
{
	char *const *words = argv + (argc > 0);
	int ret;

	for (char *const *word = words; argc > 0 && *word; word++) {
		if (is(*word, "--help", "-h"))
			return VSOCK_CONFIG_HELP;
		if (is(*word, "--version", "-V"))
			return VSOCK_CONFIG_VERSION;
	}
	*config = (struct vsock_config) { .cid = 0 };
	settings_apply_defaults(&table, 0, config);
	ret = settings_from_args(&table, words, config, err);
	return ret < 0 ? ret : check_required(config, err);
}

void vsock_config_print_help(FILE *out)
{
	fputs("Usage: sluice-vsock --device PATH --host PATH --cid N [OPTION]...\n"
	      "A virtual machine's vsock, as a vhost-user device.\n\n",
		out);
	option_text_print_help(others, out);
	fputc('\n', out);
	settings_print_help(&table, "--", out);
}

void vsock_config_print_man(FILE *out)
{
	settings_man(&table, 0, "--", out);
	option_text_man(others, out);
}
