/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest-agent/mount_list.h"

#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/whole_file.h"

#define LIST_SIZE_MAX (64U << 20)

#define POINT_FIELD 5 /* of a line: ID, parent, device, root, mount point */

static int octal_digit(char c)
{
	return c >= '0' && c <= '7' ? c - '0' : -1;
}

/* Space, tab, newline and backslash are \040 and so on. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *at = text; *at != '\0'; to++) {
		int a = -1, b = -1, c = -1;

		if (at[0] == '\\' && (a = octal_digit(at[1])) >= 0 && (b = octal_digit(at[2])) >= 0)
			c = octal_digit(at[3]);
		*to = c >= 0 ? (char)(a << 6 | b << 3 | c) : *at;
		at += c >= 0 ? 4 : 1;
	}
	*to = '\0';
}

char *mount_list_point(char *line)
{
	char *rest = line, *field = NULL;

	for (int i = 0; i < POINT_FIELD; i++)
		field = strsep(&rest, " ");
	if (field == NULL || rest == NULL || field[0] != '/')
		return NULL;
	unescape(field);
	return field;
}

int mount_list_each_last_first(void (*visit)(void *context, const char *path), void *context)
{
	cleanup_free char *text = NULL;
	size_t len;
	int ret = whole_file_read("/proc/self/mountinfo", LIST_SIZE_MAX, &text, &len);

	if (ret < 0)
		return ret;
	while (len > 0) {
		char *newline, *point;

		text[len - (text[len - 1] == '\n')] = '\0';
		newline = strrchr(text, '\n');
		point = mount_list_point(newline != NULL ? newline + 1 : text);
		if (point != NULL && strcmp(point, "/") != 0 && strcmp(point, "/proc") != 0)
			visit(context, point);
		len = newline != NULL ? (size_t)(newline - text) + 1 : 0;
	}
	return 0;
}
