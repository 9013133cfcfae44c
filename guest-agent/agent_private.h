/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* What the files of the core share: the agent itself. */

#include "guest-agent/agent.h"
#include "guest-agent/agent_forward.h"
#include "guest-agent/client.h"
#include "guest-agent/host_ports.h"
#include "guest-agent/listener.h"
#include "guest-agent/port_reports.h"
#include "guest-agent/process.h"
#include "guest-agent/workload.h"

/* More than execs: who asks for the status, say, must not wait for one to end. */
#define CLIENTS_MAX 384

#define AGENT_N_SERVICES 3

struct agent {
	struct event_base *loop;
	struct agent_plan plan; /* strings are ours */
	struct process_host host;
	struct client_list clients;
	struct workload workload;
	struct forwards *forwards;
	struct port_reports *reports;
	struct host_ports *host_ports; /* NULL: none */
	struct listener *listeners[AGENT_N_SERVICES];
};
