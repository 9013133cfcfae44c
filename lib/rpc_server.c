/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/rpc_server.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include "lib/cleanup.h"
#include "lib/json_rpc.h"
#include "lib/log.h"
#include "lib/unix_socket.h"

#define CLIENTS_MAX       64
#define OUTPUT_MAX        (4u << 20)   /* unread answers of one client */
#define FOLLOWER_MAX      (256u << 10) /* unread notifications of one client */
#define REQUESTS_PER_TURN 16
#define ACCEPT_PAUSE_US   100000

struct client {
	TAILQ_ENTRY(client) link;
	struct rpc_server *server;
	struct bufferevent *bev;
	bool follows;
	uint64_t n_lost; /* notifications, since the last that it got */
};

struct rpc_server {
	struct event_base *base;
	const char *path;
	const struct rpc_method *methods;
	void *ctx;
	int listen_fd;
	struct event *accept_event;
	struct event *pause_event; /* ends a pause in accepting */
	TAILQ_HEAD(, client) clients;
	unsigned n_clients;
};

static void client_free(struct client *c)
{
	TAILQ_REMOVE(&c->server->clients, c, link);
	c->server->n_clients--;
	bufferevent_free(c->bev);
	free(c);
}

static const struct rpc_method *find_method(const struct rpc_server *s, const char *name)
{
	for (const struct rpc_method *m = s->methods; m->name; m++)
		if (strcmp(m->name, name) == 0)
			return m;
	return NULL;
}

/* The answer to a decoded request, one line. */
static char *call(struct client *c, const struct json_rpc_request *req)
{
	const struct rpc_server *s = c->server;
	const struct rpc_method *m = find_method(s, req->method);
	struct err err = { "" };
	json_t *result;
	char *line;

	if (!m) {
		err_set(&err, 0, "there is no method \"%.64s\"", req->method);
		return json_rpc_error_line(req->id, JSON_RPC_METHOD_NOT_FOUND, err.text);
	}
	result = m->call(s->ctx, req->params, &err);
	if (!result)
		return json_rpc_error_line(req->id, JSON_RPC_FAILED, err.text);
	c->follows |= m->follows;
	line = json_rpc_result_line(req->id, result);
	json_decref(result);
	return line;
}

/* False: the client must go. */
static bool answer(struct client *c, const char *text, size_t len)
{
	struct json_rpc_request req;
	struct err err = { "" };
	enum json_rpc_code code;
	cleanup_free char *line = NULL;

	if (evbuffer_get_length(bufferevent_get_output(c->bev)) > OUTPUT_MAX)
		return false; /* it asks, and does not read */
	code = json_rpc_decode(text, len, &req, &err);

	if (code != JSON_RPC_OK)
		line = json_rpc_error_line(req.id, code, err.text);
	else
		line = call(c, &req);
	if (line && (req.id || code != JSON_RPC_OK))
		bufferevent_write(c->bev, line, strlen(line));
	json_rpc_request_free(&req);
	return true;
}

static void on_input(struct bufferevent *bev, void *arg)
{
	struct client *c = arg;
	struct evbuffer *in = bufferevent_get_input(bev);

	for (int i = 0; i < REQUESTS_PER_TURN; i++) {
		size_t len;
		cleanup_free char *line = evbuffer_readln(in, &len, EVBUFFER_EOL_LF);

		if (!line && evbuffer_get_length(in) < JSON_RPC_LINE_MAX)
			return;
		if (!line || !answer(c, line, len)) {
			client_free(c);
			return;
		}
	}
	/* More may be waiting; others come first. */
	if (evbuffer_get_length(in) > 0)
		bufferevent_trigger(bev, EV_READ, BEV_TRIG_DEFER_CALLBACKS);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		client_free(arg);
}

/* The socket's mode lets our user and group connect; this holds where a directory is shared. */
static bool may_connect(int fd)
{
	struct unix_peer peer;

	if (unix_peer(fd, &peer) < 0)
		return false;
	return peer.uid == 0 || peer.uid == geteuid() || peer.gid == getegid();
}

static int add_client(struct rpc_server *s, int fd)
{
	struct client *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->server = s;
	c->bev = bufferevent_socket_new(s->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!c->bev) {
		free(c);
		return -ENOMEM;
	}
	bufferevent_setcb(c->bev, on_input, NULL, on_event, c);
	bufferevent_setwatermark(c->bev, EV_READ, 0, JSON_RPC_LINE_MAX);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
	TAILQ_INSERT_TAIL(&s->clients, c, link);
	s->n_clients++;
	return 0;
}

static void on_pause_over(evutil_socket_t unused, short what, void *arg)
{
	struct rpc_server *s = arg;

	event_add(s->accept_event, NULL);
}

/* No descriptor is free: who waits would wake us again at once, and for nothing. */
static void pause_accepting(struct rpc_server *s)
{
	const struct timeval pause = { .tv_usec = ACCEPT_PAUSE_US };

	event_del(s->accept_event);
	event_add(s->pause_event, &pause);
	log_limited(LOG_LEVEL_WARN, "out of descriptors: a control connection waits");
}

static void on_connect(evutil_socket_t listen_fd, short what, void *arg)
{
	struct rpc_server *s = arg;
	cleanup_close int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0 && (errno == EMFILE || errno == ENFILE))
		pause_accepting(s);
	if (fd < 0)
		return;
	if (!may_connect(fd) || s->n_clients == CLIENTS_MAX) {
		log_limited(LOG_LEVEL_WARN, "control connection refused",
			log_int("clients", s->n_clients));
		return;
	}
	if (add_client(s, fd) == 0)
		(void)steal_fd(&fd);
}

static void tell(struct client *c, const char *method, const json_t *params)
{
	cleanup_free char *line = json_rpc_request_line(NULL, method, params);

	if (line)
		bufferevent_write(c->bev, line, strlen(line));
}

static void tell_lost(struct client *c, const char *method)
{
	json_t *params =
		json_pack("{s:s, s:I}", "event", "events-lost", "count", (json_int_t)c->n_lost);

	if (params)
		tell(c, method, params);
	json_decref(params);
	c->n_lost = 0;
}

void rpc_server_tell(struct rpc_server *s, const char *method, const json_t *params)
{
	struct client *c;

	if (!s)
		return;
	TAILQ_FOREACH (c, &s->clients, link) {
		if (!c->follows)
			continue;
		if (evbuffer_get_length(bufferevent_get_output(c->bev)) > FOLLOWER_MAX) {
			c->n_lost++;
			continue;
		}
		if (c->n_lost > 0)
			tell_lost(c, method);
		tell(c, method, params);
	}
}

struct rpc_server *rpc_server_new(struct event_base *base, const char *path,
	const struct rpc_method *methods, void *ctx, struct err *err)
{
	struct rpc_server *s = calloc(1, sizeof(*s));

	if (!s) {
		err_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	*s = (struct rpc_server) { .base = base, .path = path, .methods = methods, .ctx = ctx };
	TAILQ_INIT(&s->clients);
	s->listen_fd = unix_listen(path, 0660, err);
	if (s->listen_fd >= 0)
		s->accept_event =
			event_new(base, s->listen_fd, EV_READ | EV_PERSIST, on_connect, s);
	s->pause_event = evtimer_new(base, on_pause_over, s);
	if (!s->accept_event || !s->pause_event) {
		if (s->listen_fd >= 0)
			err_set(err, -ENOMEM, "out of memory");
		rpc_server_free(s);
		return NULL;
	}
	event_add(s->accept_event, NULL);
	return s;
}

void rpc_server_free(struct rpc_server *s)
{
	if (!s)
		return;
	while (!TAILQ_EMPTY(&s->clients))
		client_free(TAILQ_FIRST(&s->clients));
	if (s->accept_event)
		event_free(s->accept_event);
	if (s->pause_event)
		event_free(s->pause_event);
	if (s->listen_fd >= 0) {
		close(s->listen_fd);
		unlink(s->path);
	}
	free(s);
}
