/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/run/volume.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

static bool is_tmpfs_option(const char *word)
{
	static const char *const known[] = { "size=", "mode=", "nr_inodes=", "uid=", "gid=" };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strncmp(word, known[i], strlen(known[i])) == 0 && strchr(word, '=')[1] != '\0')
			return true;
	return false;
}

static int add_option(struct volume *v, const char *word, struct err *err)
{
	char *grown;

	if (v->source != NULL || !is_tmpfs_option(word))
		return err_set(err, -EINVAL, "\"%s\": want %s", word,
			v->source != NULL
				? "ro, rw, optional or nfs"
				: "ro, rw, optional, size=, mode=, nr_inodes=, uid= or gid=");
	if (asprintf(&grown, "%s%s%s", v->options != NULL ? v->options : "",
		    v->options != NULL ? "," : "", word) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	free(v->options);
	v->options = grown;
	return 0;
}

static int take_options(struct volume *v, char *words, struct err *err)
{
	int ret = 0;

	for (char *word; ret == 0 && (word = strsep(&words, ",")) != NULL;) {
		if (strcmp(word, "ro") == 0)
			v->readonly = true;
		else if (strcmp(word, "rw") == 0)
			v->readonly = false;
		else if (strcmp(word, "optional") == 0)
			v->optional = true;
		else if (v->source != NULL && strcmp(word, "nfs") == 0)
			v->nfs = true;
		else
			ret = add_option(v, word, err);
	}
	return ret;
}

/* Copies a path out of the text. */
static int take_path(char **path, const char *text, const char *what, struct err *err)
{
	if (text == NULL || text[0] != '/')
		return err_set(err, -EINVAL, "\"%s\": the %s is no absolute path",
			text != NULL ? text : "", what);
	*path = strdup(text);
	return *path != NULL ? 0 : err_set(err, -ENOMEM, "out of memory");
}

static void free_volume(struct volume *v)
{
	free(v->source);
	free(v->destination);
	free(v->options);
}

int volumes_add(struct volumes *volumes, const char *text, bool tmpfs, struct err *err)
{
	cleanup_free char *copy = strdup(text);
	char *rest = copy;
	struct volume v = { 0 };
	int ret = 0;

	if (copy == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	if (volumes->n == VOLUMES_MAX)
		return err_set(err, -E2BIG, "more than %d volumes", VOLUMES_MAX);
	if (!tmpfs)
		ret = take_path(&v.source, strsep(&rest, ":"), "source", err);
	if (ret == 0)
		ret = take_path(&v.destination, strsep(&rest, ":"), "destination", err);
	if (ret == 0 && rest != NULL)
		ret = take_options(&v, rest, err);
	if (ret < 0) {
		free_volume(&v);
		return ret;
	}
	volumes->item[volumes->n++] = v;
	return 0;
}

/* What of a mount is text. */
static bool copy_mount(
	struct volume *v, const struct machine_mount *mount, const char *share, unsigned number)
{
	v->destination = strdup(mount->destination);
	v->options = mount->options != NULL ? strdup(mount->options) : NULL;
	if (v->destination == NULL || (mount->options != NULL && v->options == NULL))
		return false;
	return mount->kind == MACHINE_TMPFS ||
	       asprintf(&v->source, "%s/vol/%u", share, number) >= 0;
}

int volumes_add_ready(struct volumes *volumes, const struct machine_mount *mount, const char *share,
	unsigned number, struct err *err)
{
	struct volume v = { .readonly = mount->readonly,
		.optional = mount->optional,
		.nfs = mount->kind == MACHINE_NFS,
		.ready = mount->kind != MACHINE_TMPFS,
		.number = number };

	if (volumes->n == VOLUMES_MAX)
		return err_set(err, -E2BIG, "more than %d volumes", VOLUMES_MAX);
	if (!copy_mount(&v, mount, share, number)) {
		free_volume(&v);
		return err_set(err, -ENOMEM, "out of memory");
	}
	volumes->item[volumes->n++] = v;
	return 0;
}

size_t volumes_count(const struct volumes *volumes, bool nfs)
{
	size_t n = 0;

	for (size_t i = 0; i < volumes->n; i++)
		n += volumes->item[i].source != NULL && volumes->item[i].nfs == nfs;
	return n;
}

size_t volumes_count_required(const struct volumes *volumes, bool nfs)
{
	size_t n = volumes_count(volumes, nfs);

	for (size_t i = 0; i < volumes->n; i++)
		n -= volumes->item[i].source != NULL && volumes->item[i].nfs == nfs &&
		     volumes->item[i].optional;
	return n;
}

void volumes_free(struct volumes *volumes)
{
	for (size_t i = 0; i < volumes->n; i++)
		free_volume(&volumes->item[i]);
	volumes->n = 0;
}
