/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest-agent/exec.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include <event2/buffer.h>
#include <jansson.h>

#include "guest-agent/agent_private.h"
#include "guest-agent/client_stdio.h"
#include "lib/cleanup.h"

/* Refused, or one that cannot be told apart from "cannot be executed". */
#define NOT_EXECUTABLE 126

#define OUTPUT_SIZE (256U << 10) /* of each stream */

struct exec {
	struct agent *agent;
	struct client *client;
	struct process_spec spec;
	char **argv, **env; /* until it is started; NULL: not come yet */
	struct workload_waiter waiter;
	bool waits, runs;
	struct process *process;
	struct client_stdio stdio;
	uint64_t sent[PROCESS_N_OUTPUTS];
	bool has_ended;
	struct agent_exit ex;
};

static void free_exec(struct exec *exec)
{
	if (exec->waits)
		LIST_REMOVE(&exec->waiter, link);
	process_spec_free(&exec->spec);
	free(exec->argv);
	free(exec->env);
	free(exec);
}

static void refuse(struct exec *exec, uint32_t status, const char *text)
{
	client_refuse(exec->client, status, text);
	if (exec->process != NULL)
		process_let_go(exec->process);
	free_exec(exec);
}

/* --- while it runs ---------------------------------------------------------------------------- */

/* Hands on what there is and the client has room for. Whether that was all. */
static bool send_output(struct exec *exec)
{
	bool all = true;

	for (int i = 0; i < PROCESS_N_OUTPUTS; i++) {
		all &= client_stdio_send(&exec->stdio, i, &exec->sent[i]);
		process_output_release(exec->process, i, exec->sent[i]);
	}
	return all;
}

/* The same, and at last how it has ended; the exec may be gone when this returns. */
static void flush(struct exec *exec)
{
	if (!send_output(exec) || !exec->has_ended)
		return;
	client_put(exec->client, agent_wire_put_exit(client_output(exec->client), &exec->ex));
	client_finish(exec->client, CLIENT_EVER, NULL, NULL);
	process_let_go(exec->process);
	free_exec(exec);
}

static void on_started(void *arg, uint32_t pid)
{
	struct exec *exec = arg;

	client_put(
		exec->client, agent_wire_put_u32(client_output(exec->client), AGENT_STARTED, pid));
	exec->runs = true;
	client_stdio_open(&exec->stdio);
}

static void on_failed(void *arg, uint32_t status, const char *text)
{
	refuse(arg, status, text);
}

static void on_output(void *arg)
{
	send_output(arg);
}

static void on_input_taken(void *arg, size_t n)
{
	struct exec *exec = arg;

	client_stdio_taken(&exec->stdio, n);
}

static void on_ended(void *arg, const struct agent_exit *ex)
{
	struct exec *exec = arg;

	exec->ex = *ex;
	exec->has_ended = true;
	flush(exec);
}

static const struct process_owner process_owner = {
	.started = on_started,
	.failed = on_failed,
	.output = on_output,
	.input_taken = on_input_taken,
	.ended = on_ended,
};

/* --- its start -------------------------------------------------------------------------------- */

/* What START leaves out is taken from the workload. Borrows from both. */
static struct process_spec merge(const struct process_spec *own, const struct process_spec *base)
{
	struct process_spec all = *own;

	if (base == NULL)
		return all;
	all.cwd = own->cwd != NULL ? own->cwd : base->cwd;
	all.user = own->user != NULL && own->user[0] != '\0' ? own->user : base->user;
	/* Who says either of them says all its groups. */
	if (own->n_gids == 0 && own->groups == NULL) {
		all.gids = base->gids;
		all.n_gids = base->n_gids;
		all.groups = base->groups;
	}
	if (!own->has_umask) {
		all.has_umask = base->has_umask;
		all.umask = base->umask;
	}
	if (!own->has_rlimits) {
		all.n_rlimits = base->n_rlimits;
		for (size_t i = 0; i < base->n_rlimits; i++)
			all.rlimits[i] = base->rlimits[i];
	}
	if (!own->has_capabilities) {
		all.has_capabilities = base->has_capabilities;
		all.capabilities = base->capabilities;
		all.ambient = base->ambient;
	}
	if (!own->has_no_new_privileges)
		all.no_new_privileges = base->no_new_privileges;
	return all;
}

/* Without a workload there is nothing to join: it gets a root of its own, to look around. */
static int start(struct exec *exec, struct err *err)
{
	struct workload *workload = &exec->agent->workload;
	struct process_spec spec = merge(&exec->spec, workload->spec);
	struct spawn_plan plan = {
		.spec = &spec,
		.argv = exec->argv,
		.env = exec->env,
		.root = exec->agent->plan.root,
	};

	if (workload->state == WORKLOAD_ENDED)
		return err_set(err, -ESRCH, "the workload has ended");
	if (workload->state == WORKLOAD_RUNNING) {
		if (workload->place.root < 0)
			return err_set(err, -ESRCH, "the workload cannot be joined any more");
		plan.place = &workload->place;
	}
	return process_start(exec->process, &plan, err);
}

static void go(struct workload_waiter *waiter)
{
	struct exec *exec = (struct exec *)((char *)waiter - offsetof(struct exec, waiter));
	struct err err = { "" };

	exec->waits = false;
	if (start(exec, &err) < 0) {
		refuse(exec, NOT_EXECUTABLE, err.text);
		return;
	}
	free(steal_ptr(&exec->argv));
	free(steal_ptr(&exec->env));
}

/* START, ARGV and ENV have come. */
static int complete(struct exec *exec)
{
	if (exec->agent->host.n_processes > EXECS_MAX) {
		refuse(exec, NOT_EXECUTABLE, "too many processes are being run: try again later");
		return 0;
	}
	exec->process = process_new(&exec->agent->host, OUTPUT_SIZE, &process_owner, exec);
	if (exec->process == NULL) {
		refuse(exec, NOT_EXECUTABLE, "out of memory");
		return 0;
	}
	exec->stdio.process = exec->process;
	if (workload_is_decided(&exec->agent->workload)) {
		go(&exec->waiter);
		return 0;
	}
	exec->waits = true;
	workload_wait(&exec->agent->workload, &exec->waiter);
	return 0;
}

/* --- its client ------------------------------------------------------------------------------- */

static int on_argv(struct exec *exec, struct evbuffer *in, uint32_t len, struct err *err)
{
	int ret = agent_wire_get_strings(in, len, &exec->argv);

	return ret < 0 ? err_errno(err, -ret, "ARGV") : 0;
}

static int on_env(struct exec *exec, struct evbuffer *in, uint32_t len, struct err *err)
{
	int ret = agent_wire_get_strings(in, len, &exec->env);

	return ret < 0 ? err_errno(err, -ret, "ENV") : complete(exec);
}

static int on_frame(void *arg, struct client *client, enum agent_wire_type type,
	struct evbuffer *in, uint32_t len, struct err *err)
{
	struct exec *exec = arg;

	if (exec->process != NULL)
		return client_stdio_frame(&exec->stdio, type, in, len, err);
	if (exec->argv == NULL && type == AGENT_ARGV)
		return on_argv(exec, in, len, err);
	if (exec->argv != NULL && type == AGENT_ENV)
		return on_env(exec, in, len, err);
	return err_set(err, -EPROTO, "a %s frame came where %s is expected", agent_wire_name(type),
		exec->argv == NULL ? "ARGV" : "ENV");
}

static void on_room(void *arg)
{
	struct exec *exec = arg;

	if (exec->runs)
		flush(exec);
}

static void on_gone(void *arg)
{
	struct exec *exec = arg;

	if (exec->process != NULL)
		process_hang_up(exec->process);
	free_exec(exec);
}

static const struct client_role role = {
	.frame = on_frame,
	.room = on_room,
	.gone = on_gone,
};

static int decode(struct evbuffer *in, uint32_t len, struct process_spec *spec, struct err *err)
{
	const char *text = (const char *)evbuffer_pullup(in, len);
	json_error_t error;
	json_t *json;
	int ret;

	if (text == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	evbuffer_drain(in, len);
	if (json == NULL)
		return err_set(err, -EINVAL, "START: %s", error.text);
	ret = process_spec_decode(json, "START.", spec, err);
	json_decref(json);
	return ret;
}

int exec_begin(struct agent *agent, struct client *client, struct evbuffer *in, uint32_t len)
{
	struct exec *exec = calloc(1, sizeof(*exec));
	struct err err = { "" };

	if (exec == NULL)
		return -ENOMEM;
	*exec = (struct exec) {
		.agent = agent,
		.client = client,
		.waiter = { .go = go },
		.stdio = { .client = client },
	};
	if (decode(in, len, &exec->spec, &err) < 0) {
		free(exec);
		client_refuse(client, NOT_EXECUTABLE, err.text);
		return 0;
	}
	client_set_role(client, &role, exec);
	return 0;
}
