/* SPDX-License-Identifier: BSD-3-Clause */

/* sluice-vm console: what the guest's kernel has said, and goes on to say. */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launcher/cli/verb.h"
#include "launcher/cli/vm_client.h"
#include "lib/cleanup.h"

/* Copies what is there from the file's current position on. */
static int copy(int fd, struct err *err)
{
	char data[16384];
	ssize_t n;

	while ((n = read(fd, data, sizeof(data))) > 0)
		if (write(STDOUT_FILENO, data, (size_t)n) != n)
			return err_errno(err, errno, "cannot write to the standard output");
	return n < 0 ? err_errno(err, errno, "console") : 0;
}

static int open_console(const char *path)
{
	return open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

/* The newer file takes the older one's place when it is full: what was still to come of it first.
 */
static int next_file(const struct vm_client_options *o, int *fd, struct err *err)
{
	struct stat open_one, named;
	int ret = copy(*fd, err);
	int fresh;

	if (ret < 0 || fstat(*fd, &open_one) < 0 || stat(o->paths.console, &named) < 0 ||
		open_one.st_ino == named.st_ino)
		return ret;
	fresh = open_console(o->paths.console);
	if (fresh < 0)
		return 0;
	close(*fd);
	*fd = fresh;
	return copy(*fd, err);
}

/* Waits until something happens in the VM's directory. 0: the file was removed. */
static int await_news(const char *name, int news, struct err *err)
{
	_Alignas(struct inotify_event) char events[4096];
	ssize_t n = read(news, events, sizeof(events));

	if (n < 0)
		return errno == EINTR ? 1 : err_errno(err, errno, "inotify");
	for (char *at = events; at < events + n;) {
		const struct inotify_event *event = (const struct inotify_event *)at;

		if ((event->mask & IN_DELETE) && event->len > 0 && strcmp(event->name, name) == 0)
			return 0;
		at += sizeof(*event) + event->len;
	}
	return 1;
}

/* Until the file is removed, with all that was the VM's; it is renamed when it is full. That the
 * directory goes would not be told: the file that we have open keeps it. */
static int follow(const struct vm_client_options *o, int *fd, int news, struct err *err)
{
	const char *name = strrchr(o->paths.console, '/') + 1;
	int ret;

	do {
		ret = next_file(o, fd, err);
		if (ret == 0)
			ret = await_news(name, news, err);
	} while (ret > 0);
	return ret < 0 ? ret : copy(*fd, err);
}

static int show(const struct vm_client_options *o, struct err *err)
{
	char old_path[VM_PATH_MAX + 4];
	cleanup_close int news = inotify_init1(IN_CLOEXEC);
	cleanup_close int old = -1, fd = -1;
	int ret = 0;

	snprintf(old_path, sizeof(old_path), "%s.old", o->paths.console);
	if (news < 0 || inotify_add_watch(news, o->paths.dir,
				IN_MODIFY | IN_CREATE | IN_MOVED_FROM | IN_DELETE) < 0)
		return err_set(err, -ENOENT, "no VM of the name \"%s\" runs here (%s)", o->name,
			o->paths.dir);
	old = open_console(old_path);
	fd = open_console(o->paths.console);
	if (fd < 0)
		return err_errno(err, errno, "%s", o->paths.console);
	if (old >= 0)
		ret = copy(old, err);
	if (ret == 0)
		ret = copy(fd, err);
	return ret < 0 || !o->follow ? ret : follow(o, &fd, news, err);
}

enum verb_status console_verb(int argc, char **argv, struct err *err)
{
	struct vm_client_options o;

	if (vm_client_parse(argv + 1, VM_CLIENT_FOLLOW, &o, err) < 0)
		return VERB_USAGE;
	if (o.help)
		return VERB_OK;
	return show(&o, err) < 0 ? VERB_FAILED : VERB_OK;
}

void console_verb_man(FILE *out)
{
	vm_client_print_man(VM_CLIENT_FOLLOW, out);
}
