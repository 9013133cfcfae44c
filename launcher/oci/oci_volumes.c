/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/oci/oci_volumes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/machine_spec.h"
#include "config/vm_settings.h"
#include "lib/cleanup.h"

#define KEY VM_ANNOTATION_PREFIX "volumes"

static int take_words(char *words, struct oci_volume *volume, struct err *err)
{
	char *word;

	while ((word = strsep(&words, "+")) != NULL) {
		if (strcmp(word, "nfs") == 0)
			volume->nfs = true;
		else if (strcmp(word, "optional") == 0)
			volume->optional = true;
		else
			return err_set(err, -EINVAL,
				KEY ": \"%.64s\" is not allowed (must be \"nfs\", \"optional\" or "
				    "\"nfs+optional\")",
				word);
	}
	return 0;
}

static int add(struct oci_volumes *volumes, char *item, struct err *err)
{
	struct oci_volume *volume = &volumes->items[volumes->n];
	char *equals = strrchr(item, '=');

	if (item[0] != '/' || equals == NULL)
		return err_set(err, -EINVAL,
			KEY ": \"%.64s\" is not allowed (must be DESTINATION=WORDS such as "
			    "/data=nfs or /cache=optional, separated by commas)",
			item);
	*equals = '\0';
	if (oci_volumes_find(volumes, item) != NULL)
		return err_set(err, -EINVAL, KEY ": %.128s is there twice", item);
	if (volumes->n == MACHINE_MOUNTS_MAX)
		return err_set(err, -E2BIG, KEY ": more than %d", MACHINE_MOUNTS_MAX);
	volume->destination = strdup(item);
	if (volume->destination == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	volumes->n++;
	return take_words(equals + 1, volume, err);
}

int oci_volumes_parse(const char *text, struct oci_volumes *volumes, struct err *err)
{
	cleanup_free char *copy = strdup(text != NULL ? text : "");
	char *rest = copy, *item;
	int ret = 0;

	*volumes = (struct oci_volumes) { .n = 0 };
	if (text == NULL)
		return 0;
	volumes->items = calloc(MACHINE_MOUNTS_MAX + 1, sizeof(*volumes->items));
	if (copy == NULL || volumes->items == NULL)
		ret = err_set(err, -ENOMEM, "out of memory");
	while (ret == 0 && (item = strsep(&rest, ",")) != NULL)
		ret = add(volumes, item, err);
	for (size_t i = 0; i < volumes->n; i++)
		volumes->items[i].found = false;
	if (ret < 0)
		oci_volumes_free(volumes);
	return ret;
}

const struct oci_volume *oci_volumes_find(struct oci_volumes *volumes, const char *destination)
{
	for (size_t i = 0; i < volumes->n; i++)
		if (strcmp(volumes->items[i].destination, destination) == 0) {
			volumes->items[i].found = true;
			return &volumes->items[i];
		}
	return NULL;
}

bool oci_volumes_have_nfs(const struct oci_volumes *volumes)
{
	for (size_t i = 0; i < volumes->n; i++)
		if (volumes->items[i].nfs)
			return true;
	return false;
}

int oci_volumes_check(const struct oci_volumes *volumes, struct err *err)
{
	for (size_t i = 0; i < volumes->n; i++)
		if (!volumes->items[i].found)
			return err_set(err, -EINVAL,
				KEY ": %.128s: no volume is mounted there in this container",
				volumes->items[i].destination);
	return 0;
}

void oci_volumes_free(struct oci_volumes *volumes)
{
	for (size_t i = 0; i < volumes->n; i++)
		free(volumes->items[i].destination);
	free(volumes->items);
	*volumes = (struct oci_volumes) { .n = 0 };
}
