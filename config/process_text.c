/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/process_text.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>

#include "config/process_words.h"
#include "lib/cleanup.h"

#define UMASK_MAX 0777

int process_text_umask(const char *text, uint32_t *umask, struct err *err)
{
	size_t len = strlen(text);
	unsigned long value = strtoul(text, NULL, 8);

	if (len == 0 || len > 4 || text[strspn(text, "01234567")] != '\0' || value > UMASK_MAX)
		return err_set(
			err, -EINVAL, "\"%.20s\" is not allowed (must be octal, 0 to 0777)", text);
	*umask = (uint32_t)value;
	return 0;
}

/* Of the words that begin with `prefix`, the one that the entry names with or without it. */
static const struct setting_word *find_word(
	const struct setting_word *words, const char *prefix, const char *entry)
{
	size_t len = strlen(prefix);

	for (const struct setting_word *w = words; w->name != NULL; w++)
		if (strcasecmp(w->name, entry) == 0 || strcasecmp(w->name + len, entry) == 0)
			return w;
	return NULL;
}

/* --- rlimits --------------------------------------------------------------------------------- */

static bool parse_limit(const char *text, uint64_t *limit)
{
	char *end;

	*limit = RLIM64_INFINITY;
	if (strcmp(text, "-1") == 0 || strcmp(text, "unlimited") == 0)
		return true;
	errno = 0;
	*limit = strtoull(text, &end, 10);
	return isdigit((unsigned char)text[0]) && *end == '\0' && errno == 0;
}

static int add_rlimit(struct process_spec *spec, char *entry, struct err *err)
{
	struct process_rlimit limit;
	const char *name = strsep(&entry, "=");
	const char *soft = entry != NULL ? strsep(&entry, ":") : "";
	const struct setting_word *word = find_word(process_rlimit_words, "RLIMIT_", name);

	if (word == NULL)
		return err_set(err, -EINVAL, "\"%.40s\" is not a limit (such as nofile)", name);
	if (!parse_limit(soft, &limit.soft) ||
		!parse_limit(entry != NULL ? entry : soft, &limit.hard))
		return err_set(
			err, -EINVAL, "%s: want %s=SOFT[:HARD] in numbers, or -1", name, name);
	if (limit.soft > limit.hard)
		return err_set(err, -EINVAL, "%s: the soft limit is above the hard one", name);
	limit.resource = (int)word->value;
	for (size_t i = 0; i < spec->n_rlimits; i++)
		if (spec->rlimits[i].resource == limit.resource)
			return err_set(err, -EINVAL, "%s: is there twice", name);
	/* There is room: as many as there are names, each once. */
	spec->rlimits[spec->n_rlimits++] = limit;
	return 0;
}

int process_text_rlimits(const char *text, struct process_spec *spec, struct err *err)
{
	cleanup_free char *copy = strdup(text);
	char *rest = copy, *entry;
	int ret = 0;

	if (copy == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	while (ret == 0 && (entry = strsep(&rest, ",")) != NULL)
		ret = add_rlimit(spec, entry, err);
	spec->has_rlimits = true;
	return ret;
}

/* --- capabilities ---------------------------------------------------------------------------- */

struct capability_list {
	uint64_t named;
	bool all;
};

static uint64_t all_capabilities(void)
{
	uint64_t all = 0;

	for (const struct setting_word *w = process_capability_words; w->name != NULL; w++)
		all |= UINT64_C(1) << w->value;
	return all;
}

static int parse_capabilities(const char *text, struct capability_list *list, struct err *err)
{
	cleanup_free char *copy = strdup(text);
	char *rest = copy, *entry;

	*list = (struct capability_list) { 0 };
	if (copy == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	while (text[0] != '\0' && (entry = strsep(&rest, ",")) != NULL) {
		const struct setting_word *word =
			find_word(process_capability_words, "CAP_", entry);

		if (word != NULL)
			list->named |= UINT64_C(1) << word->value;
		else if (strcasecmp(entry, "ALL") == 0)
			list->all = true;
		else
			return err_set(err, -EINVAL,
				"\"%.40s\" is not a capability (such as NET_RAW, or ALL)", entry);
	}
	return 0;
}

static int refuse_both(
	const struct capability_list *add, const struct capability_list *drop, struct err *err)
{
	uint64_t both = add->named & drop->named;

	if (add->all && drop->all)
		return err_set(err, -EINVAL, "cap-add: ALL is in cap-drop as well");
	for (const struct setting_word *w = process_capability_words; w->name != NULL; w++)
		if ((both >> w->value & 1) != 0)
			return err_set(err, -EINVAL, "cap-add: %s is in cap-drop as well", w->name);
	return 0;
}

int process_text_capabilities(
	const char *add, const char *drop, struct process_spec *spec, struct err *err)
{
	struct capability_list added, dropped;
	uint64_t all = all_capabilities();
	int ret = parse_capabilities(add, &added, err);

	if (ret < 0)
		return err_wrap(err, ret, "cap-add");
	ret = parse_capabilities(drop, &dropped, err);
	if (ret < 0)
		return err_wrap(err, ret, "cap-drop");
	ret = refuse_both(&added, &dropped, err);
	if (ret < 0)
		return ret;
	spec->ambient = (added.all ? all & ~dropped.named : 0) | added.named;
	spec->capabilities = (dropped.all ? 0 : all & ~dropped.named) | spec->ambient;
	spec->has_capabilities = dropped.all || dropped.named != 0;
	if (!spec->has_capabilities)
		spec->capabilities = 0;
	return 0;
}
