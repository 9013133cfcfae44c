/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/process/service.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/event.h>

#include "launcher/process/environment.h"
#include "launcher/process/loop.h"
#include "lib/cleanup.h"

#define MESSAGE_MAX 512

static void close_notify(struct service *s)
{
	if (s->notified != NULL)
		event_free(s->notified);
	if (s->notify >= 0)
		close(s->notify);
	s->notified = NULL;
	s->notify = -1;
}

/* One of the message's lines is READY=1. */
static bool says_ready(char *message)
{
	for (char *line = strtok(message, "\n"); line != NULL; line = strtok(NULL, "\n"))
		if (strcmp(line, "READY=1") == 0)
			return true;
	return false;
}

static void on_notified(evutil_socket_t fd, short what, void *arg)
{
	struct service *s = arg;
	char message[MESSAGE_MAX + 1];
	ssize_t n = recv(fd, message, MESSAGE_MAX, MSG_DONTWAIT);

	if (n <= 0)
		return;
	message[n] = '\0';
	s->ready = s->ready || says_ready(message);
}

static int open_notify(
	struct event_base *loop, struct service *s, const char *path, struct err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(addr.sun_path))
		return err_set(err, -ENAMETOOLONG, "socket path \"%s\" is too long", path);
	strcpy(addr.sun_path, path);
	(void)unlink(path);
	s->notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->notify < 0 || bind(s->notify, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return err_errno(err, errno, "%s", path);
	s->notified = event_new(loop, s->notify, EV_READ | EV_PERSIST, on_notified, s);
	if (s->notified == NULL || event_add(s->notified, NULL) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

static void on_ended(void *owner, struct child *child, int status)
{
	struct service *s = owner;
	char how[64];

	child_kill(child);
	s->child = NULL;
	s->ready = false;
	close_notify(s);
	s->ended(s->owner, child_describe_status(status, how));
}

static int start_child(struct event_base *loop, struct keeper *keeper,
	const struct service_plan *plan, struct service *s, struct err *err)
{
	char notify[sizeof("NOTIFY_SOCKET=") + 108];
	cleanup_free char **env = NULL;
	struct child_plan child = { .name = plan->name,
		.program = plan->argv[0],
		.argv = plan->argv,
		.in = -1,
		.keeper = keeper,
		.capabilities = plan->capabilities,
		.out = plan->log,
		.err = plan->log,
		.ended = on_ended,
		.owner = s };

	snprintf(notify, sizeof(notify), "NOTIFY_SOCKET=%s", plan->notify_path);
	env = environment_with(notify);
	if (env == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	child.env = env;
	return child_start(loop, &child, &s->child, err);
}

int service_start(struct event_base *loop, struct keeper *keeper, const struct service_plan *plan,
	struct service *service, struct err *err)
{
	int ret;

	*service = (struct service) { .notify = -1, .ended = plan->ended, .owner = plan->owner };
	ret = open_notify(loop, service, plan->notify_path, err);
	if (ret == 0)
		ret = start_child(loop, keeper, plan, service, err);
	if (ret < 0) {
		close_notify(service);
		return err_wrap(err, ret, "cannot start %s", plan->name);
	}
	return 0;
}

static void ignore_end(void *owner, const char *how)
{
}

static bool has_ended(const void *arg)
{
	const struct service *s = arg;

	return s->child == NULL;
}

void service_stop(struct event_base *loop, struct service *service, unsigned grace_ms)
{
	if (service->child == NULL)
		return;
	service->ended = ignore_end;
	(void)child_signal(service->child, SIGTERM);
	(void)loop_until(loop, grace_ms, has_ended, service);
	if (service->child != NULL) {
		child_kill(service->child);
		service->child = NULL;
	}
	close_notify(service);
}
