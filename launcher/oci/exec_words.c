/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/oci/exec_words.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "launcher/oci/oci_exec.h"
#include "launcher/oci/runtime_option.h"
#include "lib/cleanup.h"

/* What the client is told besides the command: its path, --interactive, --inherit-env, --tty, three
 * options with values, "--", and the NULL. */
#define CLIENT_WORDS_MAX 13

struct client {
	const char *user, *cwd;
	char *groups;
	bool tty, outside, has_home;
};

/* --- its options ----------------------------------------------------------------------------- */

static int add_groups(struct client *client, const char *list, struct err *err)
{
	size_t len = strlen(client->groups);
	int n = snprintf(
		client->groups + len, EXEC_GROUPS_MAX - len, "%s%s", len > 0 ? "," : "", list);

	if ((size_t)n >= EXEC_GROUPS_MAX - len)
		return err_set(err, -EINVAL, "exec --additional-gids: are too many");
	return 0;
}

static int look_at_env(struct client *client, const char *string,
	const struct runtime_settings *settings, struct err *err)
{
	int target = oci_exec_target(string, settings, err);

	if (target > OCI_EXEC_UNSAID)
		client->outside = target == OCI_EXEC_CONTAINER;
	return target < 0 ? target : 0;
}

/* 1: the word stays the runtime's. */
static int take(struct client *client, const struct runtime_option_word *word,
	const struct runtime_settings *settings, struct err *err)
{
	int ret = 0;

	switch (word->option->id) {
	case RUNTIME_OPTION_USER:
		client->user = word->value;
		return 0;
	case RUNTIME_OPTION_CWD:
		client->cwd = word->value;
		return 0;
	case RUNTIME_OPTION_GROUPS:
		return add_groups(client, word->value, err);
	case RUNTIME_OPTION_CAP:
		return err_set(err, -ENOTSUP,
			"exec --cap: a command in a VM has the capabilities of its workload");
	case RUNTIME_OPTION_ENV:
		ret = look_at_env(client, word->value, settings, err);
		client->has_home |= oci_exec_is_home(word->value);
		break;
	case RUNTIME_OPTION_TTY:
		client->tty = word->value == NULL || strcmp(word->value, "false") != 0;
		break;
	default:
		break;
	}
	return ret < 0 ? ret : 1;
}

/* Options between the verb and the ID; those that stay are appended at *to. */
static int split(const struct runtime_words *words, char *const *argv, struct client *client,
	const struct runtime_settings *settings, char ***to, struct err *err)
{
	for (size_t i = words->n_global + 1; i < words->id_at;) {
		struct runtime_option_word word;
		int ret;

		if (strcmp(argv[i], "--") == 0) {
			*(*to)++ = argv[i++];
			continue;
		}
		ret = runtime_option_read(argv + i, RUNTIME_EXEC, &word, err);
		if (ret == 0 && word.option == NULL)
			ret = err_set(err, -EINVAL,
				"exec %.64s: is not known to sluice-runtime, and container %.64s "
				"is a VM",
				argv[i], words->id);
		if (ret == 0)
			ret = take(client, &word, settings, err);
		if (ret < 0)
			return ret;
		for (size_t end = i + word.n_words; i < end; i++)
			if (ret == 1)
				*(*to)++ = argv[i];
	}
	return 0;
}

/* --- the line -------------------------------------------------------------------------------- */

static void put(char ***to, const char *word)
{
	*(*to)++ = (char *)word;
}

static void put_option(char ***to, const char *name, const char *value)
{
	if (value == NULL || value[0] == '\0')
		return;
	put(to, name);
	put(to, value);
}

static void put_client(char ***to, const char *path, const struct client *client)
{
	put(to, path);
	put(to, "--interactive");
	put(to, "--inherit-env");
	if (!client->has_home)
		put(to, "--guest-home");
	if (client->tty)
		put(to, "--tty");
	put_option(to, "--user", client->user);
	put_option(to, "--group-add", client->groups);
	put_option(to, "--cwd", client->cwd);
	put(to, "--");
}

int exec_words_convert(const struct runtime_words *words, char *const *argv,
	const struct runtime_settings *settings, struct exec_line *line, struct err *err)
{
	struct client own = { .groups = line->groups };
	cleanup_free char **all = NULL;
	char **to;
	size_t n = 0;
	int ret;

	line->argv = NULL;
	line->groups[0] = '\0';
	while (argv[n] != NULL)
		n++;
	if (words->id_at + 1 == n)
		return err_set(err, -EINVAL, "exec: there is no command");
	all = to = calloc(n + CLIENT_WORDS_MAX, sizeof(*all));
	if (all == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i <= words->n_global; i++)
		put(&to, argv[i]);
	ret = split(words, argv, &own, settings, &to, err);
	if (ret < 0 || own.outside)
		return ret < 0 ? ret : 1;
	put(&to, words->id);
	put_client(&to, line->client, &own);
	for (size_t i = words->id_at + 1; i < n; i++)
		put(&to, argv[i]);
	line->argv = steal_ptr(&all);
	return 0;
}
