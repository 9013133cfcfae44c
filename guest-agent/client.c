/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest-agent/client.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "lib/log.h"

#define READ_SIZE 65536

/* For HELLO and what the connection is for; and for closing it. */
#define BEGIN_SECONDS  30
#define LINGER_SECONDS 5

struct client {
	LIST_ENTRY(client) link;
	struct client_list *list;
	int fd;
	struct event *on_read, *on_write;
	struct event *on_time; /* until it has begun, and from its end on */
	struct evbuffer *in, *out;
	const struct client_role *role; /* NULL: it is finished */
	void *arg;
	bool said_hello;
	bool is_broken; /* cannot be written: the loop ends it */
	bool was_full;
	bool is_shut; /* all is written and our end shut down */
	void (*closed)(void *arg, bool in_order);
	void *closed_arg;
};

static void client_free(struct client *client)
{
	LIST_REMOVE(client, link);
	client->list->n--;
	if (client->on_read != NULL)
		event_free(client->on_read);
	if (client->on_write != NULL)
		event_free(client->on_write);
	if (client->on_time != NULL)
		event_free(client->on_time);
	if (client->in != NULL)
		evbuffer_free(client->in);
	if (client->out != NULL)
		evbuffer_free(client->out);
	close(client->fd);
	free(client);
}

/* From the event loop alone. */
static void end(struct client *client, bool in_order)
{
	if (client->role != NULL)
		client->role->gone(client->arg);
	else if (client->closed != NULL)
		client->closed(client->closed_arg, in_order && client->is_shut);
	client_free(client);
}

/* --- output ----------------------------------------------------------------------------------- */

static void flushed(struct client *client)
{
	event_del(client->on_write);
	if (client->role != NULL || client->is_shut)
		return;
	client->is_shut = true;
	shutdown(client->fd, SHUT_WR);
}

/* The loop ends it. */
static void break_off(struct client *client)
{
	client->is_broken = true;
	event_active(client->on_read, EV_READ, 1);
}

/* Writes what can be written. A failure is left to the loop. */
static void write_some(struct client *client)
{
	while (evbuffer_get_length(client->out) > 0 && !client->is_broken) {
		int n = evbuffer_write(client->out, client->fd);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == ENOBUFS)) {
			event_add(client->on_write, NULL);
			return;
		}
		if (n <= 0) {
			break_off(client);
			return;
		}
	}
	if (!client->is_broken)
		flushed(client);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct client *client = arg;

	write_some(client);
	if (client->was_full && client_has_room(client) && client->role != NULL) {
		client->was_full = false;
		client->role->room(client->arg);
	}
}

struct evbuffer *client_output(struct client *client)
{
	return client->out;
}

bool client_has_room(const struct client *client)
{
	return evbuffer_get_length(client->out) < CLIENT_OUTPUT_MAX;
}

void client_put(struct client *client, int ret)
{
	if (ret < 0)
		break_off(client);
	client_push(client);
}

void client_push(struct client *client)
{
	write_some(client);
	if (!client_has_room(client))
		client->was_full = true;
}

/* --- input ------------------------------------------------------------------------------------ */

static int hello(struct client *client, enum agent_wire_type type, uint32_t len, struct err *err)
{
	if (type != AGENT_HELLO)
		return err_set(err, -EPROTO, "a %s frame came before HELLO", agent_wire_name(type));
	client->said_hello = true;
	return agent_wire_get_hello(client->in, len, err);
}

static int dispatch(struct client *client, enum agent_wire_type type, uint32_t len, struct err *err)
{
	size_t rest = evbuffer_get_length(client->in) - len;
	int ret;

	if (!client->said_hello)
		return hello(client, type, len, err);
	ret = client->role->frame(client->arg, client, type, client->in, len, err);
	if (ret == 0 && evbuffer_get_length(client->in) != rest)
		return err_set(err, -EPROTO, "a %s frame has a payload that is not one",
			agent_wire_name(type));
	return ret;
}

static int take_frames(struct client *client)
{
	struct err err = { "" };
	enum agent_wire_type type;
	uint32_t len;
	int ret = 0;

	/* Of who has been told the end, nothing is taken any more. */
	while (client->role != NULL &&
		(ret = agent_wire_next(client->in, AGENT_WIRE_AGENT, &type, &len, &err)) > 0) {
		ret = dispatch(client, type, len, &err);
		if (ret < 0)
			break;
	}
	if (ret < 0)
		log_limited(
			LOG_LEVEL_WARN, "a client broke the protocol", log_str("reason", err.text));
	return ret;
}

/* Copied, so that many small reads do not each keep a large piece of memory. */
static ssize_t read_some(struct client *client)
{
	static uint8_t buffer[READ_SIZE];
	ssize_t n = read(client->fd, buffer, sizeof(buffer));

	/* So a vsock says that its peer has closed altogether, where we had shut our end before
	 * (Linux 6.1). */
	if (n < 0 && errno == ENOTCONN)
		return 0;
	if (n < 0)
		return -errno;
	if (n > 0 && evbuffer_add(client->in, buffer, (size_t)n) < 0)
		return -ENOMEM;
	return n;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct client *client = arg;
	ssize_t n = client->is_broken ? -EPIPE : read_some(client);

	if (n == -EAGAIN || n == -EINTR)
		return;
	if (n <= 0) {
		end(client, n == 0);
		return;
	}
	if (client->role == NULL)
		evbuffer_drain(client->in, evbuffer_get_length(client->in));
	else if (take_frames(client) < 0)
		end(client, false);
}

static void on_time(evutil_socket_t fd, short what, void *arg)
{
	end(arg, false);
}

void client_drop(struct client *client)
{
	if (client->role != NULL)
		client->role->gone(client->arg);
	client_free(client);
}

/* --- its life --------------------------------------------------------------------------------- */

static int make(struct client *client, struct event_base *loop)
{
	const struct timeval begin = { .tv_sec = BEGIN_SECONDS };

	client->in = evbuffer_new();
	client->out = evbuffer_new();
	client->on_read = event_new(loop, client->fd, EV_READ | EV_PERSIST, on_readable, client);
	client->on_write = event_new(loop, client->fd, EV_WRITE | EV_PERSIST, on_writable, client);
	client->on_time = evtimer_new(loop, on_time, client);
	if (client->in == NULL || client->out == NULL || client->on_read == NULL ||
		client->on_write == NULL || client->on_time == NULL)
		return -ENOMEM;
	if (event_add(client->on_read, NULL) < 0 || event_add(client->on_time, &begin) < 0)
		return -ENOMEM;
	return agent_wire_put_hello(client->out);
}

int client_new(struct event_base *loop, struct client_list *list, int fd,
	const struct client_role *role, void *arg)
{
	struct client *client = calloc(1, sizeof(*client));

	if (client == NULL) {
		close(fd);
		return -ENOMEM;
	}
	*client = (struct client) { .list = list, .fd = fd, .role = role, .arg = arg };
	LIST_INSERT_HEAD(&list->clients, client, link);
	list->n++;
	if (make(client, loop) < 0) {
		client_free(client);
		return -ENOMEM;
	}
	client_push(client);
	return 0;
}

void client_set_role(struct client *client, const struct client_role *role, void *arg)
{
	client->role = role;
	client->arg = arg;
	event_del(client->on_time);
}

void client_finish(struct client *client, enum client_patience patience,
	void (*closed)(void *arg, bool in_order), void *arg)
{
	const struct timeval linger = { .tv_sec = LINGER_SECONDS };

	client->role = NULL;
	client->closed = closed;
	client->closed_arg = arg;
	if (patience == CLIENT_SOON)
		event_add(client->on_time, &linger);
	write_some(client);
}

void client_refuse(struct client *client, uint32_t status, const char *text)
{
	agent_wire_put_error(client->out, status, text);
	client_finish(client, CLIENT_SOON, NULL, NULL);
}
