/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest-agent/service.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>

#include <event2/event.h>

#include "guest-agent/agent.h"
#include "guest-agent/console.h"
#include "lib/agent_wire.h"

/* What systemd as PID 1 takes for "power off" (systemd(1), SIGNALS). */
#define SIGPOWEROFF (SIGRTMIN + 4)

static void on_poweroff(void *owner)
{
	if (kill(1, SIGPOWEROFF) < 0)
		console_say("cannot ask init for power off: %m");
}

static void on_signal(evutil_socket_t signo, short what, void *loop)
{
	event_base_loopbreak(loop);
}

static int serve(struct event_base *loop, const struct service_options *options, struct err *err)
{
	const struct agent_plan plan = {
		.root = options->root,
		.socket_dir = options->socket_dir,
		.poweroff = on_poweroff,
	};
	struct agent *agent = NULL;
	int ret = agent_create(loop, &plan, &agent, err);

	if (ret < 0)
		return ret;
	agent_set_failure(agent, AGENT_CANNOT_RUN, "this agent is a service: there is no workload");
	if (event_base_dispatch(loop) < 0)
		ret = err_set(err, -EIO, "the event loop failed");
	agent_free(agent);
	return ret;
}

int service_run(const struct service_options *options, struct err *err)
{
	struct event_base *loop = event_base_new();
	struct event *term = NULL, *interrupt = NULL;
	int ret = -ENOMEM;

	if (loop != NULL) {
		term = evsignal_new(loop, SIGTERM, on_signal, loop);
		interrupt = evsignal_new(loop, SIGINT, on_signal, loop);
	}
	if (term == NULL || interrupt == NULL || event_add(term, NULL) < 0 ||
		event_add(interrupt, NULL) < 0)
		err_set(err, ret, "out of memory");
	else if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		ret = err_errno(err, errno, "cannot become a subreaper");
	else
		ret = serve(loop, options, err);
	if (term != NULL)
		event_free(term);
	if (interrupt != NULL)
		event_free(interrupt);
	if (loop != NULL)
		event_base_free(loop);
	return ret;
}
