/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/cli/run_words.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/vm_settings.h"

static const struct {
	const char *given, *meant;
} forms[] = {
	{ "-e", "--env" },
	{ "-t", "--tty" },
	{ "-u", "--user" },
	{ "-v", "--volume" },
	{ "-w", "--cwd" },
};

/* Values that are put together here. */
static const struct {
	const char *given, *meant;
	bool is_list; /* otherwise the last one counts */
} made[RUN_MADE] = {
	{ "--cap-add", "--cap-add", true },
	{ "--cap-drop", "--cap-drop", true },
	{ "--group-add", "--group-add", true },
	{ "--ulimit", "--ulimit", true },
	{ "--workdir", "--cwd", false },
};

int run_words_init(struct run_words *words, size_t n, struct err *err)
{
	*words = (struct run_words) { .kept = calloc(n + RUN_MADE + 1, sizeof(*words->kept)) };
	return words->kept != NULL ? 0 : err_set(err, -ENOMEM, "out of memory");
}

void run_words_free(struct run_words *words)
{
	for (size_t i = 0; i < RUN_MADE; i++)
		free(words->made[i]);
	free(words->kept);
	*words = (struct run_words) { 0 };
}

const char *run_words_long(const char *word)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (strcmp(word, forms[i].given) == 0)
			return forms[i].meant;
	return word;
}

static int put(struct run_words *words, size_t i, const char *value, struct err *err)
{
	const char *begun = made[i].is_list ? words->made[i] : NULL;
	char *whole;

	if (value == NULL)
		return err_set(err, -EINVAL, "%s: needs a value", made[i].given);
	if (asprintf(&whole, "%s%c%s", begun != NULL ? begun : made[i].meant,
		    begun != NULL ? ',' : '=', value) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	free(words->made[i]);
	words->made[i] = whole;
	return 0;
}

int run_words_take(struct run_words *words, char *const *at, struct err *err)
{
	const char *word = at[0];
	size_t len = strcspn(word, "=");

	for (size_t i = 0; i < RUN_MADE; i++) {
		bool with_value = word[len] == '=';
		int ret;

		if (strlen(made[i].given) != len || strncmp(word, made[i].given, len) != 0)
			continue;
		ret = put(words, i, with_value ? word + len + 1 : at[1], err);
		return ret < 0 ? ret : with_value ? 1 : 2;
	}
	words->kept[words->n++] = at[0];
	if (!vm_settings_take_next(word) || at[1] == NULL)
		return 1;
	words->kept[words->n++] = at[1];
	return 2;
}

void run_words_finish(struct run_words *words)
{
	for (size_t i = 0; i < RUN_MADE; i++)
		if (words->made[i] != NULL)
			words->kept[words->n++] = words->made[i];
	words->kept[words->n] = NULL;
}

const char *run_words_help(void)
{
	return "Short forms are -e --env, -t --tty, -u --user, -v --volume, -w --cwd, which can "
	       "also be said as --workdir. --cap-add, --cap-drop, --group-add and --ulimit can be "
	       "said more than once.";
}
