/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/storage/virtiofs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include <event2/event.h>

#include "launcher/storage/fs_relay.h"
#include "lib/cleanup.h"
#include "lib/unix_socket.h"

/* How long the other may take to end after one has ended of its hanging up. */
#define LAST_WORDS_MS 1000

struct virtiofs {
	struct child *virtiofsd, *relay;
	struct event *last_words; /* NULL until one has ended of the other's hanging up */
	char what[128];           /* who ended, and how */
	struct event_base *loop;
	char *socket;
	void (*ended)(void *owner, const char *what);
	void *owner;
};

/* To the owner, once. The other follows, and is not worth a word. It may free fs. */
static void tell(struct virtiofs *fs, const char *what)
{
	void (*ended)(void *, const char *) = fs->ended;

	fs->ended = NULL;
	if (ended != NULL)
		ended(fs->owner, what);
}

static void on_no_last_words(evutil_socket_t fd, short event, void *arg)
{
	struct virtiofs *fs = arg;

	tell(fs, fs->what);
}

static bool exited(int status, int code)
{
	return WIFEXITED(status) && WEXITSTATUS(status) == code;
}

/* Of the two, one ends of itself and the other because that one has hung up. Which of the ends is
 * seen first is chance: a process closes its sockets before it is a dead one. */
static bool follows(const struct virtiofs *fs, const struct child *child, int status)
{
	return child == fs->relay ? exited(status, FS_RELAY_EXIT_BACK)
				  : fs->relay != NULL && exited(status, 0);
}

/* Whoever has hung up will have ended in a moment, and says why. */
static bool await_other(struct virtiofs *fs)
{
	const struct timeval patience = { .tv_sec = LAST_WORDS_MS / 1000,
		.tv_usec = LAST_WORDS_MS % 1000 * 1000 };

	fs->last_words = evtimer_new(fs->loop, on_no_last_words, fs);
	return fs->last_words != NULL && event_add(fs->last_words, &patience) == 0;
}

/* The relay knows only that virtiofsd has hung up: not worth saying when more is known. */
static void describe(struct virtiofs *fs, const struct child *child, int status)
{
	char how[64];

	if (child == fs->virtiofsd || !follows(fs, child, status))
		snprintf(fs->what, sizeof(fs->what), "%s: %s", child_name(child),
			child_describe_status(status, how));
	else if (fs->what[0] == '\0')
		snprintf(fs->what, sizeof(fs->what), "virtiofsd: hung up");
}

static void on_ended(void *owner, struct child *child, int status)
{
	struct virtiofs *fs = owner;

	describe(fs, child, status);
	if (fs->last_words != NULL || !follows(fs, child, status) || !await_other(fs))
		tell(fs, fs->what);
}

/* A socket to listen on. Programs that inherit it expect that it blocks. */
static int listen_for(const char *path, struct err *err)
{
	int fd = unix_listen(path, 0600, err);

	if (fd >= 0 && fcntl(fd, F_SETFL, 0) < 0) {
		err_errno(err, errno, "cannot use the socket %s", path);
		close(steal_fd(&fd));
	}
	return fd;
}

static int start_virtiofsd(struct event_base *loop, const struct virtiofs_plan *plan, int listen_fd,
	struct virtiofs *fs, struct err *err)
{
	const struct virtiofsd_plan virtiofsd = {
		.program = plan->virtiofsd,
		.share = plan->share,
		.listen_fd = listen_fd,
		.cache = plan->cache,
		.log = plan->log,
		.keeper = plan->keeper,
		.ended = on_ended,
		.owner = fs,
	};

	return virtiofsd_start(loop, &virtiofsd, &fs->virtiofsd, err);
}

static int start_relay(struct event_base *loop, const struct virtiofs_plan *plan, int listen_fd,
	int back, struct virtiofs *fs, struct err *err)
{
	char listen_word[16], back_word[16];
	char *const argv[] = { (char *)"sluice-fs-relay", listen_word, back_word, (char *)plan->tag,
		NULL };
	const struct child_plan relay = {
		.name = "sluice-fs-relay",
		.program = plan->relay_program,
		.argv = argv,
		.in = -1,
		.out = plan->log,
		.err = plan->log,
		.fds = { listen_fd, back },
		.n_fds = 2,
		.keeper = plan->keeper,
		.ended = on_ended,
		.owner = fs,
	};

	snprintf(listen_word, sizeof(listen_word), "%d", listen_fd);
	snprintf(back_word, sizeof(back_word), "%d", back);
	return child_start(loop, &relay, &fs->relay, err);
}

/* virtiofsd behind the relay: connected before it runs, so that its socket needs no name for longer
 * than this. */
static int start_both(struct event_base *loop, const struct virtiofs_plan *plan, int front,
	struct virtiofs *fs, struct err *err)
{
	cleanup_close int listen_fd = -1, back = -1;
	char path[PATH_MAX];
	int ret;

	if ((size_t)snprintf(path, sizeof(path), "%s.back", plan->socket) >= sizeof(path))
		return err_set(err, -ENAMETOOLONG, "socket path \"%s\" is too long", plan->socket);
	listen_fd = listen_for(path, err);
	if (listen_fd < 0)
		return listen_fd;
	back = unix_connect(path, err);
	unlink(path);
	if (back < 0)
		return back;
	ret = start_virtiofsd(loop, plan, listen_fd, fs, err);
	return ret < 0 ? ret : start_relay(loop, plan, front, back, fs, err);
}

static int start(struct event_base *loop, const struct virtiofs_plan *plan, struct virtiofs *fs,
	struct err *err)
{
	cleanup_close int front = listen_for(plan->socket, err);

	if (front < 0)
		return front;
	fs->socket = strdup(plan->socket);
	if (fs->socket == NULL) {
		unlink(plan->socket);
		return err_set(err, -ENOMEM, "out of memory");
	}
	return plan->relay ? start_both(loop, plan, front, fs, err)
			   : start_virtiofsd(loop, plan, front, fs, err);
}

int virtiofs_start(struct event_base *loop, const struct virtiofs_plan *plan, struct virtiofs **out,
	struct err *err)
{
	struct virtiofs *fs = calloc(1, sizeof(*fs));
	int ret;

	if (fs == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	fs->loop = loop;
	fs->ended = plan->ended;
	fs->owner = plan->owner;
	ret = start(loop, plan, fs, err);
	if (ret < 0)
		virtiofs_stop(fs);
	else
		*out = fs;
	return ret;
}

void virtiofs_stop(struct virtiofs *fs)
{
	if (fs == NULL)
		return;
	fs->ended = NULL;
	child_kill(fs->relay);
	child_kill(fs->virtiofsd);
	if (fs->last_words != NULL)
		event_free(fs->last_words);
	if (fs->socket != NULL)
		unlink(fs->socket);
	free(fs->socket);
	free(fs);
}
