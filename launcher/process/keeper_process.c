/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Theory of operation. This runs in a process that was forked from one with a C library in unknown
 * state, and has to work when that one is killed at any instruction: fixed tables, no allocation,
 * no stdio, only async-signal-safe calls. It blocks all signals: it ends when its socket does.
 *
 * Whom it kills. A process group outlives its leader: UML's helpers go on when the kernel process
 * was killed (by its parent-death signal, as it happens when sluice-vm is). So the group has to be
 * signalled when its leader may be gone, and its number must not be somebody else's by then:
 *
 *  - sluice-vm drops a group here before it waits for the leader. While sluice-vm lives, the leader
 *    of a group in the table is alive or a zombie, and holds the number.
 *  - After sluice-vm's end the leader is killed and reaped by init, at any time. The kernel does
 *    not give a number away while it names a group that has members. So the number is either
 *    still our group's, or our group is empty and there is nothing to kill.
 *  - To tell the two apart: a pidfd refers to the kernel's object, not to the number. From Linux
 *    6.9 on a signal can be sent to the group that this object names
 *    (PIDFD_SIGNAL_PROCESS_GROUP), and no other can be hit. Before, by the number, and only if the
 *    leader still is who it was (signal 0 by its pidfd), or if no process has the number: for it to
 *    name another group, a process must have had it since.
 *
 * One killpg() is enough: a process that forks with a fatal signal pending gets ERESTARTNOINTR
 * instead of a child, so none slips through.
 *
 * The paths go last, when the leaders are gone: whoever is being killed may be in the middle of
 * creating a file. A directory that something new appeared in meanwhile is tried again.
 */

#include "launcher/process/keeper_process.h"

#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdbool.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "launcher/process/forked.h"
#include "launcher/process/keeper.h"
#include "launcher/process/remove_link.h"
#include "launcher/process/remove_tree.h"
#include "lib/unix_socket.h"

#ifndef PIDFD_SIGNAL_PROCESS_GROUP
#define PIDFD_SIGNAL_PROCESS_GROUP (1U << 2) /* linux/pidfd.h from 6.9 on */
#endif

#define END_WAIT_MS                                                                                \
	5000 /* for each leader to be gone; a process in uninterruptible sleep stays               \
	      */
#define REMOVE_TRIES    50
#define REMOVE_WAIT_MS  20
#define REQUEST_WAIT_MS 2000

struct group {
	pid_t leader; /* 0: free */
	int pidfd;
};

static struct group groups[KEEPER_GROUPS_MAX];
static char paths[KEEPER_PATHS_MAX][PATH_MAX];
static size_t n_paths;
static char requests[KEEPER_REQUESTS_MAX][PATH_MAX];
static size_t n_requests;
static char links[KEEPER_LINKS_MAX][IF_NAMESIZE];
static size_t n_links;

static struct group *find_group(pid_t leader)
{
	for (size_t i = 0; i < KEEPER_GROUPS_MAX; i++)
		if (groups[i].leader == leader)
			return &groups[i];
	return NULL;
}

static void add_group(pid_t leader, int pidfd)
{
	struct group *group = find_group(0);

	if (group == NULL || leader <= 1) {
		close(pidfd);
		return;
	}
	group->leader = leader;
	group->pidfd = pidfd;
}

static void drop_group(pid_t leader)
{
	struct group *group = find_group(leader);

	if (leader == 0 || group == NULL)
		return;
	close(group->pidfd);
	group->leader = 0;
}

static void add_path(const char *path, size_t len)
{
	if (n_paths < KEEPER_PATHS_MAX && len > 1 && path[0] == '/' && path[len - 1] == '\0')
		memcpy(paths[n_paths++], path, len);
}

/* Two strings, one behind the other. */
static void add_request(const char *both, size_t len)
{
	size_t path_len = strnlen(both, len);

	if (n_requests < KEEPER_REQUESTS_MAX && path_len > 0 && path_len + 1 < len &&
		both[len - 1] == '\0')
		memcpy(requests[n_requests++], both, len);
}

static void add_link(const char *name, size_t len)
{
	if (n_links < KEEPER_LINKS_MAX && len > 1 && len <= IF_NAMESIZE && name[len - 1] == '\0')
		memcpy(links[n_links++], name, len);
}

static void kill_group(const struct group *group)
{
	if (pidfd_send_signal(group->pidfd, SIGKILL, NULL, PIDFD_SIGNAL_PROCESS_GROUP) == 0)
		return;
	if (errno != EINVAL)
		return;
	if (pidfd_send_signal(group->pidfd, 0, NULL, 0) == 0 ||
		(kill(group->leader, 0) < 0 && errno == ESRCH))
		kill(-group->leader, SIGKILL);
}

static void kill_groups(void)
{
	for (size_t i = 0; i < KEEPER_GROUPS_MAX; i++)
		if (groups[i].leader != 0)
			kill_group(&groups[i]);
	for (size_t i = 0; i < KEEPER_GROUPS_MAX; i++) {
		struct pollfd ended = { .fd = groups[i].pidfd, .events = POLLIN };

		if (groups[i].leader != 0)
			poll(&ended, 1, END_WAIT_MS);
	}
}

/* Waits for the answer: who answers has done it. */
static void send_request(const char *request)
{
	const struct timeval patience = { .tv_sec = REQUEST_WAIT_MS / 1000 };
	const char *line = request + strlen(request) + 1;
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct pollfd answered = { .events = POLLIN };

	if (strlen(request) >= sizeof(addr.sun_path))
		return;
	memcpy(addr.sun_path, request, strlen(request) + 1);
	answered.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* A switch that is stuck takes no connections after some. */
	setsockopt(answered.fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(answered.fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 &&
		send(answered.fd, line, strlen(line), MSG_NOSIGNAL) > 0)
		poll(&answered, 1, REQUEST_WAIT_MS);
	close(answered.fd);
}

static void send_requests(void)
{
	for (size_t i = 0; i < n_requests; i++)
		send_request(requests[i]);
}

static void remove_paths(void)
{
	for (size_t i = 0; i < n_paths; i++)
		for (int n = 0; n < REMOVE_TRIES && remove_tree(paths[i]) == -ENOTEMPTY; n++)
			poll(NULL, 0, REMOVE_WAIT_MS);
}

static void remove_links(void)
{
	for (size_t i = 0; i < n_links; i++)
		remove_link(links[i]);
}

/* false: the last one. */
static bool receive(int sock)
{
	static struct keeper_message message;
	size_t n_fds = 1;
	int fd = -1;
	ssize_t len = unix_recv_fds(sock, &message, sizeof(message), &fd, &n_fds);

	if (len < (ssize_t)offsetof(struct keeper_message, path)) {
		kill_groups();
		send_requests();
		remove_links();
		remove_paths();
		return false;
	}
	switch (message.op) {
	case KEEPER_ADD_GROUP:
		if (n_fds == 1)
			add_group(message.leader, fd);
		return true;
	case KEEPER_DROP_GROUP:
		drop_group(message.leader);
		return true;
	case KEEPER_ADD_PATH:
		add_path(message.path, len - offsetof(struct keeper_message, path));
		return true;
	case KEEPER_ADD_REQUEST:
		add_request(message.path, len - offsetof(struct keeper_message, path));
		return true;
	case KEEPER_ADD_LINK:
		add_link(message.path, len - offsetof(struct keeper_message, path));
		return true;
	case KEEPER_HOLD:
		return true;
	case KEEPER_FORGET:
		break;
	}
	return false;
}

void keeper_process_run(int sock)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	prctl(PR_SET_NAME, "sluice-keeper");
	/* Not even a directory is kept from being unmounted. */
	if (chdir("/") < 0 || (sock != 0 && dup2(sock, 0) < 0) || close_range(1, ~0U, 0) < 0)
		forked_end(1);
	while (receive(0))
		;
	forked_end(0);
}
