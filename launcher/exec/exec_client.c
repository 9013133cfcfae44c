/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * One connection to the agent: a state machine that is fed with frames, and with news of the
 * caller's streams (exec_stdio.h), which it never waits for.
 *
 *      GREETING --HELLO--> ASKED --STARTED or ATTACHED--> RUNNING --EXIT--> ENDING --> ended
 *
 * ERROR, a broken connection and a frame that does not fit lead to ENDING as well; there what has
 * come is still written out, and then the owner is told.
 *
 * Memory is bounded on every way. From the guest: while more than EXEC_STDIO_QUEUE_MAX waits to be
 * written, nothing is read from the connection. To the guest: stdin is read only as far as there is
 * credit, and as long as less than OUTPUT_MAX waits for the socket, so that an agent that gives
 * credit for 4 GiB and does not read costs no more than one that behaves.
 *
 * Signals and a new window size that come before the process runs are kept as a set and as the
 * last: what the agent would do with them earlier need not be known.
 */

#include "launcher/exec/exec_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "launcher/exec/exec_link.h"
#include "launcher/exec/exec_request.h"
#include "launcher/exec/exec_stdio.h"
#include "lib/cleanup.h"

#define HELLO_TIMEOUT_S 10
#define OUTPUT_MAX      (256U << 10)
#define SIGNAL_MAX      64

#define STATUS_CANNOT_RUN 126

enum state { GREETING, ASKED, RUNNING, ENDING, ENDED };

struct exec_client {
	enum state state;
	bool attach;
	struct exec_link *link;
	struct exec_stdio *stdio;
	struct exec_owner owner;
	struct event *hello_timer;
	struct evbuffer *request; /* to be sent behind HELLO */
	struct evbuffer *input;   /* read from stdin, and not yet a frame */
	bool input_closed;        /* STDIN_CLOSE was sent */
	uint64_t credit;          /* that the reader was not given */
	size_t allowed;           /* that it was, and has not used */
	uint64_t early_signals;   /* bit N: signal N + 1 */
	bool has_early_window;
	struct agent_window early_window;
	struct agent_offsets base; /* where output began: an attachment */
	struct agent_offsets acked;
	struct exec_end end;
};

static struct evbuffer *to_agent(const struct exec_client *c)
{
	return exec_link_out(c->link);
}

/* Whether it is of use to say something to the agent: one that has hung up or is about to hears
 * nothing. */
static bool is_heard(const struct exec_client *c)
{
	return c->state == RUNNING && !exec_link_is_deaf(c->link);
}

/* --- the end --------------------------------------------------------------------------------- */

static void begin_end(struct exec_client *c)
{
	c->state = ENDING;
	evtimer_del(c->hello_timer);
	exec_stdio_end_input(c->stdio);
	exec_link_listen(c->link, false);
}

/* c->end.err says why. */
static void lose(struct exec_client *c)
{
	c->end.how = EXEC_LOST;
	c->end.answered = c->state > GREETING;
	begin_end(c);
}

/* The other end broke the rules. Before HELLO it is not an agent, or not one of our time. */
static void refuse(struct exec_client *c)
{
	lose(c);
	if (c->end.answered)
		return;
	c->end.how = EXEC_FAILED;
	c->end.status = STATUS_CANNOT_RUN;
}

/* What is wrong with our own end: nobody reads it, or it cannot be written. */
static void mind_errors(struct exec_client *c, const struct exec_stdio_state *now)
{
	static const char *const names[] = { "stdout", "stderr" };

	if (c->attach || c->end.how == EXEC_LOST || c->end.how == EXEC_UNREAD)
		return;
	for (int i = 0; i < EXEC_N_OUTPUTS; i++) {
		int error = now->error[i];

		/* What had ended before is not told that its last words were not read. */
		if (error == 0 || (error == EPIPE && c->state == ENDING))
			continue;
		(void)err_errno(&c->end.err, error, "cannot write to %s", names[i]);
		lose(c);
		if (error == EPIPE)
			c->end.how = EXEC_UNREAD;
		return;
	}
}

/* The last thing in every callback: the owner may free the client. */
static void settle(struct exec_client *c)
{
	struct exec_end end;

	exec_link_flush(c->link);
	if (c->state != ENDING || exec_stdio_look(c->stdio).queued > 0)
		return;
	c->state = ENDED;
	end = c->end;
	c->owner.ended(c->owner.owner, &end);
}

/* --- to the agent ---------------------------------------------------------------------------- */

static int put_input(struct exec_client *c)
{
	size_t len;
	int ret = 0;

	while (ret == 0 && (len = evbuffer_get_length(c->input)) > 0)
		ret = agent_wire_put_buffer(to_agent(c), AGENT_STDIN, c->input,
			len < AGENT_WIRE_DATA_MAX ? len : AGENT_WIRE_DATA_MAX);
	return ret;
}

static void grant(struct exec_client *c)
{
	size_t used = evbuffer_get_length(to_agent(c)) + c->allowed;
	size_t len = used < OUTPUT_MAX ? OUTPUT_MAX - used : 0;

	if (len > c->credit)
		len = c->credit;
	if (len == 0)
		return;
	c->credit -= len;
	c->allowed += len;
	exec_stdio_allow(c->stdio, len);
}

/* stdin, as far as the agent and the socket take it. */
static void pump_input(struct exec_client *c)
{
	bool ended;
	size_t len;
	int ret;

	if (!is_heard(c) || c->input_closed || evbuffer_get_length(to_agent(c)) > EXEC_LINK_LOW)
		return;
	len = exec_stdio_take(c->stdio, c->input, &ended);
	c->allowed -= len < c->allowed ? len : c->allowed;
	ret = put_input(c);
	if (ret == 0 && ended) {
		ret = agent_wire_put(to_agent(c), AGENT_STDIN_CLOSE, NULL, 0);
		c->input_closed = true;
	}
	if (ret < 0) {
		(void)err_set(&c->end.err, ret, "out of memory");
		lose(c);
		return;
	}
	/* Then what still waits for the socket is why we are called again. */
	exec_link_flush(c->link);
	grant(c);
}

static void put_signal(struct exec_client *c, int signo)
{
	(void)agent_wire_put_u32(to_agent(c), AGENT_SIGNAL, (uint32_t)signo);
}

static void put_early(struct exec_client *c)
{
	if (c->has_early_window)
		(void)agent_wire_put_window(to_agent(c), &c->early_window);
	for (int i = 0; i < SIGNAL_MAX; i++) {
		if ((c->early_signals >> i & 1) != 0)
			put_signal(c, i + 1);
	}
}

struct agent_offsets exec_client_written(const struct exec_client *c)
{
	struct exec_stdio_state now = exec_stdio_look(c->stdio);

	return (struct agent_offsets) {
		.n_stdout = c->base.n_stdout + now.written[EXEC_STDOUT],
		.n_stderr = c->base.n_stderr + now.written[EXEC_STDERR],
	};
}

static void acknowledge(struct exec_client *c)
{
	struct agent_offsets now;

	if (!c->attach || !is_heard(c))
		return;
	now = exec_client_written(c);
	if (now.n_stdout == c->acked.n_stdout && now.n_stderr == c->acked.n_stderr)
		return;
	c->acked = now;
	(void)agent_wire_put_offsets(to_agent(c), AGENT_OUTPUT_ACK, &now);
}

/* --- from the agent: each takes its payload -------------------------------------------------- */

static int take_hello(
	struct exec_client *c, enum agent_wire_type type, struct evbuffer *in, uint32_t len)
{
	int ret = agent_wire_get_hello(in, len, &c->end.err);

	if (ret < 0)
		return ret;
	evtimer_del(c->hello_timer);
	c->state = ASKED;
	return evbuffer_add_buffer(to_agent(c), c->request);
}

static void begin(struct exec_client *c, uint32_t pid)
{
	c->state = RUNNING;
	put_early(c);
	c->owner.started(c->owner.owner, pid);
	pump_input(c);
}

static int take_started(
	struct exec_client *c, enum agent_wire_type type, struct evbuffer *in, uint32_t len)
{
	uint32_t pid;
	int ret = c->attach ? -EPROTO : agent_wire_get_u32(in, len, &pid);

	if (ret == 0)
		begin(c, pid);
	return ret;
}

static int take_attached(
	struct exec_client *c, enum agent_wire_type type, struct evbuffer *in, uint32_t len)
{
	struct agent_attached attached;
	int ret = c->attach ? agent_wire_get_attached(in, len, &attached) : -EPROTO;

	if (ret < 0)
		return ret;
	if (attached.n_stdout < c->base.n_stdout || attached.n_stderr < c->base.n_stderr)
		return -EPROTO;
	c->base.n_stdout = attached.n_stdout;
	c->base.n_stderr = attached.n_stderr;
	c->acked = c->base;
	begin(c, attached.pid);
	return 0;
}

static int take_credit(
	struct exec_client *c, enum agent_wire_type type, struct evbuffer *in, uint32_t len)
{
	uint32_t credit;
	int ret = agent_wire_get_u32(in, len, &credit);

	if (ret < 0)
		return ret;
	c->credit += credit;
	pump_input(c);
	return 0;
}

static int take_output(
	struct exec_client *c, enum agent_wire_type type, struct evbuffer *in, uint32_t len)
{
	return exec_stdio_put(c->stdio, type == AGENT_STDOUT ? EXEC_STDOUT : EXEC_STDERR, in, len);
}

static int take_exit(
	struct exec_client *c, enum agent_wire_type type, struct evbuffer *in, uint32_t len)
{
	int ret = agent_wire_get_exit(in, len, &c->end.ex);

	if (ret == 0) {
		c->end.how = EXEC_EXITED;
		begin_end(c);
	}
	return ret;
}

static int take_error(
	struct exec_client *c, enum agent_wire_type type, struct evbuffer *in, uint32_t len)
{
	cleanup_free char *text = NULL;
	int ret = agent_wire_get_error(in, len, &c->end.status, &text);

	if (ret == 0) {
		c->end.how = EXEC_FAILED;
		(void)err_set(&c->end.err, -ENOEXEC, "%s", text);
		begin_end(c);
	}
	return ret;
}

#define IN(state) (1U << (state))

static const struct frame {
	unsigned states; /* in which it may come */
	int (*take)(struct exec_client *c, enum agent_wire_type type, struct evbuffer *in,
		uint32_t len);
} frames[AGENT_N_TYPES] = {
	[AGENT_HELLO] = { IN(GREETING), take_hello },
	[AGENT_STARTED] = { IN(ASKED), take_started },
	[AGENT_ATTACHED] = { IN(ASKED), take_attached },
	[AGENT_ERROR] = { IN(ASKED), take_error },
	[AGENT_STDIN_CREDIT] = { IN(ASKED) | IN(RUNNING), take_credit },
	[AGENT_STDOUT] = { IN(RUNNING), take_output },
	[AGENT_STDERR] = { IN(RUNNING), take_output },
	[AGENT_EXIT] = { IN(RUNNING), take_exit },
};

static int take_frame(
	struct exec_client *c, enum agent_wire_type type, struct evbuffer *in, uint32_t len)
{
	const struct frame *frame = &frames[type];
	int ret;

	if ((frame->states & IN(c->state)) == 0)
		return err_set(&c->end.err, -EPROTO, "the agent said %s out of turn",
			agent_wire_name(type));
	ret = frame->take(c, type, in, len);
	if (ret < 0 && c->end.err.text[0] == '\0')
		return err_set(&c->end.err, ret,
			ret == -ENOMEM ? "out of memory" : "the agent's %s makes no sense",
			agent_wire_name(type));
	return ret;
}

/* Takes what has come, as far as it can be written. */
static void take_frames(struct exec_client *c)
{
	struct evbuffer *in = exec_link_in(c->link);
	enum agent_wire_type type;
	bool room = true;
	int ret = 1;
	uint32_t len;

	while (ret > 0 && c->state < ENDING) {
		room = exec_stdio_look(c->stdio).queued < EXEC_STDIO_QUEUE_MAX;
		if (!room)
			break;
		ret = agent_wire_next(in, AGENT_WIRE_CLIENT, &type, &len, &c->end.err);
		if (ret > 0 && take_frame(c, type, in, len) < 0)
			ret = -EPROTO;
	}
	if (c->state >= ENDING)
		return;
	if (ret < 0) {
		refuse(c);
	} else if (ret == 0 && exec_link_hung_up(c->link)) {
		(void)err_set(&c->end.err, -ECONNRESET, "the agent's end was closed%s",
			evbuffer_get_length(in) > 0 ? " within a frame" : "");
		lose(c);
	} else {
		exec_link_listen(c->link, room);
	}
}

/* --- events ---------------------------------------------------------------------------------- */

static void on_readable(void *arg)
{
	struct exec_client *c = arg;

	take_frames(c);
	settle(c);
}

static void on_writable(void *arg)
{
	struct exec_client *c = arg;

	pump_input(c);
	settle(c);
}

static void on_stdio(void *arg)
{
	struct exec_client *c = arg;
	struct exec_stdio_state now = exec_stdio_look(c->stdio);

	if (c->state == ENDED)
		return;
	mind_errors(c, &now);
	acknowledge(c);
	pump_input(c);
	take_frames(c);
	settle(c);
}

static void on_silence(evutil_socket_t fd, short what, void *arg)
{
	struct exec_client *c = arg;

	(void)err_set(
		&c->end.err, -ETIMEDOUT, "the agent said no HELLO within %d s", HELLO_TIMEOUT_S);
	lose(c);
	settle(c);
}

/* --- life ------------------------------------------------------------------------------------ */

void exec_client_free(struct exec_client *c)
{
	if (c == NULL)
		return;
	exec_stdio_stop(c->stdio);
	exec_link_close(c->link);
	if (c->hello_timer != NULL)
		event_free(c->hello_timer);
	if (c->request != NULL)
		evbuffer_free(c->request);
	if (c->input != NULL)
		evbuffer_free(c->input);
	free(c);
}

static int greet(struct exec_client *c)
{
	const struct timeval timeout = { .tv_sec = HELLO_TIMEOUT_S };
	int ret = agent_wire_put_hello(to_agent(c));

	if (ret < 0 || event_add(c->hello_timer, &timeout) < 0)
		return -ENOMEM;
	exec_link_listen(c->link, true);
	exec_link_flush(c->link);
	return 0;
}

/* `fd` is its own, and `request` as well, whatever is returned. */
static int start(struct event_base *loop, int fd, struct evbuffer *request,
	const struct agent_offsets *from, const struct exec_streams *streams,
	const struct exec_owner *owner, struct exec_client **out, struct err *err)
{
	struct exec_client *c = calloc(1, sizeof(*c));
	const struct exec_link_owner link_owner = { on_readable, on_writable, c };
	int ret;

	if (c == NULL) {
		evbuffer_free(request);
		close(fd);
		return err_set(err, -ENOMEM, "out of memory");
	}
	c->request = request;
	c->owner = *owner;
	c->attach = from != NULL;
	c->base = from != NULL ? *from : (struct agent_offsets) { 0 };
	c->input = evbuffer_new();
	c->hello_timer = evtimer_new(loop, on_silence, c);
	c->link = exec_link_open(loop, fd, &link_owner);
	ret = c->link == NULL || c->input == NULL || c->hello_timer == NULL ? -ENOMEM : greet(c);
	if (ret < 0)
		(void)err_set(err, ret, "out of memory");
	else
		ret = exec_stdio_start(loop, streams, on_stdio, c, &c->stdio, err);
	if (ret < 0) {
		exec_client_free(c);
		return ret;
	}
	*out = c;
	return 0;
}

int exec_client_start(struct event_base *loop, int fd, const struct process_spec *spec,
	char *const *argv, char *const *env, const struct exec_streams *streams,
	const struct exec_owner *owner, struct exec_client **out, struct err *err)
{
	struct evbuffer *request;
	int ret = exec_request_start(spec, argv, env, &request, err);

	if (ret == 0)
		return start(loop, fd, request, NULL, streams, owner, out, err);
	close(fd);
	return ret;
}

int exec_client_attach(struct event_base *loop, int fd, const struct agent_offsets *from,
	const struct exec_streams *streams, const struct exec_owner *owner,
	struct exec_client **out, struct err *err)
{
	struct evbuffer *request;
	int ret = exec_request_attach(from, &request, err);

	if (ret == 0)
		return start(loop, fd, request, from, streams, owner, out, err);
	close(fd);
	return ret;
}

/* --- signals and window ---------------------------------------------------------------------- */

void exec_client_signal(struct exec_client *c, int signo)
{
	if (signo < 1 || signo > SIGNAL_MAX)
		return;
	if (c->state < RUNNING)
		c->early_signals |= UINT64_C(1) << (signo - 1);
	else if (is_heard(c)) {
		put_signal(c, signo);
		exec_link_flush(c->link);
	}
}

void exec_client_resize(struct exec_client *c, const struct agent_window *window)
{
	if (c->state < RUNNING) {
		c->has_early_window = true;
		c->early_window = *window;
	} else if (is_heard(c)) {
		(void)agent_wire_put_window(to_agent(c), window);
		exec_link_flush(c->link);
	}
}
