/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/cli/run_options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/roff.h"
#include "launcher/cli/run_container.h"
#include "launcher/cli/run_words.h"
#include "lib/cleanup.h"

#define ENV_MAX       4096
#define ENV_FILE_MAX  (1024 * 1024)
#define PATH_VARIABLE "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* What is being put together. */
struct parse {
	struct run_options *options;
	struct vm_sources sources;
	struct run_words words; /* that settings_from_args() is to judge */
	const char *container;  /* a file; NULL: none */
	const char *described;  /* an option that describes a container; NULL: none was said */
};

/* --- environment ----------------------------------------------------------------------------- */

static size_t name_len(const char *variable)
{
	return strcspn(variable, "=") + 1;
}

/* In place of one of that name. */
static int put_env(struct run_options *o, const char *variable, struct err *err)
{
	char *copy;
	size_t i = 0;

	if (strchr(variable, '=') == NULL || variable[0] == '=')
		return err_set(err, -EINVAL, "\"%s\": want NAME=VALUE", variable);
	while (i < o->n_env && strncmp(o->env[i], variable, name_len(variable)) != 0)
		i++;
	if (i == ENV_MAX)
		return err_set(err, -E2BIG, "more than %d variables", ENV_MAX);
	copy = strdup(variable);
	if (copy == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	free(o->env[i]);
	o->env[i] = copy;
	o->n_env += i == o->n_env;
	return 0;
}

/* NAME alone: as it is here, if it is. */
static int add_env(struct parse *p, const char *text, struct err *err)
{
	cleanup_free char *variable = NULL;
	const char *value = getenv(text);

	if (strchr(text, '=') != NULL)
		return put_env(p->options, text, err);
	if (value == NULL)
		return 0;
	if (asprintf(&variable, "%s=%s", text, value) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	return put_env(p->options, variable, err);
}

/* One NAME=VALUE a line; empty lines and those that begin with '#' are skipped. */
static int add_env_file(struct parse *p, const char *path, struct err *err)
{
	FILE *file = fopen(path, "re");
	cleanup_free char *line = NULL;
	size_t size = 0;
	ssize_t len;
	int ret = 0;

	if (file == NULL)
		return err_errno(err, errno, "%s", path);
	while (ret == 0 && (len = getline(&line, &size, file)) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] != '\0' && line[0] != '#')
			ret = put_env(p->options, line, err);
	}
	fclose(file);
	return ret < 0 ? err_wrap(err, ret, "%s", path) : 0;
}

/* --- options that are no settings ------------------------------------------------------------- */

static int add_volume(struct parse *p, const char *text, struct err *err)
{
	return volumes_add(&p->options->volumes, text, false, err);
}

static int add_tmpfs(struct parse *p, const char *text, struct err *err)
{
	return volumes_add(&p->options->volumes, text, true, err);
}

static int set_config(struct parse *p, const char *text, struct err *err)
{
	p->sources.config_path = text;
	p->sources.config_required = true;
	return 0;
}

static int set_annotations(struct parse *p, const char *text, struct err *err)
{
	p->sources.annotations_path = text;
	return 0;
}

static int set_container(struct parse *p, const char *text, struct err *err)
{
	p->container = text;
	p->options->has_container = true;
	return 0;
}

static const struct extra {
	const char *name, *unit, *help;
	int (*take)(struct parse *p, const char *text, struct err *err);
	bool describes; /* the container, in place of a file that does */
} extras[] = {
	{ "--volume", "SOURCE:DESTINATION[:ro,optional]",
		"a directory or file of ours in the guest's root", add_volume, true },
	{ "--tmpfs", "DESTINATION[:size=64m,...]", "memory of the guest's", add_tmpfs, true },
	{ "--env", "NAME=VALUE", "a variable of the command's; NAME alone passes ours on", add_env,
		true },
	{ "--env-file", "FILE", "variables, one NAME=VALUE a line", add_env_file, true },
	{ "--container", "FILE",
		"root, volumes, command, environment and user are a container's, as sluice-runtime "
		"describes it; none of them may be said besides",
		set_container },
	{ "--config", "FILE", "settings as a JSON object (default " VM_CONFIG_PATH ", if there)",
		set_config },
	{ "--annotations-file", "FILE",
		"settings as annotations " VM_ANNOTATION_PREFIX "..., as the downward API writes "
		"them",
		set_annotations },
};

/* NULL: none of ours. *value is what follows '=', or NULL. */
static const struct extra *find(const char *word, const char **value)
{
	size_t len = strcspn(word, "=");

	for (size_t i = 0; i < sizeof(extras) / sizeof(extras[0]); i++)
		if (strlen(extras[i].name) == len && strncmp(word, extras[i].name, len) == 0) {
			*value = word[len] == '=' ? word + len + 1 : NULL;
			return &extras[i];
		}
	return NULL;
}

/* Returns how many words it is, with its value. */
static int take_extra(struct parse *p, const struct extra *extra, const char *value, char **words,
	struct err *err)
{
	bool is_next = value == NULL;
	int ret;

	if (is_next && (value = words[1]) == NULL)
		return err_set(err, -EINVAL, "%s: needs %s", extra->name, extra->unit);
	if (extra->describes)
		p->described = extra->name;
	ret = extra->take(p, value, err);
	return ret < 0 ? err_wrap(err, ret, "%s", extra->name) : 1 + is_next;
}

static int take_words(struct parse *p, char **words, struct err *err)
{
	while (*words != NULL && strcmp(*words, "--") != 0) {
		const struct extra *extra;
		const char *value;
		int n;

		/* Only read from here on. */
		*words = (char *)run_words_long(*words);
		extra = find(*words, &value);
		if (strcmp(*words, "--help") == 0) {
			p->options->help = true;
			return 0;
		}
		n = extra != NULL ? take_extra(p, extra, value, words, err)
				  : run_words_take(&p->words, words, err);
		if (n < 0)
			return n;
		words += n;
	}
	if (*words != NULL && words[1] != NULL)
		p->options->argv = words + 1;
	run_words_finish(&p->words);
	return 0;
}

/* A container has said what it is: nothing else may. */
static int read_container(struct parse *p, struct err *err)
{
	if (p->options->argv != NULL)
		p->described = "a command";
	if (p->described != NULL)
		return err_set(
			err, -EINVAL, "%s: not with --container, whose file says it", p->described);
	p->sources.container = &p->options->container;
	return run_container_read(p->container, p->options, err);
}

static int load(struct parse *p, struct err *err)
{
	int ret = 0;

	if (p->container != NULL)
		ret = read_container(p, err);
	if (ret == 0 && p->container != NULL)
		ret = run_container_check_words(p->words.kept, err);
	p->sources.words = p->words.kept;
	if (ret == 0)
		ret = vm_settings_load(&p->sources, &p->options->settings, err);
	if (ret == 0 && p->container != NULL)
		return run_container_apply(p->options, err);
	if (ret == 0 && p->options->settings.tty)
		ret = add_env(p, "TERM", err);
	return ret;
}

int run_options_parse(char **words, struct run_options *options, struct err *err)
{
	struct parse p = { .options = options, .sources = { .config_path = VM_CONFIG_PATH } };
	size_t n = 0;
	int ret;

	*options = (struct run_options) { 0 };
	while (words[n] != NULL)
		n++;
	options->env = calloc(ENV_MAX + 1, sizeof(*options->env));
	if (options->env == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	ret = run_words_init(&p.words, n, err);
	if (ret == 0)
		ret = put_env(options, PATH_VARIABLE, err);
	if (ret == 0)
		ret = take_words(&p, words, err);
	if (ret == 0 && !options->help)
		ret = load(&p, err);
	run_words_free(&p.words);
	return ret;
}

void run_options_free(struct run_options *options)
{
	for (size_t i = 0; i < options->n_env; i++)
		free(options->env[i]);
	free(options->env);
	volumes_free(&options->volumes);
	container_spec_free(&options->container);
}

void run_options_print_help(FILE *out)
{
	fputs("Usage: sluice-vm run --rootfs DIR [OPTION]... [-- COMMAND [ARGUMENT]...]\n"
	      "       sluice-vm run --container FILE [OPTION]...\n"
	      "Boots a VM that has the pod's network, runs COMMAND in it, and behaves like it: "
	      "output,\nsignals, exit status.\n\n",
		out);
	for (size_t i = 0; i < sizeof(extras) / sizeof(extras[0]); i++)
		fprintf(out, "  %s %s\n        %s\n", extras[i].name, extras[i].unit,
			extras[i].help);
	fputc('\n', out);
	vm_settings_print_help(out);
	fprintf(out, "\n%s\n", run_words_help());
	fputs("\nExit status: COMMAND's, or 128 and its signal's number; 126 or 127 if it cannot "
	      "be run.\n120: the VMM ended or the guest powered off, 121: sluice-vsock ended, "
	      "122: what serves\nstorage ended, 123: the agent was lost, 125: the VM could not "
	      "be started, 2: wrong usage.\n",
		out);
}

void run_options_print_man(FILE *out)
{
	for (size_t i = 0; i < sizeof(extras) / sizeof(extras[0]); i++) {
		roff_entry(extras[i].name, extras[i].unit, out);
		roff_text(extras[i].help, out);
		fputs(".\n", out);
	}
	vm_settings_print_man(out);
	fputs(".PP\n", out);
	roff_text(run_words_help(), out);
	fputc('\n', out);
}
