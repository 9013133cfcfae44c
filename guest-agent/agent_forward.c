/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest-agent/agent_forward.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "guest-agent/byte_ring.h"
#include "lib/cleanup.h"
#include "lib/log.h"

#define RING_SIZE      (256U << 10) /* of each direction */
#define BEGIN_SECONDS  10           /* for the line, and for connecting */
#define LINGER_SECONDS 5            /* for a refused client to close */

struct forward;

struct side {
	struct forward *forward;
	struct side *other;
	int fd; /* -1: not yet */
	struct event *on_read, *on_write;
	struct byte_ring ring; /* what waits to be written here */
	bool has_ended;        /* nothing more will be read */
	bool is_shut;          /* nothing more will be written */
};

struct forward {
	LIST_ENTRY(forward) link;
	struct forwards *forwards;
	enum { FORWARD_LINE, FORWARD_CONNECTING, FORWARD_OPEN, FORWARD_REFUSED } state;
	bool is_led; /* by somebody in the guest: its client is not spoken to */
	struct side client, target;
	struct event *on_time; /* until it is open, and once it is refused */
	char line[AGENT_FORWARD_LINE_MAX];
	size_t line_len;
};

struct forwards {
	struct event_base *loop;
	LIST_HEAD(, forward) list;
	size_t n;
};

/* --- the line --------------------------------------------------------------------------------- */

static bool parse_port(const char *text, in_port_t *port)
{
	unsigned long value;
	char *end;

	if (text[0] < '1' || text[0] > '9')
		return false;
	value = strtoul(text, &end, 10);
	if (*end != '\0' || value > UINT16_MAX)
		return false;
	*port = htons((uint16_t)value);
	return true;
}

int agent_forward_parse(
	const char *line, size_t len, struct sockaddr_storage *address, struct err *err)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
	struct sockaddr_in *v4 = (struct sockaddr_in *)address;
	char text[AGENT_FORWARD_LINE_MAX];
	in_port_t port;
	char *space;

	if (len >= sizeof(text) || memchr(line, '\0', len) != NULL)
		return err_set(err, -EINVAL, "not \"ADDRESS PORT\"");
	memcpy(text, line, len);
	text[len] = '\0';
	space = strchr(text, ' ');
	if (space == NULL || !parse_port(space + 1, &port))
		return err_set(err, -EINVAL, "not \"ADDRESS PORT\"");
	*space = '\0';
	*address = (struct sockaddr_storage) { 0 };
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = port;
	} else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = port;
	} else {
		return err_set(err, -EINVAL, "%s is not an address", text);
	}
	return 0;
}

/* --- the end ---------------------------------------------------------------------------------- */

static void close_side(struct side *side)
{
	if (side->on_read != NULL)
		event_free(side->on_read);
	if (side->on_write != NULL)
		event_free(side->on_write);
	if (side->fd >= 0)
		close(side->fd);
	byte_ring_free(&side->ring);
}

static void forward_free(struct forward *forward)
{
	LIST_REMOVE(forward, link);
	forward->forwards->n--;
	close_side(&forward->client);
	close_side(&forward->target);
	if (forward->on_time != NULL)
		event_free(forward->on_time);
	free(forward);
}

/* The peers see a reset: what they have sent was not all taken. */
static void break_off(struct forward *forward)
{
	const struct linger reset = { .l_onoff = 1 };

	if (forward->target.fd >= 0)
		setsockopt(forward->target.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	if (forward->is_led)
		setsockopt(forward->client.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	forward_free(forward);
}

static bool is_over(const struct forward *forward)
{
	return forward->client.is_shut && forward->client.has_ended &&
	       (forward->state == FORWARD_REFUSED ||
		       (forward->target.is_shut && forward->target.has_ended));
}

/* --- bytes ------------------------------------------------------------------------------------ */

/* Nothing more comes from the other side, and all that came has been written. */
static void shut_if_drained(struct side *side)
{
	bool ended = side->other->has_ended || side->forward->state == FORWARD_REFUSED;

	if (!ended || side->is_shut || byte_ring_len(&side->ring) > 0)
		return;
	side->is_shut = true;
	shutdown(side->fd, SHUT_WR);
}

/* Writes what waits for this side. Negative: it is broken. */
static int write_side(struct side *side)
{
	ssize_t n = byte_ring_len(&side->ring) > 0 ? byte_ring_drain(&side->ring, side->fd) : 0;

	if (n < 0 && n != -EAGAIN)
		return (int)n;
	if (byte_ring_len(&side->ring) > 0)
		event_add(side->on_write, NULL);
	else
		event_del(side->on_write);
	if (n > 0 && !side->other->has_ended && side->other->on_read != NULL)
		event_add(side->other->on_read, NULL);
	shut_if_drained(side);
	return 0;
}

/* Reads once, for the other side. Negative: broken. */
static int read_side(struct side *side)
{
	struct side *other = side->other;
	ssize_t n;

	if (byte_ring_room(&other->ring) == 0) {
		event_del(side->on_read);
		return 0;
	}
	n = byte_ring_fill(&other->ring, side->fd);
	if (n == -EAGAIN)
		return 0;
	if (n < 0)
		return (int)n;
	if (n == 0) {
		side->has_ended = true;
		event_del(side->on_read);
	}
	return write_side(other);
}

/* What a refused client still sends is nobody's. */
static int discard(struct side *side)
{
	char buffer[4096];
	ssize_t n = read(side->fd, buffer, sizeof(buffer));

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return -errno;
	if (n == 0) {
		side->has_ended = true;
		event_del(side->on_read);
	}
	return 0;
}

static void settle(struct forward *forward, int ret)
{
	if (ret < 0)
		break_off(forward);
	else if (is_over(forward))
		forward_free(forward);
}

/* --- connecting ------------------------------------------------------------------------------- */

static void wait_seconds(struct forward *forward, int seconds)
{
	const struct timeval time = { .tv_sec = seconds };

	event_add(forward->on_time, &time);
}

static int answer(struct forward *forward, const char *text)
{
	byte_ring_put(&forward->client.ring, text, strlen(text));
	return write_side(&forward->client);
}

static int refuse(struct forward *forward, const char *reason)
{
	char text[ERR_TEXT_MAX + 16];

	if (forward->is_led)
		return -ECONNREFUSED;
	snprintf(text, sizeof(text), "ERROR %s\n", reason);
	forward->state = FORWARD_REFUSED;
	event_add(forward->client.on_read, NULL);
	wait_seconds(forward, LINGER_SECONDS);
	return answer(forward, text);
}

/* An address that one can bind to is one of ours: the agent is no way into the network. */
static int check_local(const struct sockaddr_storage *address, struct err *err)
{
	struct sockaddr_storage any_port = *address;
	cleanup_close int probe = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (probe < 0)
		return err_errno(err, errno, "cannot create a socket");
	/* The port is at the same place in both. */
	((struct sockaddr_in *)&any_port)->sin_port = 0;
	if (bind(probe, (struct sockaddr *)&any_port, sizeof(any_port)) < 0)
		return err_set(err, -errno, "this is not an address of the guest");
	return 0;
}

static void on_target_readable(evutil_socket_t fd, short what, void *arg)
{
	struct side *side = arg;

	settle(side->forward, read_side(side));
}

static int opened(struct forward *forward)
{
	int error = 0;
	socklen_t len = sizeof(error);
	int ret;

	getsockopt(forward->target.fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error != 0) {
		event_del(forward->target.on_write);
		return refuse(forward, strerror(error));
	}
	forward->state = FORWARD_OPEN;
	event_del(forward->on_time);
	event_add(forward->target.on_read, NULL);
	if (!forward->client.has_ended)
		event_add(forward->client.on_read, NULL);
	ret = forward->is_led ? 0 : answer(forward, "OK\n");
	return ret == 0 ? write_side(&forward->target) : ret;
}

static void on_target_writable(evutil_socket_t fd, short what, void *arg)
{
	struct side *side = arg;
	struct forward *forward = side->forward;

	settle(forward, forward->state == FORWARD_CONNECTING ? opened(forward) : write_side(side));
}

static int connect_target(
	struct forward *forward, const struct sockaddr *address, socklen_t len, struct err *err)
{
	struct side *target = &forward->target;
	struct event_base *loop = forward->forwards->loop;
	int on = 1;

	target->fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (target->fd < 0)
		return err_errno(err, errno, "cannot create a socket");
	setsockopt(target->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	target->on_read =
		event_new(loop, target->fd, EV_READ | EV_PERSIST, on_target_readable, target);
	target->on_write =
		event_new(loop, target->fd, EV_WRITE | EV_PERSIST, on_target_writable, target);
	if (target->on_read == NULL || target->on_write == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	if (connect(target->fd, address, len) < 0 && errno != EINPROGRESS)
		return err_errno(err, errno, "cannot connect");
	event_add(target->on_write, NULL);
	return 0;
}

/* The line has come; what is behind it belongs to the stream. */
static int begin(struct forward *forward, size_t line_len)
{
	struct sockaddr_storage address;
	struct err err = { "" };
	int ret = agent_forward_parse(forward->line, line_len, &address, &err);

	if (ret == 0)
		ret = check_local(&address, &err);
	if (ret == 0)
		ret = connect_target(
			forward, (const struct sockaddr *)&address, sizeof(address), &err);
	if (ret < 0)
		return refuse(forward, err.text);
	forward->state = FORWARD_CONNECTING;
	event_del(forward->client.on_read);
	byte_ring_put(&forward->target.ring, forward->line + line_len + 1,
		forward->line_len - line_len - 1);
	return 0;
}

static int read_line(struct forward *forward)
{
	char *free_part = forward->line + forward->line_len;
	ssize_t n = read(forward->client.fd, free_part, sizeof(forward->line) - forward->line_len);
	char *newline;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -EPIPE;
	forward->line_len += (size_t)n;
	newline = memchr(forward->line, '\n', forward->line_len);
	if (newline != NULL)
		return begin(forward, (size_t)(newline - forward->line));
	if (forward->line_len == sizeof(forward->line))
		return refuse(forward, "the line is too long");
	return 0;
}

static void on_client_readable(evutil_socket_t fd, short what, void *arg)
{
	struct side *side = arg;
	struct forward *forward = side->forward;

	if (forward->state == FORWARD_LINE)
		settle(forward, read_line(forward));
	else if (forward->state == FORWARD_REFUSED)
		settle(forward, discard(side));
	else
		settle(forward, read_side(side));
}

static void on_client_writable(evutil_socket_t fd, short what, void *arg)
{
	struct side *side = arg;

	settle(side->forward, write_side(side));
}

static void on_time(evutil_socket_t fd, short what, void *arg)
{
	struct forward *forward = arg;

	if (forward->state == FORWARD_CONNECTING) {
		event_del(forward->target.on_write);
		settle(forward, refuse(forward, "connecting takes too long"));
	} else {
		break_off(forward);
	}
}

/* --- all of them ------------------------------------------------------------------------------ */

struct forwards *forwards_new(struct event_base *loop)
{
	struct forwards *forwards = calloc(1, sizeof(*forwards));

	if (forwards == NULL)
		return NULL;
	forwards->loop = loop;
	LIST_INIT(&forwards->list);
	return forwards;
}

static int make(struct forward *forward)
{
	struct side *client = &forward->client;
	struct event_base *loop = forward->forwards->loop;

	client->on_read =
		event_new(loop, client->fd, EV_READ | EV_PERSIST, on_client_readable, client);
	client->on_write =
		event_new(loop, client->fd, EV_WRITE | EV_PERSIST, on_client_writable, client);
	forward->on_time = evtimer_new(loop, on_time, forward);
	if (client->on_read == NULL || client->on_write == NULL || forward->on_time == NULL)
		return -ENOMEM;
	if (byte_ring_init(&client->ring, RING_SIZE) < 0 ||
		byte_ring_init(&forward->target.ring, RING_SIZE) < 0)
		return -ENOMEM;
	return 0;
}

/* The descriptor is taken. NULL: there is none. */
static struct forward *begin_forward(struct forwards *forwards, int fd)
{
	struct forward *forward =
		forwards->n < AGENT_FORWARDS_MAX ? calloc(1, sizeof(*forward)) : NULL;

	if (forward == NULL) {
		log_limited(LOG_LEVEL_WARN, "a stream is not forwarded: there are too many");
		close(fd);
		return NULL;
	}
	forward->forwards = forwards;
	forward->client = (struct side) {
		.forward = forward,
		.other = &forward->target,
		.fd = fd,
	};
	forward->target = (struct side) {
		.forward = forward,
		.other = &forward->client,
		.fd = -1,
	};
	LIST_INSERT_HEAD(&forwards->list, forward, link);
	forwards->n++;
	if (make(forward) == 0) {
		wait_seconds(forward, BEGIN_SECONDS);
		return forward;
	}
	forward_free(forward);
	return NULL;
}

void forwards_accept(struct forwards *forwards, int fd)
{
	struct forward *forward = begin_forward(forwards, fd);

	if (forward != NULL && event_add(forward->client.on_read, NULL) < 0)
		forward_free(forward);
}

void forwards_lead(struct forwards *forwards, int fd, const struct sockaddr *target, socklen_t len,
	const char *line)
{
	struct forward *forward = begin_forward(forwards, fd);
	struct err err = { "" };

	if (forward == NULL)
		return;
	forward->is_led = true;
	forward->state = FORWARD_CONNECTING;
	byte_ring_put(&forward->target.ring, line, strlen(line));
	if (connect_target(forward, target, len, &err) < 0)
		break_off(forward);
}

size_t forwards_count(const struct forwards *forwards)
{
	return forwards->n;
}

void forwards_free(struct forwards *forwards)
{
	struct forward *forward;

	if (forwards == NULL)
		return;
	while ((forward = LIST_FIRST(&forwards->list)) != NULL)
		forward_free(forward);
	free(forwards);
}
