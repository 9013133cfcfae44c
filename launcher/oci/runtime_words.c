/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/oci/runtime_words.h"

#include <errno.h>
#include <string.h>

#include "launcher/oci/runtime_option.h"

static bool is_verb(const char *word)
{
	static const char *const verbs[] = { "checkpoint", "create", "delete", "events", "exec",
		"features", "init", "kill", "list", "pause", "ps", "restore", "resume", "run",
		"spec", "start", "state", "update" };

	for (size_t i = 0; word != NULL && i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(word, verbs[i]) == 0)
			return true;
	return false;
}

static bool is_option(const char *word)
{
	return word != NULL && word[0] == '-' && word[1] != '\0' && strcmp(word, "--") != 0;
}

static bool has_foreign_value(char *const *words, const struct runtime_option_word *word)
{
	return word->option == NULL && word->value == NULL && words[1] != NULL &&
	       !is_option(words[1]) && !is_verb(words[1]) && is_verb(words[2]);
}

static int take(
	struct runtime_words *words, const struct runtime_option_word *word, struct err *err)
{
	switch (word->option != NULL ? word->option->id : RUNTIME_OPTION_OTHER) {
	case RUNTIME_OPTION_LOG:
		words->log = word->value;
		break;
	case RUNTIME_OPTION_LOG_FORMAT:
		words->log_json = strcmp(word->value, "json") == 0;
		break;
	case RUNTIME_OPTION_BUNDLE:
		words->bundle = word->value;
		break;
	case RUNTIME_OPTION_PROCESS:
		words->process = word->value;
		break;
	case RUNTIME_OPTION_MEMORY:
		words->memory = word->value;
		break;
	case RUNTIME_OPTION_RESOURCES:
		words->resources = word->value;
		break;
	case RUNTIME_OPTION_CONFIG:
		return err_set(err, -EINVAL,
			"--config: containers are configured by config.json in their bundle");
	default:
		break;
	}
	return 0;
}

static int take_global(char *const *argv, size_t *at, struct runtime_words *words, struct err *err)
{
	while (is_option(argv[*at])) {
		struct runtime_option_word word;
		int ret = runtime_option_read(argv + *at, RUNTIME_GLOBAL, &word, err);

		if (ret == 0)
			ret = take(words, &word, err);
		if (ret < 0)
			return ret;
		*at += word.n_words + has_foreign_value(argv + *at, &word);
	}
	*at += argv[*at] != NULL && strcmp(argv[*at], "--") == 0;
	return 0;
}

/* An exec's options end with the ID: what follows is the command. */
static int take_own(char *const *argv, size_t at, enum runtime_option_scope scope,
	struct runtime_words *words, struct err *err)
{
	bool options = true;

	while (argv[at] != NULL && (words->id == NULL || scope != RUNTIME_EXEC)) {
		struct runtime_option_word word = { .n_words = 1 };
		int ret = 0;

		if (options && is_option(argv[at])) {
			ret = runtime_option_read(argv + at, scope, &word, err);
			if (ret == 0)
				ret = take(words, &word, err);
			if (word.option != NULL && word.option->id == RUNTIME_OPTION_RESOURCES)
				words->resources_at = at + word.n_words - 1;
		} else if (options && strcmp(argv[at], "--") == 0) {
			options = false;
		} else if (words->id == NULL) {
			words->id = argv[at];
			words->id_at = at;
		}
		if (ret < 0)
			return err_wrap(err, ret, "%s", words->verb);
		at += word.n_words;
	}
	return 0;
}

int runtime_words_parse(int argc, char *const *argv, struct runtime_words *words, struct err *err)
{
	size_t at = argc > 0;
	static const struct {
		const char *verb;
		enum runtime_option_scope scope;
	} verbs[] = {
		{ "create", RUNTIME_CREATE },
		{ "run", RUNTIME_CREATE },
		{ "exec", RUNTIME_EXEC },
		{ "update", RUNTIME_UPDATE },
		{ "checkpoint", RUNTIME_CHECKPOINT },
		{ "restore", RUNTIME_CHECKPOINT },
	};
	int ret;

	*words = (struct runtime_words) { .verb = NULL };
	ret = take_global(argv, &at, words, err);
	if (ret < 0 || argv[at] == NULL)
		return ret;
	words->verb = argv[at];
	words->n_global = at;
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(words->verb, verbs[i].verb) == 0)
			return take_own(argv, at + 1, verbs[i].scope, words, err);
	return 0;
}
