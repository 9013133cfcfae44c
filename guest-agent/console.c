/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest-agent/console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define PREFIX "sluice-agent: "

/* A descriptor above the three. */
static int open_high(const char *path, int flags)
{
	int low = open(path, flags | O_NOCTTY | O_CLOEXEC);
	int high = low >= 0 ? fcntl(low, F_DUPFD_CLOEXEC, 3) : -1;

	if (low >= 0)
		close(low);
	return high;
}

static int replace(int fd, const char *path, int flags)
{
	int from = open_high(path, flags);
	int ret = from < 0 || dup2(from, fd) < 0 ? -errno : 0;

	if (from >= 0)
		close(from);
	return ret;
}

int console_open(struct err *err)
{
	static const char *const paths[] = { "/dev/console", "/dev/kmsg", "/dev/null" };
	int ret = replace(STDIN_FILENO, "/dev/null", O_RDONLY);
	size_t i = 0;

	if (ret < 0)
		return err_errno(err, -ret, "cannot open /dev/null");
	do {
		ret = replace(STDERR_FILENO, paths[i], O_WRONLY | O_NONBLOCK);
	} while (ret < 0 && ++i < sizeof(paths) / sizeof(paths[0]));
	if (ret == 0 && dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		ret = -errno;
	return ret < 0 ? err_errno(err, -ret, "cannot open a console") : 0;
}

void console_say(const char *fmt, ...)
{
	char text[ERR_TEXT_MAX + sizeof(PREFIX)];
	struct err line;
	va_list args;
	int len;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	err_set(&line, 0, "%s", text);
	len = snprintf(text, sizeof(text), PREFIX "%s\n", line.text);
	if (write(STDERR_FILENO, text, (size_t)len) < 0)
		return; /* nobody can be told */
}
