/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest-agent/host_ports.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include <event2/event.h>

#include "guest-agent/agent_forward.h"
#include "lib/agent_wire.h"
#include "lib/cleanup.h"
#include "lib/log.h"

#define BACKLOG  128
#define PAUSE_US 100000

struct host_port {
	struct host_ports *ports;
	struct event *on_connect, *on_pause_over;
	int fd;
	uint16_t number;
};

struct host_ports {
	struct event_base *loop;
	struct forwards *forwards; /* of its own: a workload cannot use up those of the host's */
	size_t n;
	struct host_port port[];
};

static void forward(const struct host_port *port, int fd)
{
	const struct sockaddr_vm host = {
		.svm_family = AF_VSOCK,
		.svm_cid = VMADDR_CID_HOST,
		.svm_port = AGENT_SHARED_PORT,
	};
	char line[AGENT_FORWARD_LINE_MAX];

	snprintf(line, sizeof(line), "%u\n", port->number);
	forwards_lead(
		port->ports->forwards, fd, (const struct sockaddr *)&host, sizeof(host), line);
}

static void on_pause_over(evutil_socket_t fd, short what, void *arg)
{
	struct host_port *port = arg;

	(void)event_add(port->on_connect, NULL);
}

static void on_connect(evutil_socket_t listen_fd, short what, void *arg)
{
	const struct timeval pause = { .tv_usec = PAUSE_US };
	struct host_port *port = arg;
	int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0) {
		forward(port, fd);
	} else if (errno == EMFILE || errno == ENFILE) {
		(void)event_del(port->on_connect);
		(void)event_add(port->on_pause_over, &pause);
	}
}

static int listen_at(const struct sockaddr *address, socklen_t len)
{
	cleanup_close int fd =
		socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, address, len) < 0 || listen(fd, BACKLOG) < 0)
		return -errno;
	return steal_fd(&fd);
}

/* The descriptor is taken. */
static int add(struct host_ports *ports, int fd, uint16_t number)
{
	struct host_port *port = &ports->port[ports->n++];

	*port = (struct host_port) { .ports = ports, .fd = fd, .number = number };
	port->on_connect = event_new(ports->loop, fd, EV_READ | EV_PERSIST, on_connect, port);
	port->on_pause_over = evtimer_new(ports->loop, on_pause_over, port);
	return port->on_connect != NULL && port->on_pause_over != NULL &&
			       event_add(port->on_connect, NULL) == 0
		       ? 0
		       : -ENOMEM;
}

static int open_port(struct host_ports *ports, uint16_t number)
{
	const struct sockaddr_in v4 = { .sin_family = AF_INET,
		.sin_port = htons(number),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct sockaddr_in6 v6 = {
		.sin6_family = AF_INET6, .sin6_port = htons(number), .sin6_addr = in6addr_loopback
	};
	int fd = listen_at((const struct sockaddr *)&v4, sizeof(v4));
	int ret = fd < 0 ? fd : add(ports, fd, number);

	if (ret < 0)
		return ret;
	fd = listen_at((const struct sockaddr *)&v6, sizeof(v6));
	if (fd >= 0)
		return add(ports, fd, number);
	log_info("a shared port is not on ::1", log_int("port", number),
		log_str("reason", strerror(-fd)));
	return 0;
}

int host_ports_open(struct event_base *loop, const uint16_t *ports, size_t n,
	struct host_ports **out, struct err *err)
{
	struct host_ports *new = calloc(1, sizeof(*new) + 2 * n * sizeof(new->port[0]));
	int ret = 0;

	if (new == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	new->loop = loop;
	new->forwards = forwards_new(loop);
	if (new->forwards == NULL)
		ret = err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; ret == 0 && i < n; i++) {
		ret = open_port(new, ports[i]);
		if (ret < 0)
			err_errno(err, -ret, "cannot listen on port %u", ports[i]);
	}
	if (ret < 0)
		host_ports_free(new);
	else
		*out = new;
	return ret;
}

void host_ports_free(struct host_ports *ports)
{
	if (ports == NULL)
		return;
	for (size_t i = 0; i < ports->n; i++) {
		if (ports->port[i].on_connect != NULL)
			event_free(ports->port[i].on_connect);
		if (ports->port[i].on_pause_over != NULL)
			event_free(ports->port[i].on_pause_over);
		close(ports->port[i].fd);
	}
	forwards_free(ports->forwards);
	free(ports);
}
