/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/run/vm_halt.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "launcher/process/loop.h"
#include "lib/agent_wire.h"
#include "lib/cleanup.h"
#include "lib/log.h"

#define POWEROFF_S  5
#define POWERDOWN_S 5
#define ANSWER_MS   500

enum stage { POWEROFF, POWERDOWN, KILLED };

struct vm_halt {
	struct vm *vm;
	struct event *timer;
	enum stage next;
	double deadline_ms;
	int agent; /* connection; -1: none */
	struct event *answer;
};

static void wait_for(struct vm_halt *h, enum stage next, unsigned seconds)
{
	const struct timeval left = { (time_t)seconds, 0 };

	h->next = next;
	h->deadline_ms = loop_now_ms() + seconds * 1e3;
	(void)event_add(h->timer, &left);
}

static void hang_up(struct vm_halt *h)
{
	if (h->answer != NULL)
		event_free(h->answer);
	if (h->agent >= 0)
		close(h->agent);
	h->answer = NULL;
	h->agent = -1;
}

static void on_answer(evutil_socket_t fd, short what, void *arg)
{
	char greeting[64];
	ssize_t n = read(fd, greeting, sizeof(greeting));

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		hang_up(arg);
}

/*
 * Until the agent ends it, the connection stays open: one that cannot greet us any more does not
 * listen to us, either. Then it is ours to close, which the agent waits for.
 */
static int await_answer(struct vm_halt *h, int fd, struct err *err)
{
	hang_up(h);
	h->agent = fd;
	h->answer = event_new(h->vm->loop, fd, EV_READ | EV_PERSIST, on_answer, h);
	if (h->answer != NULL && event_add(h->answer, NULL) == 0)
		return 0;
	hang_up(h);
	return err_set(err, -ENOMEM, "out of memory");
}

/* The request is small: it fits a socket's buffer. */
static int ask_agent(struct vm_halt *h, struct err *err)
{
	struct evbuffer *out = evbuffer_new();
	cleanup_close int fd = -1;
	int ret = exec_connect(h->vm->paths.vsock, AGENT_PORT, ANSWER_MS, &fd, err);

	if (ret == 0 && out == NULL)
		ret = -ENOMEM;
	if (ret == 0)
		ret = agent_wire_put_hello(out);
	if (ret == 0)
		ret = agent_wire_put(out, AGENT_POWEROFF, NULL, 0);
	if (ret == 0 && evbuffer_write(out, fd) < 0)
		ret = err_errno(err, errno, "agent");
	if (ret == 0)
		ret = await_answer(h, steal_fd(&fd), err);
	if (out != NULL)
		evbuffer_free(out);
	return ret;
}

/* A step that cannot be taken has not been enough. */
static void take_step(struct vm_halt *h)
{
	struct vm *vm = h->vm;
	struct err err = { "" };

	switch (h->next) {
	case POWEROFF:
		log_info("halt", log_str("step", "poweroff"));
		if (ask_agent(h, &err) == 0)
			wait_for(h, POWERDOWN, POWEROFF_S);
		else
			wait_for(h, POWERDOWN, 0);
		return;
	case POWERDOWN:
		log_info("halt", log_str("step", "powerdown"));
		if (vm->vmm != NULL && (vm->kind->can & VMM_CAN_POWERDOWN) &&
			vm->kind->powerdown(vm->vmm, &err) == 0)
			wait_for(h, KILLED, POWERDOWN_S);
		else
			wait_for(h, KILLED, 0);
		return;
	case KILLED:
		log_info("halt", log_str("step", "kill"));
		vm_end(vm, 128 + SIGKILL, NULL);
		return;
	}
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	take_step(arg);
}

static int create(struct vm *vm, struct err *err)
{
	struct vm_halt *h = calloc(1, sizeof(*h));

	if (h == NULL || (h->timer = evtimer_new(vm->loop, on_timer, h)) == NULL) {
		free(h);
		return err_set(err, -ENOMEM, "out of memory");
	}
	h->vm = vm;
	h->agent = -1;
	vm->halt = h;
	return 0;
}

int vm_halt_begin(struct vm *vm, unsigned grace_s, struct err *err)
{
	bool again = vm->halt != NULL;
	int ret = again ? 0 : create(vm, err);

	if (ret < 0)
		return ret;
	if (vm->idle)
		grace_s = 0;
	else if (!again)
		vm_signal(vm, (int)vm->settings->stop_signal);
	if (!again || (vm->halt->next == POWEROFF &&
			      loop_now_ms() + grace_s * 1e3 < vm->halt->deadline_ms))
		wait_for(vm->halt, POWEROFF, grace_s);
	return 0;
}

void vm_halt_free(struct vm_halt *halt)
{
	if (halt == NULL)
		return;
	event_free(halt->timer);
	hang_up(halt);
	free(halt);
}
