/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Theory of operation. QEMU gets one end of a socket pair as its monitor: nothing to connect to, to
 * wait for or to remove. It starts stopped (-S):
 *
 *      started -- monitor ready, cont --> running -- SHUTDOWN --> shut down -- ended
 *
 * QEMU is what stands between a hostile guest and us. Its monitor is read with suspicion (qmp.h),
 * and one that says what it should not is killed: it cannot be controlled any more. One that closes
 * its monitor is about to end, and has some seconds for it. What it said last may still be unread
 * when it has ended: it is over when both its process and its monitor have.
 */

#include "launcher/vmm/vmm.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "launcher/vmm/kvm.h"
#include "launcher/vmm/qemu_args.h"
#include "launcher/vmm/qmp.h"
#include "launcher/vmm/tsc.h"
#include "launcher/vmm/vmm_check.h"
#include "launcher/vmm/vmm_child.h"
#include "launcher/vmm/vmm_tell.h"
#include "lib/cleanup.h"

#define PROGRAM        "qemu-system-x86_64"
#define END_TIMEOUT_S  10 /* from its monitor's end to its own */
#define REASON_LEN_MAX 32 /* of a reason that QEMU gives: "guest-shutdown" */

enum state { STARTING, RUNNING, SHUT_DOWN, OVER };

struct qemu {
	struct vmm vmm;
	struct child *child;
	struct qmp *qmp;
	struct event *deadline; /* it is killed then */
	struct vmm_teller teller;
	enum state state;
	bool child_ended, monitor_ended;
	int status;          /* once the child has ended */
	char complaint[128]; /* why we killed it; empty: we did not */
};

static struct qemu *qemu_of(const struct vmm *vmm)
{
	return (struct qemu *)vmm;
}

/* --- its end --------------------------------------------------------------------------------- */

static void end_if_over(struct qemu *qemu)
{
	char text[64], detail[256];

	if (!qemu->child_ended || !qemu->monitor_ended)
		return;
	qemu->state = OVER;
	event_del(qemu->deadline);
	child_describe_status(qemu->status, text);
	snprintf(detail, sizeof(detail), "%s%s%s", text, qemu->complaint[0] != '\0' ? ": " : "",
		qemu->complaint);
	vmm_tell(&qemu->teller, VMM_ENDED, detail);
}

static void on_ended(void *owner, struct child *child, int status)
{
	struct qemu *qemu = owner;

	qemu->child_ended = true;
	qemu->status = status;
	end_if_over(qemu);
}

/* VMM_ENDED follows when it has ended. */
static void give_up(struct qemu *qemu, const char *complaint)
{
	snprintf(qemu->complaint, sizeof(qemu->complaint), "%s", complaint);
	child_signal(qemu->child, SIGKILL);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	give_up(arg, "it closed its monitor and went on");
}

/* --- its monitor ----------------------------------------------------------------------------- */

static void on_continued(void *owner, const json_t *result, const char *error)
{
	struct qemu *qemu = owner;

	if (result == NULL) {
		give_up(qemu, "it does not start the guest");
		return;
	}
	if (qemu->state != STARTING)
		return;
	qemu->state = RUNNING;
	vmm_tell(&qemu->teller, VMM_RUNNING, "");
}

static void on_ready(void *owner)
{
	struct qemu *qemu = owner;

	if (qmp_execute(qemu->qmp, "cont", NULL, on_continued, NULL) < 0)
		give_up(qemu, "it cannot be told to start the guest");
}

/* As QEMU names it, if it could be one of its names. */
static const char *reason_of(const json_t *data)
{
	const char *reason = json_string_value(json_object_get(data, "reason"));
	size_t len = reason != NULL ? strlen(reason) : 0;

	if (len == 0 || len > REASON_LEN_MAX ||
		strspn(reason, "abcdefghijklmnopqrstuvwxyz-") != len)
		return "unknown";
	return reason;
}

/* A shutdown that is not the guest's is ours (quit), or a signal's. */
static void on_shutdown(struct qemu *qemu, const json_t *data)
{
	if (!json_is_true(json_object_get(data, "guest")) || qemu->state == SHUT_DOWN)
		return;
	qemu->state = SHUT_DOWN;
	vmm_tell(&qemu->teller, VMM_SHUTDOWN, reason_of(data));
}

static void on_event(void *owner, const char *name, const json_t *data)
{
	struct qemu *qemu = owner;

	if (strcmp(name, "SHUTDOWN") == 0)
		on_shutdown(qemu, data);
	else if (strcmp(name, "GUEST_PANICKED") == 0)
		vmm_tell(&qemu->teller, VMM_PANICKED, "");
}

static void on_monitor_ended(void *owner, const char *error)
{
	const struct timeval timeout = { .tv_sec = END_TIMEOUT_S };
	struct qemu *qemu = owner;
	char complaint[sizeof(qemu->complaint)];

	qemu->monitor_ended = true;
	if (error != NULL) {
		snprintf(complaint, sizeof(complaint), "its monitor said: %s", error);
		give_up(qemu, complaint);
	} else {
		event_add(qemu->deadline, &timeout);
	}
	end_if_over(qemu);
}

/* --- starting -------------------------------------------------------------------------------- */

static int choose_accel(const struct vmm_plan *plan, bool *kvm, struct err *err)
{
	int ret = plan->accel == VMM_ACCEL_TCG ? -ENODEV : kvm_usable(err);

	*kvm = ret == 0;
	return plan->accel == VMM_ACCEL_KVM ? ret : 0;
}

static int qemu_check(const struct vmm_plan *plan, struct err *err)
{
	bool kvm;
	int ret;

	if (plan->kernel == NULL || plan->kernel[0] == '\0')
		return err_set(err, -EINVAL, "QEMU needs a kernel");
	ret = vmm_check_files(plan, PROGRAM, err);
	return ret == 0 ? choose_accel(plan, &kvm, err) : ret;
}

static void qemu_kill(struct vmm *vmm)
{
	struct qemu *qemu = qemu_of(vmm);

	vmm_teller_end(&qemu->teller);
	qmp_close(qemu->qmp);
	child_kill(qemu->child);
	if (qemu->deadline != NULL)
		event_free(qemu->deadline);
	free(qemu);
}

static int start_child(struct qemu *qemu, struct event_base *loop, struct keeper *keeper,
	const struct vmm_plan *plan, int monitor, struct err *err)
{
	struct qemu_run run = { .program = vmm_program(plan, PROGRAM), .monitor = monitor };
	cleanup_argv struct argv argv = { 0 };
	struct child_plan child = vmm_child_plan(plan, "QEMU", run.program, keeper);
	int ret = choose_accel(plan, &run.kvm, err);

	if (ret == 0 && !run.kvm)
		run.tsc_khz = tsc_khz();
	if (ret == 0)
		ret = qemu_args(plan, &run, &argv, err);
	if (ret < 0)
		return ret;
	vmm_child_inherits(&child, plan->console);
	vmm_child_inherits(&child, monitor);
	child.argv = argv.words;
	child.ended = on_ended;
	child.owner = qemu;
	return child_start(loop, &child, &qemu->child, err);
}

static int start(struct qemu *qemu, struct event_base *loop, struct keeper *keeper,
	const struct vmm_plan *plan, struct err *err)
{
	const struct qmp_owner monitor = {
		.ready = on_ready, .event = on_event, .ended = on_monitor_ended, .owner = qemu
	};
	cleanup_close int ours = -1;
	cleanup_close int its = -1;
	int pair[2];
	int ret;

	qemu->deadline = evtimer_new(loop, on_deadline, qemu);
	if (qemu->deadline == NULL)
		return err_errno(err, ENOMEM, "cannot start QEMU");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(err, errno, "cannot start QEMU");
	ours = pair[0];
	its = pair[1];
	ret = start_child(qemu, loop, keeper, plan, its, err);
	if (ret < 0)
		return ret;
	return qmp_open(loop, steal_fd(&ours), &monitor, &qemu->qmp, err);
}

static int qemu_start(struct event_base *loop, struct keeper *keeper, const struct vmm_plan *plan,
	const struct vmm_owner *owner, struct vmm **out, struct err *err)
{
	struct qemu *qemu = calloc(1, sizeof(*qemu));
	int ret;

	if (qemu == NULL)
		return err_errno(err, ENOMEM, "cannot start QEMU");
	qemu->vmm.kind = &vmm_qemu;
	qemu->teller.owner = *owner;
	ret = start(qemu, loop, keeper, plan, err);
	if (ret < 0)
		qemu_kill(&qemu->vmm);
	else
		*out = &qemu->vmm;
	return ret;
}

/* --- afterwards ------------------------------------------------------------------------------ */

static int qemu_powerdown(struct vmm *vmm, struct err *err)
{
	struct qemu *qemu = qemu_of(vmm);

	return qmp_execute(qemu->qmp, "system_powerdown", NULL, NULL, err) == 0 ? 0 : -EIO;
}

static const char *qemu_state(const struct vmm *vmm)
{
	static const char *const names[] = {
		[STARTING] = "starting",
		[RUNNING] = "running",
		[SHUT_DOWN] = "shutdown",
		[OVER] = "ended",
	};

	return names[qemu_of(vmm)->state];
}

static pid_t qemu_pid(const struct vmm *vmm)
{
	return child_pid(qemu_of(vmm)->child);
}

const struct vmm_kind vmm_qemu = {
	.name = "qemu",
	.can = VMM_CAN_VHOST_VSOCK | VMM_CAN_VIRTIOFS | VMM_CAN_DRIVE | VMM_CAN_VHOST_NET |
	       VMM_CAN_RECONNECT | VMM_CAN_POWERDOWN | VMM_IS_BOUNDARY,
	.drive_device = "/dev/vda",
	.check = qemu_check,
	.start = qemu_start,
	.powerdown = qemu_powerdown,
	.kill = qemu_kill,
	.state = qemu_state,
	.pid = qemu_pid,
};
