/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * UML: the guest's kernel is a program that needs neither hardware nor rights, and boots in a
 * second. Its processes run on the host's kernel under ptrace(2): it is no security boundary.
 *
 * The plan's kernel is the program itself. The guest's memory is a file in a tmpfs that is mapped
 * executable, so it must not be mounted noexec. It has one CPU, no power button, and says nothing
 * but its exit status: 0 is a guest that powered off (or rebooted: `noreboot`). Its network does
 * not come back when its backend was away: it never connects again.
 */

#include "launcher/vmm/vmm.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "launcher/process/program.h"
#include "launcher/vmm/uml_args.h"
#include "launcher/vmm/vmm_check.h"
#include "launcher/vmm/vmm_child.h"
#include "launcher/vmm/vmm_tell.h"
#include "lib/cleanup.h"

#define PROGRAM "linux.uml"

struct uml {
	struct vmm vmm;
	struct child *child;
	struct vmm_teller teller;
	struct event *announce; /* VMM_RUNNING, from the loop */
	bool ended;
};

static struct uml *uml_of(const struct vmm *vmm)
{
	return (struct uml *)vmm;
}

/* --- where its memory is --------------------------------------------------------------------- */

static bool can_hold_memory(const char *dir)
{
	struct statfs fs;
	struct statvfs flags;

	return statfs(dir, &fs) == 0 && fs.f_type == TMPFS_MAGIC && statvfs(dir, &flags) == 0 &&
	       (flags.f_flag & (ST_NOEXEC | ST_RDONLY)) == 0 && access(dir, W_OK) == 0;
}

static const char *find_memory_dir(const struct vmm_plan *plan, struct err *err)
{
	const char *const dirs[] = { plan->run_dir, "/dev/shm" };

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		if (can_hold_memory(dirs[i]))
			return dirs[i];
	err_set(err, -EACCES,
		"UML keeps the guest's memory in a tmpfs that is not mounted noexec, which neither "
		"%s nor /dev/shm is (remount one with exec)",
		plan->run_dir);
	return NULL;
}

/* Our environment with another TMPDIR. To be freed; the words are borrowed but for the first. */
static char **make_environment(const char *tmpdir)
{
	size_t n = 0, at = 0;
	char **env;

	while (environ != NULL && environ[n] != NULL)
		n++;
	env = calloc(n + 2, sizeof(*env));
	if (env == NULL || asprintf(&env[at++], "TMPDIR=%s", tmpdir) < 0) {
		free(env);
		return NULL;
	}
	for (size_t i = 0; i < n; i++)
		if (strncmp(environ[i], "TMPDIR=", 7) != 0)
			env[at++] = environ[i];
	return env;
}

static void free_environment(char **env)
{
	if (env != NULL)
		free(env[0]);
	free(env);
}

/* --- events ---------------------------------------------------------------------------------- */

static void on_announce(evutil_socket_t fd, short what, void *arg)
{
	struct uml *uml = arg;

	vmm_tell(&uml->teller, VMM_RUNNING, "");
}

static void on_ended(void *owner, struct child *child, int status)
{
	struct uml *uml = owner;
	char text[64];

	uml->ended = true;
	event_del(uml->announce);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0 &&
		!vmm_tell(&uml->teller, VMM_SHUTDOWN, "guest-shutdown"))
		return;
	vmm_tell(&uml->teller, VMM_ENDED, child_describe_status(status, text));
}

/* --- the contract ---------------------------------------------------------------------------- */

/* A distribution's kernel for UML is a program: the plan may name it as either. */
static const char *program_of(const struct vmm_plan *plan)
{
	if (plan->program == NULL && plan->kernel != NULL && plan->kernel[0] != '\0')
		return plan->kernel;
	return vmm_program(plan, PROGRAM);
}

static int uml_check(const struct vmm_plan *plan, struct err *err)
{
	int ret = vmm_check_files(plan, program_of(plan), err);

	if (ret == 0 && find_memory_dir(plan, err) == NULL)
		ret = -EACCES;
	return ret;
}

static void uml_kill(struct vmm *vmm)
{
	struct uml *uml = uml_of(vmm);

	vmm_teller_end(&uml->teller);
	child_kill(uml->child);
	if (uml->announce != NULL)
		event_free(uml->announce);
	free(uml);
}

static int start_child(struct uml *uml, struct event_base *loop, struct keeper *keeper,
	const struct vmm_plan *plan, struct err *err)
{
	const char *dir = find_memory_dir(plan, err);
	cleanup_argv struct argv argv = { 0 };
	struct child_plan child = vmm_child_plan(plan, "UML", program_of(plan), keeper);
	int ret;

	if (dir == NULL)
		return -EACCES;
	ret = uml_args(plan, child.program, &argv, err);
	if (ret < 0)
		return ret;
	child.argv = argv.words;
	/* One of its processes runs at a time, and each system call of the guest takes turns of
	 * two: on one CPU that is a third faster than across two. */
	child.one_cpu = true;
	child.ended = on_ended;
	child.owner = uml;
	child.env = make_environment(dir);
	if (child.env == NULL)
		return err_errno(err, ENOMEM, "cannot start UML");
	ret = child_start(loop, &child, &uml->child, err);
	free_environment((char **)child.env);
	return ret;
}

static int uml_start(struct event_base *loop, struct keeper *keeper, const struct vmm_plan *plan,
	const struct vmm_owner *owner, struct vmm **out, struct err *err)
{
	struct uml *uml = calloc(1, sizeof(*uml));
	int ret;

	if (uml == NULL)
		return err_errno(err, ENOMEM, "cannot start UML");
	uml->vmm.kind = &vmm_uml;
	uml->teller.owner = *owner;
	uml->announce = event_new(loop, -1, 0, on_announce, uml);
	ret = uml->announce != NULL ? start_child(uml, loop, keeper, plan, err)
				    : err_errno(err, ENOMEM, "cannot start UML");
	if (ret < 0) {
		uml_kill(&uml->vmm);
		return ret;
	}
	event_active(uml->announce, 0, 0);
	*out = &uml->vmm;
	return 0;
}

static int uml_powerdown(struct vmm *vmm, struct err *err)
{
	return err_set(err, -ENOTSUP, "UML has no power button");
}

static const char *uml_state(const struct vmm *vmm)
{
	return uml_of(vmm)->ended ? "ended" : "running";
}

static pid_t uml_pid(const struct vmm *vmm)
{
	return child_pid(uml_of(vmm)->child);
}

const struct vmm_kind vmm_uml = {
	.name = "uml",
	.can = VMM_CAN_VHOST_VSOCK | VMM_CAN_VIRTIOFS | VMM_CAN_DRIVE | VMM_CAN_VHOST_NET,
	.drive_device = "/dev/ubda",
	.check = uml_check,
	.start = uml_start,
	.powerdown = uml_powerdown,
	.kill = uml_kill,
	.state = uml_state,
	.pid = uml_pid,
};
