/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/vmm/rest_vmm.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "launcher/vmm/rest.h"
#include "launcher/vmm/vmm_check.h"
#include "launcher/vmm/vmm_child.h"
#include "launcher/vmm/vmm_tell.h"
#include "lib/cleanup.h"
#include "lib/unix_socket.h"

#define SOCKET_PATH_MAX sizeof(((struct sockaddr_un *)0)->sun_path)

#define RETRY_MS    10
#define RETRIES_MAX 1000 /* ten seconds until it listens */

enum state { STARTING, RUNNING, OVER };

struct rest_vmm {
	struct vmm vmm;
	const struct rest_kind *kind;
	struct child *child;
	struct rest *rest;
	struct event *retry;
	unsigned n_retries;
	struct rest_steps steps;
	size_t at; /* the step that is being taken */
	struct vmm_teller teller;
	enum state state;
	char socket[SOCKET_PATH_MAX];
	char complaint[200]; /* why we killed it; empty: we did not */
};

static struct rest_vmm *rest_vmm_of(const struct vmm *vmm)
{
	return (struct rest_vmm *)vmm;
}

/* --- steps ----------------------------------------------------------------------------------- */

static struct rest_step *add_step(struct rest_steps *steps, const char *path)
{
	struct rest_step *step = steps->n < REST_STEPS_MAX ? &steps->step[steps->n] : NULL;

	if (step == NULL) {
		steps->failed = true;
		return NULL;
	}
	*step = (struct rest_step) { .method = "PUT" };
	snprintf(step->path, sizeof(step->path), "%s", path);
	steps->n++;
	return step;
}

void rest_steps_add(struct rest_steps *steps, const char *path, json_t *body)
{
	struct rest_step *step = add_step(steps, path);

	if (step == NULL)
		json_decref(body);
	else
		step->body = body;
	if (body == NULL)
		steps->failed = true;
}

void rest_steps_add_bare(struct rest_steps *steps, const char *path)
{
	add_step(steps, path);
}

json_t *rest_vmm_cmdline(const struct vmm_plan *plan, const char *own)
{
	const char *theirs = plan->cmdline != NULL ? plan->cmdline : "";

	return json_sprintf("%s%s%s", theirs, theirs[0] != '\0' ? " " : "", own);
}

static void free_steps(struct rest_steps *steps)
{
	for (size_t i = 0; i < steps->n; i++)
		json_decref(steps->step[i].body);
	*steps = (struct rest_steps) { 0 };
}

/* --- its end --------------------------------------------------------------------------------- */

static void give_up(struct rest_vmm *vmm, const char *what, const char *why)
{
	snprintf(vmm->complaint, sizeof(vmm->complaint), "%s: %s", what, why);
	child_signal(vmm->child, SIGKILL);
}

static void on_ended(void *owner, struct child *child, int status)
{
	struct rest_vmm *vmm = owner;
	bool orderly = vmm->state == RUNNING && WIFEXITED(status) && WEXITSTATUS(status) == 0;
	char text[64], detail[300];

	vmm->state = OVER;
	event_del(vmm->retry);
	rest_close(vmm->rest);
	vmm->rest = NULL;
	if (orderly && !vmm_tell(&vmm->teller, VMM_SHUTDOWN, "guest-shutdown"))
		return;
	child_describe_status(status, text);
	snprintf(detail, sizeof(detail), "%s%s%s", text, vmm->complaint[0] != '\0' ? ": " : "",
		vmm->complaint);
	vmm_tell(&vmm->teller, VMM_ENDED, detail);
}

/* --- telling it what to boot ----------------------------------------------------------------- */

static void take_step(struct rest_vmm *vmm);

static void on_step_done(void *owner, int status, const json_t *body, const char *error)
{
	struct rest_vmm *vmm = owner;

	if (error != NULL || status >= 300) {
		give_up(vmm, vmm->steps.step[vmm->at].path,
			error != NULL ? error : "an answer that means nothing");
		return;
	}
	vmm->at++;
	take_step(vmm);
}

static void take_step(struct rest_vmm *vmm)
{
	const struct rest_step *step = &vmm->steps.step[vmm->at];
	struct err err = { "" };

	if (vmm->at == vmm->steps.n) {
		vmm->state = RUNNING;
		vmm_tell(&vmm->teller, VMM_RUNNING, "");
	} else if (rest_call(vmm->rest, step->method, step->path, step->body, on_step_done, vmm,
			   &err) < 0) {
		give_up(vmm, step->path, err.text);
	}
}

/* It says nothing when it begins to listen. */
static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval later = { .tv_usec = RETRY_MS * 1000 };
	struct rest_vmm *vmm = arg;
	int sock = unix_connect(vmm->socket, NULL);

	if (sock >= 0) {
		close(sock);
		take_step(vmm);
	} else if (++vmm->n_retries == RETRIES_MAX) {
		give_up(vmm, "its API", "nobody listens");
	} else {
		event_add(vmm->retry, &later);
	}
}

/* --- the contract ---------------------------------------------------------------------------- */

void rest_vmm_kill(struct vmm *base)
{
	struct rest_vmm *vmm = rest_vmm_of(base);

	vmm_teller_end(&vmm->teller);
	rest_close(vmm->rest);
	child_kill(vmm->child);
	if (vmm->retry != NULL)
		event_free(vmm->retry);
	if (vmm->socket[0] != '\0')
		unlink(vmm->socket);
	free_steps(&vmm->steps);
	free(vmm);
}

static int start_child(struct rest_vmm *vmm, struct event_base *loop, struct keeper *keeper,
	const struct vmm_plan *plan, struct err *err)
{
	cleanup_argv struct argv argv = { 0 };
	struct child_plan child =
		vmm_child_plan(plan, vmm->kind->title, vmm_program(plan, vmm->kind->usual), keeper);

	vmm->kind->args(child.program, vmm->socket, &argv);
	if (argv_check(&argv) < 0)
		return err_errno(err, ENOMEM, "cannot start %s", vmm->kind->title);
	child.argv = argv.words;
	child.ended = on_ended;
	child.owner = vmm;
	return child_start(loop, &child, &vmm->child, err);
}

static int start(struct rest_vmm *vmm, struct event_base *loop, struct keeper *keeper,
	const struct vmm_plan *plan, struct err *err)
{
	int len = snprintf(vmm->socket, sizeof(vmm->socket), "%s/api.sock", plan->run_dir);

	if (len >= (int)sizeof(vmm->socket))
		return err_set(err, -ENAMETOOLONG, "%s is too long for sockets", plan->run_dir);
	unlink(vmm->socket);
	vmm->kind->steps(plan, &vmm->steps);
	vmm->retry = evtimer_new(loop, on_retry, vmm);
	if (vmm->steps.failed || vmm->retry == NULL)
		return err_errno(err, ENOMEM, "cannot start %s", vmm->kind->title);
	if (rest_open(loop, vmm->socket, &vmm->rest, err) < 0)
		return -ENOMEM;
	return start_child(vmm, loop, keeper, plan, err);
}

int rest_vmm_start(const struct vmm_kind *kind, const struct rest_kind *rest,
	struct event_base *loop, struct keeper *keeper, const struct vmm_plan *plan,
	const struct vmm_owner *owner, struct vmm **out, struct err *err)
{
	struct rest_vmm *vmm = calloc(1, sizeof(*vmm));
	int ret;

	if (vmm == NULL)
		return err_errno(err, ENOMEM, "cannot start %s", rest->title);
	vmm->vmm.kind = kind;
	vmm->kind = rest;
	vmm->teller.owner = *owner;
	ret = start(vmm, loop, keeper, plan, err);
	if (ret < 0) {
		rest_vmm_kill(&vmm->vmm);
		return ret;
	}
	event_active(vmm->retry, EV_TIMEOUT, 0);
	*out = &vmm->vmm;
	return 0;
}

static void on_powerdown_done(void *owner, int status, const json_t *body, const char *error)
{
	/* Whether the guest minds its button shows in whether it ends. */
}

int rest_vmm_powerdown(struct vmm *base, struct err *err)
{
	struct rest_vmm *vmm = rest_vmm_of(base);
	struct rest_steps steps = { 0 };
	int ret = -ENOMEM;

	if (vmm->state != RUNNING)
		return err_set(err, -EIO, "%s runs no guest now", vmm->kind->title);
	vmm->kind->powerdown(&steps);
	if (!steps.failed)
		ret = rest_call(vmm->rest, steps.step[0].method, steps.step[0].path,
			steps.step[0].body, on_powerdown_done, vmm, err);
	free_steps(&steps);
	return ret == 0 ? 0 : -EIO;
}

const char *rest_vmm_state(const struct vmm *vmm)
{
	static const char *const names[] = {
		[STARTING] = "starting", [RUNNING] = "running", [OVER] = "ended"
	};

	return names[rest_vmm_of(vmm)->state];
}

pid_t rest_vmm_pid(const struct vmm *vmm)
{
	return child_pid(rest_vmm_of(vmm)->child);
}
