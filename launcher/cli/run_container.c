/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/cli/run_container.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/whole_file.h"

/* Of a word; the name is said where an exec's client is told it too. */
static bool is_its_own(const char *key, size_t len)
{
	char copy[64];

	snprintf(copy, sizeof(copy), "%.*s", (int)len, key);
	return strcmp(copy, "name") != 0 && vm_settings_is_container_own(copy);
}

static int check_settings(const struct container_spec *spec, struct err *err)
{
	for (size_t i = 0; i < spec->n_settings; i++) {
		const char *key = spec->settings[i].key;

		if (vm_settings_is_container_own(key))
			return err_set(err, -EINVAL,
				"settings.%s: is said by the container itself, not by a setting",
				key);
	}
	return 0;
}

int run_container_read(const char *path, struct run_options *options, struct err *err)
{
	struct container_spec *spec = &options->container;
	cleanup_free char *text = NULL;
	size_t len = 0;
	int ret = whole_file_read(path, CONTAINER_SPEC_MAX, &text, &len);

	if (ret < 0)
		return err_errno(err, -ret, "%s", path);
	ret = container_spec_parse(text, len, spec, err);
	/* There are secrets in it. */
	explicit_bzero(text, len);
	if (ret == 0)
		ret = check_settings(spec, err);
	return ret < 0 ? err_wrap(err, ret, "%s", path) : 0;
}

int run_container_check_words(char *const *words, struct err *err)
{
	for (; *words != NULL; words++) {
		const char *word = *words;
		size_t len = strncmp(word, "--", 2) == 0 ? strcspn(word + 2, "=") : 0;

		if (is_its_own(word + 2, len))
			return err_set(err, -EINVAL,
				"--%.*s: not with --container, whose file says it", (int)len,
				word + 2);
		if (vm_settings_take_next(word) && words[1] != NULL)
			words++;
	}
	return 0;
}

static int take_volumes(struct run_options *options, struct err *err)
{
	const struct container_spec *spec = &options->container;
	unsigned number = 0;
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < spec->n_volumes; i++) {
		const struct machine_mount *mount = &spec->volumes[i];

		ret = volumes_add_ready(&options->volumes, mount, spec->share, number, err);
		number += mount->kind != MACHINE_TMPFS;
	}
	return ret;
}

static int take_settings(struct run_options *options, struct err *err)
{
	const struct container_spec *spec = &options->container;
	struct vm_settings *s = &options->settings;
	int len = snprintf(s->rootfs, sizeof(s->rootfs), "%s/rootfs", spec->share);

	if (len < 0 || (size_t)len >= sizeof(s->rootfs))
		return err_set(err, -ENAMETOOLONG, "share: is too long a path");
	s->readonly = spec->readonly;
	s->tty = spec->process.terminal;
	s->hostname[0] = '\0';
	if (spec->hostname != NULL)
		snprintf(s->hostname, sizeof(s->hostname), "%s", spec->hostname);
	return 0;
}

int run_container_apply(struct run_options *options, struct err *err)
{
	struct container_spec *spec = &options->container;
	int ret = take_settings(options, err);

	if (ret == 0)
		ret = take_volumes(options, err);
	options->argv = spec->args;
	return ret;
}
