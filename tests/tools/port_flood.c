/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a guest does with ports, and can do to those who share them with it.
 *
 *   port_flood echo PORT       sends back what comes, to each client and to its end
 *   port_flood ask N PORT      N connections to the host, one after the other, that ask for this
 *                              port, wait for the answer and end
 *   port_flood hold N PORT     N at once, which say half of what is to be said, until it is killed
 *   port_flood listen N TIMES  listens on N ports from 20000 on, and gives them up, so many times
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "lib/agent_wire.h"
#include "tests/tools/endpoint.h"

#define FIRST_PORT 20000
#define PORTS_MAX  8192

static int connect_host(void)
{
	const struct sockaddr_vm host = {
		.svm_family = AF_VSOCK,
		.svm_cid = VMADDR_CID_HOST,
		.svm_port = AGENT_SHARED_PORT,
	};
	int fd = socket(AF_VSOCK, SOCK_STREAM, 0);

	if (fd >= 0 && connect(fd, (const struct sockaddr *)&host, sizeof(host)) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static void ask(int n, const char *port)
{
	int n_connected = 0;
	char line[16], byte;
	size_t len = (size_t)snprintf(line, sizeof(line), "%s\n", port);

	for (int i = 0; i < n; i++) {
		int fd = connect_host();

		if (fd < 0)
			continue;
		n_connected++;
		if (send(fd, line, len, MSG_NOSIGNAL) == (ssize_t)len)
			(void)!recv(fd, &byte, 1, 0);
		close(fd);
	}
	printf("connected %d\n", n_connected);
}

static void hold(int n, const char *port)
{
	int n_connected = 0;

	for (int i = 0; i < n; i++) {
		int fd = connect_host();

		if (fd >= 0 && send(fd, port, 1, MSG_NOSIGNAL) == 1)
			n_connected++;
	}
	printf("holding %d\n", n_connected);
	fflush(stdout);
	pause();
}

static int listen_at(int port)
{
	const struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port) };
	int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		fail("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 256) < 0)
		fail("listen");
	return fd;
}

static void listen_often(int n, int times)
{
	static int fds[PORTS_MAX];

	for (; times > 0; times--) {
		for (int i = 0; i < n; i++)
			fds[i] = listen_at(FIRST_PORT + i);
		/* As long as the agent needs to see it. */
		usleep(300000);
		for (int i = 0; i < n; i++)
			close(fds[i]);
		usleep(300000);
	}
	printf("listened\n");
}

/* Of a client: what comes is sent back before more is read. False: it has ended. */
static bool echo_some(int fd)
{
	static char bytes[65536];
	ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

	for (ssize_t at = 0, sent; at < n; at += sent) {
		sent = send(fd, bytes + at, (size_t)(n - at), MSG_NOSIGNAL);
		if (sent < 0)
			return false;
	}
	return n > 0;
}

static void echo(const char *port)
{
	static struct pollfd fds[1024];
	nfds_t n = 1;

	fds[0] = (struct pollfd) { .fd = listen_at(atoi(port)), .events = POLLIN };
	while (poll(fds, n, -1) >= 0) {
		if ((fds[0].revents & POLLIN) && n < 1024)
			fds[n++] = (struct pollfd) { .fd = accept(fds[0].fd, NULL, NULL),
				.events = POLLIN };
		for (nfds_t i = n - 1; i > 0; i--)
			if (fds[i].revents != 0 && !echo_some(fds[i].fd)) {
				close(fds[i].fd);
				fds[i] = fds[--n];
			}
	}
	fail("poll");
}

int main(int argc, char **argv)
{
	const struct rlimit many = { 16384, 16384 };
	int n = argc == 4 ? atoi(argv[2]) : 0;

	if (argc == 3 && strcmp(argv[1], "echo") == 0)
		echo(argv[2]);
	if (n < 1 || n > 1000000)
		return 2;
	(void)setrlimit(RLIMIT_NOFILE, &many);
	if (strcmp(argv[1], "ask") == 0)
		ask(n, argv[3]);
	else if (strcmp(argv[1], "hold") == 0)
		hold(n, argv[3]);
	else if (strcmp(argv[1], "listen") == 0 && n <= PORTS_MAX)
		listen_often(n, atoi(argv[3]));
	else
		return 2;
	return 0;
}
