/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest-agent/workload.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <event2/buffer.h>

#include "guest-agent/agent_private.h"
#include "guest-agent/client_stdio.h"
#include "lib/log.h"

#define NOT_EXECUTABLE 126

struct attachment {
	struct workload *workload;
	struct client *client;
	struct agent_offsets from;
	struct workload_waiter waiter;
	bool waits;
	struct client_stdio stdio;
	uint64_t sent[PROCESS_N_OUTPUTS];
};

static void free_attachment(struct attachment *attachment)
{
	if (attachment->waits)
		LIST_REMOVE(&attachment->waiter, link);
	if (attachment->workload->attached == attachment)
		attachment->workload->attached = NULL;
	free(attachment);
}

/* --- output ----------------------------------------------------------------------------------- */

/* The client has had its last frame. Unless it breaks now, it has seen all. */
static void on_told(void *arg, bool in_order)
{
	struct workload *workload = arg;
	const struct agent_plan *plan = &workload->agent->plan;

	if (!in_order || workload->is_told)
		return;
	workload->is_told = true;
	if (plan->workload_ended != NULL)
		plan->workload_ended(plan->owner, &workload->ex);
}

static void tell_end(struct attachment *attachment)
{
	struct workload *workload = attachment->workload;
	struct client *client = attachment->client;

	client_put(client, agent_wire_put_exit(client_output(client), &workload->ex));
	client_finish(client, CLIENT_EVER, on_told, workload);
	free_attachment(attachment);
}

/* Hands on what there is, and at last how it has ended: the attachment may be gone then. */
static void flush(struct attachment *attachment)
{
	bool all = true;

	for (int i = 0; i < PROCESS_N_OUTPUTS; i++)
		all &= client_stdio_send(&attachment->stdio, i, &attachment->sent[i]);
	if (all && attachment->workload->state == WORKLOAD_ENDED)
		tell_end(attachment);
}

/* The client has the output up to here. What had gone before is no news. */
static int acknowledge(
	struct attachment *attachment, const struct agent_offsets *offsets, struct err *err)
{
	struct process *process = attachment->workload->process;
	const uint64_t upto[] = { offsets->n_stdout, offsets->n_stderr };

	for (int i = 0; i < PROCESS_N_OUTPUTS; i++) {
		if (upto[i] > attachment->sent[i])
			return err_set(err, -EPROTO, "a client acknowledged what it was not sent");
		if (upto[i] > process_output(process, i)->begin)
			process_output_release(process, i, upto[i]);
	}
	return 0;
}

/* --- the process ------------------------------------------------------------------------------ */

static void decide(struct workload *workload, enum workload_state state)
{
	struct workload_waiter *waiter;

	workload->state = state;
	while ((waiter = LIST_FIRST(&workload->waiters)) != NULL) {
		LIST_REMOVE(waiter, link);
		waiter->go(waiter);
	}
}

static int open_proc(pid_t pid, const char *name, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return open(path, flags | O_CLOEXEC);
}

static void close_place(struct spawn_place *place)
{
	int *fds[] = { &place->pid_ns, &place->mount_ns, &place->root };

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

/* It may have ended already: then there is nothing that could be joined. */
static void open_place(struct workload *workload)
{
	struct spawn_place *place = &workload->place;
	pid_t pid = process_pid(workload->process);

	place->pid_ns = open_proc(pid, "ns/pid", O_RDONLY);
	place->mount_ns = open_proc(pid, "ns/mnt", O_RDONLY);
	place->root = open_proc(pid, "root", O_PATH | O_DIRECTORY);
	if (place->pid_ns < 0 || place->mount_ns < 0 || place->root < 0)
		close_place(place);
}

static void on_started(void *arg, uint32_t pid)
{
	struct workload *workload = arg;

	workload->inner_pid = pid;
	open_place(workload);
	log_info("workload started", log_int("pid", process_pid(workload->process)));
	decide(workload, WORKLOAD_RUNNING);
}

static void on_failed(void *arg, uint32_t status, const char *text)
{
	struct workload *workload = arg;

	process_let_go(workload->process);
	workload->process = NULL;
	workload_fail(workload, status, text);
}

static void on_output(void *arg)
{
	struct workload *workload = arg;

	if (workload->attached != NULL)
		flush(workload->attached);
}

static void on_input_taken(void *arg, size_t n)
{
	struct workload *workload = arg;

	if (workload->attached != NULL)
		client_stdio_taken(&workload->attached->stdio, n);
}

static void on_ended(void *arg, const struct agent_exit *ex)
{
	struct workload *workload = arg;

	log_info("workload ended", log_str("how", ex->signalled ? "signal" : "exit"),
		log_int("value", ex->value));
	workload->ex = *ex;
	workload->state = WORKLOAD_ENDED;
	close_place(&workload->place);
	if (workload->attached != NULL)
		flush(workload->attached);
}

static const struct process_owner process_owner = {
	.started = on_started,
	.failed = on_failed,
	.output = on_output,
	.input_taken = on_input_taken,
	.ended = on_ended,
};

void workload_init(struct workload *workload, struct agent *agent)
{
	*workload = (struct workload) {
		.agent = agent,
		.place = { .pid_ns = -1, .mount_ns = -1, .root = -1 },
	};
	LIST_INIT(&workload->waiters);
}

int workload_start(struct workload *workload, const struct process_spec *spec, char *const *argv,
	char *const *env, struct err *err)
{
	struct spawn_plan plan = {
		.spec = spec,
		.argv = argv,
		.env = env,
		.root = workload->agent->plan.root,
		.as_init = true,
	};
	struct process *process =
		process_new(&workload->agent->host, WORKLOAD_OUTPUT_SIZE, &process_owner, workload);
	int ret;

	if (process == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	ret = process_start(process, &plan, err);
	if (ret < 0) {
		process_let_go(process);
		return ret;
	}
	workload->spec = spec;
	workload->process = process;
	workload->state = WORKLOAD_STARTING;
	return 0;
}

void workload_fail(struct workload *workload, uint32_t status, const char *why)
{
	log_error("there is no workload", log_str("reason", why));
	workload->status = status;
	snprintf(workload->why, sizeof(workload->why), "%s", why);
	decide(workload, WORKLOAD_NONE);
}

void workload_free(struct workload *workload)
{
	close_place(&workload->place);
}

const char *workload_state_name(enum workload_state state)
{
	static const char *const names[] = {
		[WORKLOAD_OPEN] = "open",
		[WORKLOAD_STARTING] = "starting",
		[WORKLOAD_RUNNING] = "running",
		[WORKLOAD_ENDED] = "ended",
		[WORKLOAD_NONE] = "none",
	};

	return names[state];
}

bool workload_is_decided(const struct workload *workload)
{
	return workload->state != WORKLOAD_OPEN && workload->state != WORKLOAD_STARTING;
}

void workload_wait(struct workload *workload, struct workload_waiter *waiter)
{
	LIST_INSERT_HEAD(&workload->waiters, waiter, link);
}

/* --- attachments ------------------------------------------------------------------------------ */

static int on_frame(void *arg, struct client *client, enum agent_wire_type type,
	struct evbuffer *in, uint32_t len, struct err *err)
{
	struct attachment *attachment = arg;
	struct agent_offsets offsets;

	if (attachment->waits)
		return err_set(
			err, -EPROTO, "a %s frame came before ATTACHED", agent_wire_name(type));
	if (type != AGENT_OUTPUT_ACK)
		return client_stdio_frame(&attachment->stdio, type, in, len, err);
	if (agent_wire_get_offsets(in, len, &offsets) < 0)
		return err_set(err, -EPROTO, "OUTPUT_ACK");
	return acknowledge(attachment, &offsets, err);
}

static void on_room(void *arg)
{
	struct attachment *attachment = arg;

	if (!attachment->waits)
		flush(attachment);
}

static void on_gone(void *arg)
{
	free_attachment(arg);
}

static const struct client_role role = {
	.frame = on_frame,
	.room = on_room,
	.gone = on_gone,
};

/* Where output goes on: where the client is, unless that is no longer kept. */
static bool place_at(struct attachment *attachment)
{
	const struct process *process = attachment->workload->process;
	const uint64_t from[] = { attachment->from.n_stdout, attachment->from.n_stderr };

	for (int i = 0; i < PROCESS_N_OUTPUTS; i++) {
		const struct byte_ring *ring = process_output(process, i);

		if (from[i] > ring->end)
			return false;
		attachment->sent[i] = from[i] > ring->begin ? from[i] : ring->begin;
	}
	return true;
}

static void refuse(struct attachment *attachment, uint32_t status, const char *text)
{
	client_refuse(attachment->client, status, text);
	free_attachment(attachment);
}

/* The last one wins. */
static void take_over(struct attachment *attachment)
{
	struct workload *workload = attachment->workload;
	struct attachment *former = workload->attached;

	if (former != NULL) {
		client_finish(former->client, CLIENT_SOON, NULL, NULL);
		free_attachment(former);
	}
	workload->attached = attachment;
	attachment->stdio.process = workload->process;
}

static void go(struct workload_waiter *waiter)
{
	struct attachment *attachment =
		(struct attachment *)((char *)waiter - offsetof(struct attachment, waiter));
	struct workload *workload = attachment->workload;
	struct client *client = attachment->client;
	struct agent_attached attached;

	attachment->waits = false;
	if (workload->state == WORKLOAD_NONE) {
		refuse(attachment, workload->status, workload->why);
		return;
	}
	if (!place_at(attachment)) {
		refuse(attachment, NOT_EXECUTABLE, "ATTACH is beyond the workload's output");
		return;
	}
	take_over(attachment);
	attached = (struct agent_attached) {
		.pid = workload->inner_pid,
		.n_stdout = attachment->sent[PROCESS_STDOUT],
		.n_stderr = attachment->sent[PROCESS_STDERR],
	};
	client_put(client, agent_wire_put_attached(client_output(client), &attached));
	acknowledge(attachment, &attachment->from, NULL);
	client_stdio_open(&attachment->stdio);
	flush(attachment);
}

int workload_attach(struct workload *workload, struct client *client, struct evbuffer *in,
	uint32_t len, struct err *err)
{
	struct attachment *attachment = calloc(1, sizeof(*attachment));

	if (attachment == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	*attachment = (struct attachment) {
		.workload = workload,
		.client = client,
		.waiter = { .go = go },
		.stdio = { .client = client, .alone = true },
	};
	if (agent_wire_get_offsets(in, len, &attachment->from) < 0) {
		free(attachment);
		return err_set(err, -EPROTO, "ATTACH");
	}
	client_set_role(client, &role, attachment);
	if (workload_is_decided(workload)) {
		go(&attachment->waiter);
		return 0;
	}
	attachment->waits = true;
	workload_wait(workload, &attachment->waiter);
	return 0;
}
