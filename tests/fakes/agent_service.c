/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The agent without a machine around it: agent_service DIRECTORY runs its core as a service, with
 * the unix sockets DIRECTORY/agent and DIRECTORY/forward, and in front of them what a VM has,
 * DIRECTORY/vsock, where CONNECT 1024 or 1025 is answered. Ends with its standard input.
 */

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "guest-agent/agent.h"
#include "lib/unix_socket.h"

#define PIECE (256 << 10)

static void die(const char *what)
{
	fprintf(stderr, "agent_service: %s\n", what);
	exit(1);
}

/* --- the front: a process for each connection, and two for its directions -------------------- */

static void copy(int from, int to)
{
	static char bytes[PIECE];
	ssize_t len;

	while ((len = read(from, bytes, sizeof(bytes))) > 0) {
		for (ssize_t at = 0; at < len;) {
			ssize_t n = write(to, bytes + at, (size_t)(len - at));

			if (n <= 0)
				goto out;
			at += n;
		}
	}
out:
	shutdown(to, SHUT_WR);
	shutdown(from, SHUT_RD);
}

static void block(int fd)
{
	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
}

static void relay(int client, const char *directory)
{
	char line[32] = "", path[200];
	size_t len = 0;
	int agent;

	while (len < sizeof(line) - 1 && strchr(line, '\n') == NULL) {
		if (read(client, line + len, 1) != 1)
			return;
		len++;
	}
	snprintf(path, sizeof(path), "%s/%s", directory,
		strcmp(line, "CONNECT 1024\n") == 0 ? "agent" : "forward");
	agent = unix_connect(path, NULL);
	if (agent < 0 || write(client, "OK 1\n", 5) != 5)
		return;
	block(agent);
	if (fork() == 0) {
		copy(client, agent);
		_exit(0);
	}
	copy(agent, client);
	(void)wait(NULL);
}

static void serve(int listener, const char *directory)
{
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int client = accept(listener, NULL, NULL);

		if (client < 0)
			continue;
		if (fork() == 0) {
			signal(SIGCHLD, SIG_DFL);
			relay(client, directory);
			_exit(0);
		}
		close(client);
	}
}

static void start_front(const char *directory)
{
	char path[200];
	int listener;

	snprintf(path, sizeof(path), "%s/vsock", directory);
	listener = unix_listen(path, 0600, NULL);
	if (listener < 0)
		die("cannot listen");
	block(listener);
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGPIPE, SIG_IGN);
		serve(listener, directory);
	}
	close(listener);
}

static void on_input(evutil_socket_t fd, short what, void *loop)
{
	event_base_loopbreak(loop);
}

int main(int argc, char **argv)
{
	static char *const argv_of_workload[] = { (char *)"sleep", (char *)"1000000", NULL };
	static char *const env[] = { (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	const struct process_spec spec = { 0 };
	struct agent_plan plan = { .root = "/", .socket_dir = argc > 1 ? argv[1] : "" };
	struct event_base *loop;
	struct event *input;
	struct err err = { "" };
	struct agent *agent;

	if (argc != 2)
		die("usage: agent_service DIRECTORY");
	start_front(argv[1]);
	loop = event_base_new();
	if (agent_create(loop, &plan, &agent, &err) < 0)
		die(err.text);
	if (agent_start_workload(agent, &spec, argv_of_workload, env, &err) < 0)
		die(err.text);
	input = event_new(loop, STDIN_FILENO, EV_READ, on_input, loop);
	event_add(input, NULL);
	event_base_dispatch(loop);
	agent_free(agent);
	event_free(input);
	event_base_free(loop);
	return 0;
}
