/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/exec/exec_env.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/agent_wire.h"
#include "lib/cleanup.h"

static size_t name_len(const char *string)
{
	/* A name may begin with '=', says the C library. */
	return *string != '\0' ? 1 + strcspn(string + 1, "=") : 0;
}

static bool same_name(const char *a, const char *b)
{
	size_t len = name_len(a);

	return len == name_len(b) && memcmp(a, b, len) == 0;
}

static bool is_in(char *const *layer, size_t n, const char *string)
{
	for (size_t i = 0; i < n; i++) {
		if (same_name(layer[i], string))
			return true;
	}
	return false;
}

int exec_env_add(struct exec_env *env, char *const *layer, size_t n)
{
	char **strings = realloc(env->strings, (env->n + n + 1) * sizeof(*strings));
	size_t kept = 0;

	if (strings == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < env->n; i++) {
		if (!is_in(layer, n, strings[i]))
			strings[kept++] = strings[i];
	}
	for (size_t i = 0; i < n; i++)
		strings[kept++] = layer[i];
	strings[kept] = NULL;
	*env = (struct exec_env) { .strings = strings, .n = kept };
	return 0;
}

/* At most `room` bytes; how many. */
static ssize_t read_all(int fd, char *bytes, size_t room)
{
	size_t len = 0;

	while (len < room) {
		ssize_t n = read(fd, bytes + len, room - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

static int read_file(const char *path, char **bytes, size_t *len, struct err *err)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	cleanup_free char *room = malloc(AGENT_WIRE_STRINGS_MAX + 2);
	ssize_t n;

	if (fd < 0)
		return err_errno(err, errno, "cannot open %s", path);
	if (room == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	n = read_all(fd, room, AGENT_WIRE_STRINGS_MAX + 1);
	if (n < 0)
		return err_errno(err, (int)-n, "cannot read %s", path);
	if (n > (ssize_t)AGENT_WIRE_STRINGS_MAX)
		return err_set(err, -E2BIG, "%s: an environment has at most %u bytes", path,
			AGENT_WIRE_STRINGS_MAX);
	if (n > 0 && room[n - 1] != '\0')
		room[n++] = '\0';
	*bytes = steal_ptr(&room);
	*len = (size_t)n;
	return 0;
}

int exec_env_read(const char *path, char **bytes, char ***strings, size_t *n, struct err *err)
{
	size_t len = 0, count = 0;
	int ret = read_file(path, bytes, &len, err);
	char **list;

	if (ret < 0)
		return ret;
	for (size_t i = 0; i < len; i++)
		count += (*bytes)[i] == '\0';
	list = malloc((count + 1) * sizeof(*list));
	if (list == NULL) {
		free(steal_ptr(bytes));
		return err_set(err, -ENOMEM, "out of memory");
	}
	count = 0;
	for (char *at = *bytes; at < *bytes + len; at += strlen(at) + 1) {
		if (*at != '\0')
			list[count++] = at;
	}
	*strings = list;
	*n = count;
	return 0;
}
