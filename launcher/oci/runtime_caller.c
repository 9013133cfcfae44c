/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/oci/runtime_caller.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/whole_file.h"

#define CMDLINE_MAX (1U << 20)

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* The word's value if it is the option, or else NULL: `next` is the word behind it, or NULL. */
static const char *value_of(const char *word, const char *next)
{
	if (strcmp(word, "-n") == 0 || strcmp(word, "--name") == 0)
		return next;
	return strncmp(word, "--name=", 7) == 0 ? word + 7 : NULL;
}

bool runtime_caller_parse(const char *cmdline, size_t len, char *name)
{
	const char *end = cmdline + len, *word = cmdline;

	if (len == 0 || end[-1] != '\0' || strcmp(base_name(cmdline), "conmon") != 0)
		return false;
	for (word += strlen(word) + 1; word < end; word += strlen(word) + 1) {
		const char *next = word + strlen(word) + 1;
		const char *value = value_of(word, next < end ? next : NULL);

		if (value == NULL)
			continue;
		return value[0] != '\0' && snprintf(name, RUNTIME_CALLER_NAME_MAX, "%s", value) <
						   RUNTIME_CALLER_NAME_MAX;
	}
	return false;
}

bool runtime_caller_name(char *name)
{
	cleanup_free char *cmdline = NULL;
	char path[32];
	size_t len;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)getppid());
	return whole_file_read(path, CMDLINE_MAX, &cmdline, &len) == 0 &&
	       runtime_caller_parse(cmdline, len, name);
}
