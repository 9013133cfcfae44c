/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/run/console.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/event.h>

#include "lib/cleanup.h"

#define PIECE    16384
#define TAIL_MAX 65536 /* bytes that are looked at for the last lines */

struct console {
	char path[PATH_MAX], old_path[PATH_MAX + 4];
	int reader, writer, file;
	size_t len, limit; /* of one of the files */
	struct event *readable;
};

static int open_file(struct console *c)
{
	c->len = 0;
	c->file = open(
		c->path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	return c->file < 0 ? -errno : 0;
}

/* What cannot be kept (a full disk) is lost: the guest does not wait for it. */
static void keep(struct console *c, const char *data, size_t len)
{
	if (c->len + len > c->limit && c->file >= 0) {
		close(c->file);
		(void)rename(c->path, c->old_path);
		(void)open_file(c);
	}
	c->len += len;
	while (c->file >= 0 && len > 0) {
		ssize_t n = write(c->file, data, len);

		if (n <= 0)
			return;
		data += n;
		len -= (size_t)n;
	}
}

/* False: there is no more for now, or for ever. */
static bool take_piece(struct console *c)
{
	char data[PIECE];
	ssize_t n = read(c->reader, data, sizeof(data));

	if (n > 0)
		keep(c, data, (size_t)n);
	else if (n == 0)
		event_del(c->readable);
	return n > 0;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)take_piece(arg);
}

void console_drain(struct console *console)
{
	while (take_piece(console))
		;
}

static int open_all(struct console *c, struct event_base *loop, struct err *err)
{
	int ends[2], ret;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_errno(err, errno, "cannot make a pipe");
	c->reader = ends[0];
	c->writer = ends[1];
	(void)fcntl(c->reader, F_SETFL, O_NONBLOCK);
	(void)unlink(c->old_path);
	ret = open_file(c);
	if (ret < 0)
		return err_errno(err, -ret, "%s", c->path);
	c->readable = event_new(loop, c->reader, EV_READ | EV_PERSIST, on_readable, c);
	if (c->readable == NULL || event_add(c->readable, NULL) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

int console_open(struct event_base *loop, const char *path, size_t limit, struct console **out,
	struct err *err)
{
	struct console *c = calloc(1, sizeof(*c));
	int ret;

	if (c == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	*c = (struct console) { .reader = -1, .writer = -1, .file = -1, .limit = limit / 2 };
	snprintf(c->path, sizeof(c->path), "%s", path);
	snprintf(c->old_path, sizeof(c->old_path), "%s.old", path);
	ret = open_all(c, loop, err);
	if (ret < 0) {
		console_free(c);
		return err_wrap(err, ret, "cannot keep the guest's console");
	}
	*out = c;
	return 0;
}

int console_writer(const struct console *console)
{
	return console->writer;
}

void console_close_writer(struct console *console)
{
	if (console->writer >= 0)
		close(console->writer);
	console->writer = -1;
}

void console_free(struct console *console)
{
	if (console == NULL)
		return;
	if (console->readable != NULL)
		event_free(console->readable);
	console_close_writer(console);
	if (console->reader >= 0)
		close(console->reader);
	if (console->file >= 0)
		close(console->file);
	free(console);
}

/* --- its last words -------------------------------------------------------------------------- */

/* The last bytes of a file, at most `max`, into `out`: how many. */
static size_t read_end(const char *path, char *out, size_t max)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	off_t from;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return 0;
	from = st.st_size > (off_t)max ? st.st_size - (off_t)max : 0;
	n = pread(fd, out, max, from);
	return n > 0 ? (size_t)n : 0;
}

static void print_line(const char *lead, const char *line, size_t len, FILE *out)
{
	fputs(lead, out);
	for (size_t i = 0; i < len; i++)
		if (line[i] != '\r')
			fputc((line[i] >= ' ' && line[i] <= '~') || line[i] == '\t' ? line[i] : '?',
				out);
	fputc('\n', out);
}

/* Where the last `n_lines` lines of the text begin. */
static size_t find_lines(const char *text, size_t len, unsigned n_lines)
{
	size_t at = len > 0 && text[len - 1] == '\n' ? len - 1 : len;

	while (at > 0 && (text[at - 1] != '\n' || --n_lines > 0))
		at--;
	return at;
}

void console_print_tail(const char *path, unsigned n_lines, const char *lead, FILE *out)
{
	cleanup_free char *text = malloc(2 * TAIL_MAX);
	char old_path[PATH_MAX + 4];
	size_t len;

	if (text == NULL)
		return;
	snprintf(old_path, sizeof(old_path), "%s.old", path);
	len = read_end(old_path, text, TAIL_MAX);
	len += read_end(path, text + len, TAIL_MAX);
	for (size_t at = find_lines(text, len, n_lines); at < len;) {
		const char *newline = memchr(text + at, '\n', len - at);
		size_t n = newline != NULL ? (size_t)(newline - text) - at : len - at;

		print_line(lead, text + at, n, out);
		at += n + 1;
	}
}
