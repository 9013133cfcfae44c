/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/process/keeper.h"

#include <errno.h>
#include <net/if.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "launcher/process/keeper_process.h"
#include "lib/cleanup.h"
#include "lib/unix_socket.h"

struct keeper {
	int sock;
	pid_t pid;
	int pidfd; /* it may have been killed, and waited for as any orphan is (orphans.h) */
	/* What fits into its tables is known here: it does not answer. */
	pid_t groups[KEEPER_GROUPS_MAX]; /* 0: free */
	size_t n_paths, n_requests, n_links, n_holds;
};

int keeper_start(struct keeper **out, struct err *err)
{
	cleanup_free struct keeper *keeper = calloc(1, sizeof(*keeper));
	cleanup_close int ours = -1;
	cleanup_close int its = -1;
	int pair[2];
	pid_t pid;

	if (keeper == NULL)
		return err_errno(err, ENOMEM, "cannot start the keeper");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(err, errno, "cannot start the keeper");
	ours = pair[0];
	its = pair[1];
	pid = fork();
	if (pid < 0)
		return err_errno(err, errno, "cannot start the keeper");
	if (pid == 0)
		keeper_process_run(its);
	keeper->pid = pid;
	keeper->pidfd = pidfd_open(pid, 0);
	keeper->sock = steal_fd(&ours);
	*out = steal_ptr(&keeper);
	return 0;
}

/* With `used` bytes of the message's path. */
static int tell(struct keeper *keeper, const struct keeper_message *message, size_t used, int pidfd)
{
	size_t len = offsetof(struct keeper_message, path) + used;
	ssize_t sent = unix_send_fds(keeper->sock, message, len, &pidfd, pidfd >= 0 ? 1 : 0);

	return sent < 0 ? (int)sent : 0;
}

static pid_t *find_group(struct keeper *keeper, pid_t leader)
{
	for (size_t i = 0; i < KEEPER_GROUPS_MAX; i++)
		if (keeper->groups[i] == leader)
			return &keeper->groups[i];
	return NULL;
}

int keeper_add_group(struct keeper *keeper, pid_t leader)
{
	struct keeper_message message = { .op = KEEPER_ADD_GROUP, .leader = leader };
	pid_t *slot = find_group(keeper, 0);
	cleanup_close int pidfd = -1;
	int ret;

	if (slot == NULL)
		return -ENOSPC;
	pidfd = pidfd_open(leader, 0);
	if (pidfd < 0)
		return -errno;
	ret = tell(keeper, &message, 0, pidfd);
	if (ret == 0)
		*slot = leader;
	return ret;
}

void keeper_drop_group(struct keeper *keeper, pid_t leader)
{
	struct keeper_message message = { .op = KEEPER_DROP_GROUP, .leader = leader };
	pid_t *slot = find_group(keeper, leader);

	if (slot == NULL)
		return;
	*slot = 0;
	tell(keeper, &message, 0, -1);
}

int keeper_add_path(struct keeper *keeper, const char *path, struct err *err)
{
	struct keeper_message message = { .op = KEEPER_ADD_PATH };
	int ret = -EINVAL;

	if (path[0] == '/' && strlen(path) < sizeof(message.path)) {
		strcpy(message.path, path);
		ret = keeper->n_paths < KEEPER_PATHS_MAX
			      ? tell(keeper, &message, strlen(path) + 1, -1)
			      : -ENOSPC;
	}
	if (ret < 0)
		return err_errno(err, -ret, "cannot tell the keeper of %s", path);
	keeper->n_paths++;
	return 0;
}

int keeper_add_request(struct keeper *keeper, const char *socket, const char *line, struct err *err)
{
	struct keeper_message message = { .op = KEEPER_ADD_REQUEST };
	size_t path_size = strlen(socket) + 1, used = path_size + strlen(line) + 1;
	int ret = -EINVAL;

	if (used <= sizeof(message.path)) {
		memcpy(message.path, socket, path_size);
		memcpy(message.path + path_size, line, used - path_size);
		ret = keeper->n_requests < KEEPER_REQUESTS_MAX ? tell(keeper, &message, used, -1)
							       : -ENOSPC;
	}
	if (ret < 0)
		return err_errno(err, -ret, "cannot tell the keeper of %s", socket);
	keeper->n_requests++;
	return 0;
}

int keeper_add_link(struct keeper *keeper, const char *name, struct err *err)
{
	struct keeper_message message = { .op = KEEPER_ADD_LINK };
	int ret = -EINVAL;

	if (strlen(name) < IF_NAMESIZE) {
		strcpy(message.path, name);
		ret = keeper->n_links < KEEPER_LINKS_MAX
			      ? tell(keeper, &message, strlen(name) + 1, -1)
			      : -ENOSPC;
	}
	if (ret < 0)
		return err_errno(err, -ret, "cannot tell the keeper of %s", name);
	keeper->n_links++;
	return 0;
}

int keeper_hold(struct keeper *keeper, int fd, struct err *err)
{
	const struct keeper_message message = { .op = KEEPER_HOLD };
	int ret = keeper->n_holds < KEEPER_HOLDS_MAX ? tell(keeper, &message, 0, fd) : -ENOSPC;

	if (ret < 0)
		return err_errno(err, -ret, "cannot tell the keeper of a lock");
	keeper->n_holds++;
	return 0;
}

void keeper_end(struct keeper *keeper)
{
	const struct keeper_message message = { .op = KEEPER_FORGET };

	if (keeper == NULL)
		return;
	if (tell(keeper, &message, 0, -1) < 0 && keeper->pidfd >= 0)
		(void)pidfd_send_signal(keeper->pidfd, SIGKILL, NULL, 0);
	close(keeper->sock);
	if (keeper->pidfd >= 0)
		close(keeper->pidfd);
	while (waitpid(keeper->pid, NULL, 0) < 0 && errno == EINTR)
		;
	free(keeper);
}
