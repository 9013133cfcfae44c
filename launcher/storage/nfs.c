/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/storage/nfs.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <event2/event.h>

#include "launcher/process/capability.h"
#include "launcher/process/port_probe.h"
#include "launcher/storage/nfs_config.h"
#include "lib/cleanup.h"
#include "lib/log.h"

#define ASK_EVERY_MS 20
#define RESTART_S    5 /* one that was started again and ran for less is given up */

struct nfs {
	struct event_base *loop;
	struct event *asking; /* whether it takes connections */
	struct child *child;
	struct sockaddr_in address;
	char program[PATH_MAX], config[PATH_MAX], pid_file[PATH_MAX];
	int log;
	struct keeper *keeper;
	time_t started; /* monotonic */
	unsigned n_restarts;
	void (*ready)(void *owner); /* NULL: has been called */
	void (*ended)(void *owner, const char *how);
	void *owner;
};

static time_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

static void on_ended(void *owner, struct child *child, int status);

static int run(struct nfs *nfs, struct err *err)
{
	char *const argv[] = { nfs->program, (char *)"-F", (char *)"-f", nfs->config, (char *)"-p",
		nfs->pid_file, (char *)"-L", (char *)"STDERR", (char *)"-N", (char *)"WARN", NULL };
	const struct child_plan plan = {
		.name = NFS_PROGRAM,
		.program = nfs->program,
		.argv = argv,
		/* Files by their handles; in the names of the guest's users, of whom root may all.
		 */
		.capabilities = CAPABILITY(CAP_DAC_READ_SEARCH) | CAPABILITY(CAP_CHOWN) |
				CAPABILITY(CAP_DAC_OVERRIDE) | CAPABILITY(CAP_FOWNER) |
				CAPABILITY(CAP_FSETID) | CAPABILITY(CAP_SETGID) |
				CAPABILITY(CAP_SETUID),
		.in = -1,
		.out = nfs->log,
		.err = nfs->log,
		.nofile = ULONG_MAX,
		.keeper = nfs->keeper,
		.ended = on_ended,
		.owner = nfs,
	};

	/* It refuses to start beside the process that its file names, whoever that is by now. */
	unlink(nfs->pid_file);
	nfs->started = now();
	return child_start(nfs->loop, &plan, &nfs->child, err);
}

/* --- its end --------------------------------------------------------------------------------- */

static void on_ended(void *owner, struct child *child, int status)
{
	struct nfs *nfs = owner;
	struct err err = { "" };
	char how[64];

	child_describe_status(status, how);
	child_kill(steal_ptr(&nfs->child));
	if (nfs->ready == NULL && (nfs->n_restarts == 0 || now() - nfs->started >= RESTART_S)) {
		log_warn("NFS server ended and is started again", log_str("how", how));
		nfs->n_restarts++;
		if (run(nfs, &err) == 0)
			return;
		log_error("NFS server does not start", log_str("reason", err.text));
	}
	event_del(nfs->asking);
	nfs->ended(nfs->owner, how);
}

/* --- its beginning --------------------------------------------------------------------------- */

static void on_asking(evutil_socket_t fd, short what, void *arg)
{
	struct nfs *nfs = arg;
	void (*ready)(void *) = nfs->ready;

	if (!port_probe(&nfs->address))
		return;
	event_del(nfs->asking);
	nfs->ready = NULL;
	ready(nfs->owner);
}

static int start_asking(struct nfs *nfs, struct err *err)
{
	const struct timeval interval = { .tv_usec = ASK_EVERY_MS * 1000 };

	nfs->asking = event_new(nfs->loop, -1, EV_PERSIST, on_asking, nfs);
	if (nfs->asking == NULL || event_add(nfs->asking, &interval) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

static int check_plan(const struct nfs_plan *plan, struct sockaddr_in *address, struct err *err)
{
	int ret = 0;

	*address = (struct sockaddr_in) { .sin_family = AF_INET, .sin_port = htons(plan->port) };
	if (inet_pton(AF_INET, plan->address, &address->sin_addr) != 1)
		return err_set(
			err, -EINVAL, "NFS server: \"%s\" is no IPv4 address", plan->address);
	if (plan->root != NULL)
		ret = nfs_export_check(plan->root, plan->allow_shared, err);
	for (size_t i = 0; ret == 0 && i < plan->n_exports; i++)
		ret = nfs_export_check(&plan->exports[i], plan->allow_shared, err);
	return ret < 0 ? err_wrap(err, ret, "NFS server") : nfs_config_write(plan, err);
}

static void take_plan(struct nfs *nfs, const struct nfs_plan *plan)
{
	snprintf(nfs->program, sizeof(nfs->program), "%s",
		plan->program != NULL ? plan->program : NFS_PROGRAM);
	snprintf(nfs->config, sizeof(nfs->config), "%s/" NFS_CONFIG_NAME, plan->run_dir);
	snprintf(nfs->pid_file, sizeof(nfs->pid_file), "%s/" NFS_PID_NAME, plan->run_dir);
	nfs->log = plan->log;
	nfs->keeper = plan->keeper;
	nfs->ready = plan->ready;
	nfs->ended = plan->ended;
	nfs->owner = plan->owner;
}

int nfs_start(
	struct event_base *loop, const struct nfs_plan *plan, struct nfs **out, struct err *err)
{
	struct nfs *nfs = calloc(1, sizeof(*nfs));
	int ret;

	if (nfs == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	nfs->loop = loop;
	take_plan(nfs, plan);
	ret = check_plan(plan, &nfs->address, err);
	if (ret == 0)
		ret = start_asking(nfs, err);
	if (ret == 0)
		ret = run(nfs, err);
	if (ret == -ENOENT && nfs->child == NULL && nfs->asking != NULL)
		err_wrap(err, ret, "packages nfs-ganesha and nfs-ganesha-vfs");
	if (ret < 0)
		nfs_stop(nfs);
	else
		*out = nfs;
	return ret;
}

unsigned nfs_n_restarts(const struct nfs *nfs)
{
	return nfs->n_restarts;
}

void nfs_stop(struct nfs *nfs)
{
	if (nfs == NULL)
		return;
	child_kill(nfs->child);
	if (nfs->asking != NULL)
		event_free(nfs->asking);
	free(nfs);
}
