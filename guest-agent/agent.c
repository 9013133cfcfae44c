/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest-agent/agent.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/buffer.h>

#include "guest-agent/agent_private.h"
#include "guest-agent/exec.h"
#include "guest-agent/status.h"
#include "lib/cleanup.h"
#include "lib/log.h"

/* --- a client's first frame ------------------------------------------------------------------- */

static int answer_status(struct agent *agent, struct client *client)
{
	cleanup_free char *text = status_text(agent);

	if (text == NULL)
		return -ENOMEM;
	client_put(client, agent_wire_put(client_output(client), AGENT_STATUS, text, strlen(text)));
	client_finish(client, CLIENT_SOON, NULL, NULL);
	return 0;
}

static void on_poweroff_closed(void *arg, bool in_order)
{
	struct agent *agent = arg;

	if (agent->plan.poweroff != NULL)
		agent->plan.poweroff(agent->plan.owner);
}

static int on_first_frame(void *arg, struct client *client, enum agent_wire_type type,
	struct evbuffer *in, uint32_t len, struct err *err)
{
	struct agent *agent = arg;

	switch (type) {
	case AGENT_START:
		return exec_begin(agent, client, in, len);
	case AGENT_ATTACH:
		return workload_attach(&agent->workload, client, in, len, err);
	case AGENT_STATUS:
		return answer_status(agent, client);
	case AGENT_POWEROFF:
		log_info("a client asked for the machine to be turned off");
		client_finish(client, CLIENT_SOON, on_poweroff_closed, agent);
		return 0;
	default:
		return err_set(err, -EPROTO, "a %s frame came first", agent_wire_name(type));
	}
}

static void on_gone(void *arg)
{
}

static const struct client_role first_role = {
	.frame = on_first_frame,
	.room = on_gone,
	.gone = on_gone,
};

/* --- connections ------------------------------------------------------------------------------ */

static void on_client(void *owner, int fd)
{
	struct agent *agent = owner;

	if (agent->clients.n >= CLIENTS_MAX) {
		log_limited(LOG_LEVEL_WARN, "a client was refused: there are too many",
			log_int("clients", agent->clients.n));
		close(fd);
		return;
	}
	client_new(agent->loop, &agent->clients, fd, &first_role, agent);
}

static void on_forward(void *owner, int fd)
{
	struct agent *agent = owner;

	forwards_accept(agent->forwards, fd);
}

static void on_watcher(void *owner, int fd)
{
	struct agent *agent = owner;

	port_reports_accept(agent->reports, fd);
}

/* What there is to connect to, on vsock or as unix sockets. */
static const struct {
	unsigned port;
	const char *name;
	listener_accepted *accepted;
} services[AGENT_N_SERVICES] = {
	{ AGENT_PORT, "agent", on_client },
	{ AGENT_FORWARD_PORT, "forward", on_forward },
	{ AGENT_PORTS_PORT, "ports", on_watcher },
};

static int listen_vsock(struct agent *agent, struct err *err)
{
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < AGENT_N_SERVICES; i++)
		ret = listener_vsock(agent->loop, services[i].port, services[i].accepted, agent,
			&agent->listeners[i], err);
	return ret;
}

static int listen_unix(struct agent *agent, struct err *err)
{
	char path[PATH_MAX];
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < AGENT_N_SERVICES; i++) {
		snprintf(path, sizeof(path), "%s/%s", agent->plan.socket_dir, services[i].name);
		ret = listener_unix(
			agent->loop, path, services[i].accepted, agent, &agent->listeners[i], err);
	}
	return ret;
}

/* --- the agent -------------------------------------------------------------------------------- */

static int copy_plan(struct agent *agent, const struct agent_plan *plan)
{
	agent->plan = *plan;
	agent->plan.root = strdup(plan->root);
	if (plan->socket_dir != NULL)
		agent->plan.socket_dir = strdup(plan->socket_dir);
	if (agent->plan.root == NULL ||
		(plan->socket_dir != NULL && agent->plan.socket_dir == NULL))
		return -ENOMEM;
	return 0;
}

static int set_up(struct agent *agent, const struct agent_plan *plan, struct err *err)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	int ret;

	if (copy_plan(agent, plan) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	sigaction(SIGPIPE, &ignore, NULL);
	ret = process_host_init(&agent->host, agent->loop, err);
	if (ret < 0)
		return ret;
	agent->forwards = forwards_new(agent->loop);
	agent->reports = port_reports_new(agent->loop);
	if (agent->forwards == NULL || agent->reports == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	return plan->socket_dir != NULL ? listen_unix(agent, err) : listen_vsock(agent, err);
}

int agent_create(
	struct event_base *loop, const struct agent_plan *plan, struct agent **out, struct err *err)
{
	struct agent *agent = calloc(1, sizeof(*agent));
	int ret;

	if (agent == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	agent->loop = loop;
	LIST_INIT(&agent->clients.clients);
	LIST_INIT(&agent->host.processes);
	agent->host.own_pid_ns = -1;
	workload_init(&agent->workload, agent);
	ret = set_up(agent, plan, err);
	if (ret < 0) {
		agent_free(agent);
		return ret;
	}
	*out = agent;
	return 0;
}

int agent_start_workload(struct agent *agent, const struct process_spec *spec, char *const *argv,
	char *const *env, struct err *err)
{
	return workload_start(&agent->workload, spec, argv, env, err);
}

int agent_share_ports(struct agent *agent, const uint16_t *ports, size_t n, struct err *err)
{
	port_reports_hide(agent->reports, ports, n);
	return n > 0 ? host_ports_open(agent->loop, ports, n, &agent->host_ports, err) : 0;
}

void agent_set_failure(struct agent *agent, uint32_t status, const char *text)
{
	workload_fail(&agent->workload, status, text);
}

void agent_free(struct agent *agent)
{
	struct client *client;

	if (agent == NULL)
		return;
	for (size_t i = 0; i < AGENT_N_SERVICES; i++)
		listener_free(agent->listeners[i]);
	while ((client = LIST_FIRST(&agent->clients.clients)) != NULL)
		client_drop(client);
	forwards_free(agent->forwards);
	port_reports_free(agent->reports);
	host_ports_free(agent->host_ports);
	workload_free(&agent->workload);
	process_host_close(&agent->host);
	free((char *)agent->plan.root);
	free((char *)agent->plan.socket_dir);
	free(agent);
}
