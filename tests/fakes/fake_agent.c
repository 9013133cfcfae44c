/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/fakes/fake_agent.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/buffer.h>

#include "lib/err.h"

#define READ_MAX (256 << 10)

static void fail(const char *what)
{
	fprintf(stderr, "fake agent: %s\n", what);
	abort();
}

/* --- life ------------------------------------------------------------------------------------ */

static void *run(void *arg)
{
	struct fake_agent *agent = arg;

	agent->script(agent);
	fake_agent_hang_up(agent);
	return NULL;
}

void fake_agent_start(struct fake_agent *agent, void (*script)(struct fake_agent *agent), void *arg)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	static unsigned n;

	*agent = (struct fake_agent) { .fd = -1, .script = script, .arg = arg };
	snprintf(agent->path, sizeof(agent->path), "/tmp/fake-agent-%d-%u", (int)getpid(), n++);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", agent->path);
	unlink(agent->path);
	agent->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(agent->listener, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
		listen(agent->listener, 16) < 0)
		fail("cannot listen");
	agent->in = evbuffer_new();
	agent->out = evbuffer_new();
	if (pthread_create(&agent->thread, NULL, run, agent) != 0)
		fail("no thread");
}

void fake_agent_stop(struct fake_agent *agent)
{
	pthread_join(agent->thread, NULL);
	close(agent->listener);
	unlink(agent->path);
	evbuffer_free(agent->in);
	evbuffer_free(agent->out);
}

/* --- bytes ----------------------------------------------------------------------------------- */

static bool await(int fd, int ms)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	return poll(&pollfd, 1, ms) == 1;
}

bool fake_agent_hears(struct fake_agent *agent, int ms)
{
	return evbuffer_get_length(agent->in) > 0 || await(agent->fd, ms);
}

static bool read_more(struct fake_agent *agent)
{
	if (!await(agent->fd, AGENT_PATIENCE_S * 1000))
		fail("the client says nothing");
	return evbuffer_read(agent->in, agent->fd, READ_MAX) > 0;
}

bool fake_agent_flush(struct fake_agent *agent)
{
	while (evbuffer_get_length(agent->out) > 0) {
		char piece[65536];
		ev_ssize_t len = evbuffer_copyout(agent->out, piece, sizeof(piece));
		ssize_t n = send(agent->fd, piece, (size_t)len, MSG_NOSIGNAL);

		if (n < 0) {
			evbuffer_drain(agent->out, evbuffer_get_length(agent->out));
			return false;
		}
		evbuffer_drain(agent->out, (size_t)n);
	}
	return true;
}

void fake_agent_say(struct fake_agent *agent, const void *bytes, size_t len)
{
	evbuffer_add(agent->out, bytes, len);
	(void)fake_agent_flush(agent);
}

/* --- connections ----------------------------------------------------------------------------- */

void fake_agent_accept(struct fake_agent *agent)
{
	if (!await(agent->listener, AGENT_PATIENCE_S * 1000))
		fail("nobody connects");
	agent->fd = accept4(agent->listener, NULL, NULL, SOCK_CLOEXEC);
	if (agent->fd < 0)
		fail("accept");
}

void fake_agent_hang_up(struct fake_agent *agent)
{
	if (agent->fd >= 0)
		close(agent->fd);
	agent->fd = -1;
	evbuffer_drain(agent->in, evbuffer_get_length(agent->in));
	evbuffer_drain(agent->out, evbuffer_get_length(agent->out));
}

void fake_agent_take_connect(struct fake_agent *agent)
{
	static const char expected[] = "CONNECT 1024\n";
	char line[sizeof(expected)] = "";

	while (evbuffer_get_length(agent->in) < strlen(expected)) {
		if (!read_more(agent))
			fail("no CONNECT");
	}
	evbuffer_remove(agent->in, line, strlen(expected));
	if (strcmp(line, expected) != 0)
		fail("not CONNECT 1024");
}

/* False: the client hung up without a HELLO. */
static bool greet_next(struct fake_agent *agent)
{
	enum agent_wire_type type;
	uint32_t len;

	fake_agent_accept(agent);
	fake_agent_take_connect(agent);
	evbuffer_add(agent->out, "OK 5\n", 5);
	agent_wire_put_hello(agent->out);
	(void)fake_agent_flush(agent);
	if (!fake_agent_next(agent, &type, &len))
		return false;
	if (type != AGENT_HELLO)
		fail("no HELLO");
	evbuffer_drain(agent->in, len);
	return true;
}

void fake_agent_greet(struct fake_agent *agent)
{
	while (!greet_next(agent))
		fake_agent_hang_up(agent);
}

void fake_agent_take_request(struct fake_agent *agent, struct agent_request *request)
{
	enum agent_wire_type type;
	uint32_t len;

	request->spec = calloc(1, AGENT_WIRE_DATA_MAX + 1);
	fake_agent_expect(agent, AGENT_START, request->spec, AGENT_WIRE_DATA_MAX);
	if (!fake_agent_next(agent, &type, &len) || type != AGENT_ARGV ||
		agent_wire_get_strings(agent->in, len, &request->argv) < 0)
		fail("no ARGV");
	if (!fake_agent_next(agent, &type, &len) || type != AGENT_ENV ||
		agent_wire_get_strings(agent->in, len, &request->env) < 0)
		fail("no ENV");
}

void fake_agent_begin(struct fake_agent *agent, struct agent_request *request)
{
	struct agent_request unread;

	fake_agent_greet(agent);
	fake_agent_take_request(agent, request != NULL ? request : &unread);
	if (request == NULL)
		fake_agent_free_request(&unread);
	agent_wire_put_u32(agent->out, AGENT_STARTED, 42);
	fake_agent_credit(agent, AGENT_WIRE_STDIN_WINDOW);
}

void fake_agent_free_request(struct agent_request *request)
{
	free(request->spec);
	free(request->argv);
	free(request->env);
}

/* --- frames ---------------------------------------------------------------------------------- */

bool fake_agent_next(struct fake_agent *agent, enum agent_wire_type *type, uint32_t *len)
{
	struct err err = { "" };
	int ret;

	while ((ret = agent_wire_next(agent->in, AGENT_WIRE_AGENT, type, len, &err)) == 0) {
		if (!read_more(agent))
			return false;
	}
	if (ret < 0)
		fail(err.text);
	return true;
}

uint32_t fake_agent_expect(
	struct fake_agent *agent, enum agent_wire_type expected, void *data, size_t room)
{
	enum agent_wire_type type;
	uint32_t len;

	if (!fake_agent_next(agent, &type, &len))
		fail("the client hung up");
	if (type != expected) {
		fprintf(stderr, "%s instead of %s\n", agent_wire_name(type),
			agent_wire_name(expected));
		fail("another frame than expected");
	}
	if (data != NULL && len > room)
		fail("a long frame");
	if (data != NULL)
		evbuffer_remove(agent->in, data, len);
	else
		evbuffer_drain(agent->in, len);
	return len;
}

void fake_agent_expect_end(struct fake_agent *agent)
{
	enum agent_wire_type type;
	uint32_t len;

	while (fake_agent_next(agent, &type, &len))
		evbuffer_drain(agent->in, len);
}

void fake_agent_output(
	struct fake_agent *agent, enum agent_wire_type type, const void *bytes, size_t len)
{
	agent_wire_put(agent->out, type, bytes, len);
	(void)fake_agent_flush(agent);
}

void fake_agent_credit(struct fake_agent *agent, uint32_t credit)
{
	agent_wire_put_u32(agent->out, AGENT_STDIN_CREDIT, credit);
	(void)fake_agent_flush(agent);
}

void fake_agent_exit(struct fake_agent *agent, uint32_t code)
{
	const struct agent_exit ex = { .value = code };

	agent_wire_put_exit(agent->out, &ex);
	(void)fake_agent_flush(agent);
}
