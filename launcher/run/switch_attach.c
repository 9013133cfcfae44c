/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Theory of operation. One connection at a time, and on it one request at a time, in this order:
 *
 *   AWAY      no connection; a timer makes one
 *   FOLLOWING events: from now on we are told when a port is removed
 *   LOOKING   port.show: does the port fit what is there, and is it perhaps there still?
 *   CLEARING  port.del, of the port that a predecessor has left
 *   ADDING    port.add
 *   THERE     nothing, until the connection ends, or somebody removes the port: by hand, or with a
 *             configuration that is read again
 *   LEAVING   port.del
 *
 * Whatever goes wrong the first time is the caller's error. Later it is logged, and tried again
 * after a while: the guest goes on, and whoever runs the switch is at work on it.
 *
 * The keeper is told of the port when it has been added: a name that turns out to be taken is
 * somebody else's port, which must not be removed. A launcher that is killed in between, or with
 * its keeper (a container that ends), leaves its port to the next of that name.
 */

#include "launcher/run/switch_attach.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "launcher/exec/exec_link.h"
#include "launcher/process/backoff.h"
#include "launcher/process/keeper.h"
#include "launcher/process/loop.h"
#include "lib/cleanup.h"
#include "lib/json_rpc.h"
#include "lib/log.h"
#include "lib/unix_socket.h"

#define ANSWER_MS  5000
#define ANSWER_MAX (4U << 20)

enum state { AWAY, FOLLOWING, LOOKING, CLEARING, ADDING, THERE, LEAVING };

struct switch_attach {
	struct event_base *loop;
	struct switch_attach_plan plan;
	json_t *port;
	enum state state;
	struct exec_link *link;
	struct event *timer; /* AWAY: the next attempt; while an answer is due: its time is over */
	struct backoff backoff;
	bool was_there, told; /* once; and the keeper has been */
	struct err why;       /* of the last failure */
	bool failed;          /* the first attempt has */
};

static const char *port_text(const struct switch_attach *a, const char *key)
{
	const char *text = json_string_value(json_object_get(a->port, key));

	return text != NULL ? text : "";
}

static void hang_up(struct switch_attach *a)
{
	exec_link_close(a->link);
	a->link = NULL;
	a->state = AWAY;
	(void)event_del(a->timer);
}

/* a->why is set. */
static void fail(struct switch_attach *a)
{
	bool was_there = a->state == THERE, leaving = a->state == LEAVING;

	hang_up(a);
	if (leaving)
		return;
	if (!a->was_there) {
		a->failed = true;
		return;
	}
	log_error(was_there ? "switch-lost" : "switch-refused", log_str("reason", a->why.text));
	(void)loop_set_timer(a->timer, backoff_ended(&a->backoff, loop_now_ms()));
	if (was_there)
		a->plan.lost(a->plan.owner);
}

static void ask(struct switch_attach *a, enum state state, const char *method, const json_t *params)
{
	json_t *id = json_integer(1);
	cleanup_free char *line = json_rpc_request_line(id, method, params);

	json_decref(id);
	a->state = state;
	if (line == NULL || evbuffer_add(exec_link_out(a->link), line, strlen(line)) < 0) {
		(void)err_set(&a->why, -ENOMEM, "out of memory");
		fail(a);
		return;
	}
	(void)loop_set_timer(a->timer, ANSWER_MS);
	exec_link_flush(a->link);
}

/* --- what the switch has --------------------------------------------------------------------- */

static bool has_text(const json_t *object, const char *key, const char *text)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value != NULL && strcmp(value, text) == 0;
}

/* One who has the pod's address on the wire must have it in the guest. */
static int check_uplink(const struct switch_attach *a, const json_t *uplink, struct err *err)
{
	const char *mac = json_string_value(json_object_get(uplink, "address"));

	/* Adopt is not mentioned. */
	if (json_object_get(uplink, "mac_mode") != NULL || mac == NULL ||
		strcasecmp(mac, port_text(a, "mac")) == 0)
		return 0;
	return err_set(err, -EINVAL,
		"the uplink of the switch has mac-mode adopt and the address %s, and the guest %s "
		"(the switch needs mac-mode substitute, or the VM the uplink's interface)",
		mac, port_text(a, "mac"));
}

/* By its name alone it might be somebody else's; the socket or interface is in or of a place that
 * is this VM's as long as it is locked. */
static bool is_ours(const struct switch_attach *a, const json_t *port)
{
	return has_text(port, "ifname", port_text(a, "name")) &&
	       (has_text(port, "socket_path", port_text(a, "socket")) ||
		       has_text(port, "interface", port_text(a, "interface")));
}

/* 1: our port is there. */
static int look_at_ports(const struct switch_attach *a, const json_t *ports, struct err *err)
{
	const json_t *port;
	size_t i;

	json_array_foreach (ports, i, port) {
		if (has_text(port, "role", "uplink") && check_uplink(a, port, err) < 0)
			return -EINVAL;
		if (is_ours(a, port))
			return 1;
	}
	return 0;
}

/* --- answers --------------------------------------------------------------------------------- */

/* What removes the port is told in advance, as the line that does it. */
static void tell_keeper(struct switch_attach *a)
{
	json_t *params = json_pack("{s:s}", "name", port_text(a, "name"));
	json_t *id = json_integer(1);
	cleanup_free char *line = json_rpc_request_line(id, "port.del", params);
	struct err err = { "" };

	if (line == NULL || keeper_add_request(a->plan.keeper, a->plan.socket, line, &err) < 0)
		log_warn("keeper", log_str("reason", err.text));
	a->told = true;
	json_decref(params);
	json_decref(id);
}

static void be_there(struct switch_attach *a)
{
	(void)event_del(a->timer);
	a->state = THERE;
	if (!a->told)
		tell_keeper(a);
	a->was_there = true;
	backoff_begun(&a->backoff, loop_now_ms());
	log_info("switch-attached", log_str("socket", a->plan.socket),
		log_str("port", port_text(a, "name")));
	a->plan.attached(a->plan.owner);
}

static void remove_port(struct switch_attach *a, enum state state)
{
	json_t *params = json_pack("{s:s}", "name", port_text(a, "name"));

	ask(a, state, "port.del", params);
	json_decref(params);
}

static void take_ports(struct switch_attach *a, const json_t *ports)
{
	int ret = look_at_ports(a, ports, &a->why);

	if (ret < 0)
		fail(a);
	else if (ret == 0)
		ask(a, ADDING, "port.add", a->port);
	else if (a->was_there)
		be_there(a);
	else
		remove_port(a, CLEARING);
}

static void take_result(struct switch_attach *a, const json_t *result)
{
	switch (a->state) {
	case FOLLOWING:
		ask(a, LOOKING, "port.show", NULL);
		break;
	case LOOKING:
		take_ports(a, result);
		break;
	case CLEARING:
		ask(a, ADDING, "port.add", a->port);
		break;
	case ADDING:
		be_there(a);
		break;
	case LEAVING:
		hang_up(a);
		break;
	case AWAY:
	case THERE:
		(void)err_set(&a->why, -EPROTO, "the switch answered what was not asked");
		fail(a);
		break;
	}
}

static void take_event(struct switch_attach *a, const json_t *event)
{
	if (a->state != THERE || !has_text(event, "event", "port-removed") ||
		!has_text(event, "port", port_text(a, "name")))
		return;
	(void)err_set(&a->why, -ENOENT, "the port was removed");
	fail(a);
}

static void take_line(struct switch_attach *a, const char *line, size_t len)
{
	struct json_rpc_request event;
	json_t *result = NULL;

	if (json_rpc_decode(line, len, &event, NULL) == JSON_RPC_OK) {
		take_event(a, event.params);
		json_rpc_request_free(&event);
		return;
	}
	json_rpc_request_free(&event);
	if (json_rpc_decode_response(line, len, 1, &result, &a->why) < 0) {
		fail(a);
		return;
	}
	take_result(a, result);
	json_decref(result);
}

static void on_readable(void *owner)
{
	struct switch_attach *a = owner;
	char *line;
	size_t len;

	while (a->link != NULL &&
		(line = evbuffer_readln(exec_link_in(a->link), &len, EVBUFFER_EOL_LF)) != NULL) {
		take_line(a, line, len);
		free(line);
	}
	if (a->link == NULL || (!exec_link_hung_up(a->link) &&
				       evbuffer_get_length(exec_link_in(a->link)) < ANSWER_MAX))
		return;
	(void)err_set(&a->why, -ECONNRESET, "the connection to the switch was closed");
	fail(a);
}

static void on_writable(void *owner)
{
}

/* --- attempts -------------------------------------------------------------------------------- */

static void look(struct switch_attach *a)
{
	const struct exec_link_owner owner = { on_readable, on_writable, a };
	int fd = unix_connect(a->plan.socket, &a->why);

	if (fd >= 0) {
		a->link = exec_link_open(a->loop, fd, &owner);
		if (a->link == NULL)
			(void)err_set(&a->why, -ENOMEM, "out of memory");
	}
	if (a->link == NULL) {
		fail(a);
		return;
	}
	exec_link_listen(a->link, true);
	ask(a, FOLLOWING, "events", NULL);
}

static void on_time(evutil_socket_t fd, short what, void *arg)
{
	struct switch_attach *a = arg;

	if (a->state == AWAY) {
		look(a);
		return;
	}
	(void)err_set(&a->why, -ETIMEDOUT, "the switch did not answer in %d s", ANSWER_MS / 1000);
	fail(a);
}

static bool is_there_or_failed(const void *arg)
{
	const struct switch_attach *a = arg;

	return a->state == THERE || a->failed;
}

static void free_attach(struct switch_attach *a)
{
	exec_link_close(a->link);
	if (a->timer != NULL)
		event_free(a->timer);
	json_decref(a->port);
	free(a);
}

int switch_attach_start(struct event_base *loop, const struct switch_attach_plan *plan,
	struct switch_attach **out, struct err *err)
{
	struct switch_attach *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	*a = (struct switch_attach) {
		.loop = loop, .plan = *plan, .port = json_deep_copy(plan->port)
	};
	a->timer = evtimer_new(loop, on_time, a);
	if (a->timer == NULL || a->port == NULL) {
		free_attach(a);
		return err_set(err, -ENOMEM, "out of memory");
	}
	look(a);
	/* An answer that does not come fails by itself. */
	(void)loop_until(loop, 3 * ANSWER_MS, is_there_or_failed, a);
	if (a->state == THERE) {
		*out = a;
		return 0;
	}
	(void)err_set(err, -EIO, "%s: %s", plan->socket, a->why.text);
	free_attach(a);
	return -EIO;
}

static bool is_away(const void *arg)
{
	const struct switch_attach *a = arg;

	return a->state == AWAY;
}

static bool is_settled(const void *arg)
{
	const struct switch_attach *a = arg;

	return a->state == AWAY || a->state == THERE;
}

void switch_attach_stop(struct switch_attach *a)
{
	if (a == NULL)
		return;
	(void)loop_until(a->loop, ANSWER_MS, is_settled, a);
	if (a->state == THERE) {
		remove_port(a, LEAVING);
		(void)loop_until(a->loop, ANSWER_MS, is_away, a);
	}
	free_attach(a);
}
