/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Programs that sluice-vm starts and watches: sluiced, sluice-vsock, virtiofsd, the VMM.
 *
 * Each is the leader of a process group of its own: signals of a terminal do not reach it, and its
 * helpers end with it (UML's hold its memory and sockets when their parent is killed). It gets
 * SIGKILL when the thread that started it ends (prctl(2), PR_SET_PDEATHSIG), so children are
 * started by the main thread only; for helpers, and for what they leave behind, there is the keeper
 * (keeper.h). Nothing is inherited but stdin, stdout, stderr and the descriptors named.
 *
 * Thread-safety: main thread.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/err.h"

struct child;
struct event_base;
struct keeper;

#define CHILD_FDS_MAX 8

struct child_plan {
	const char *name;    /* for messages: "sluiced" */
	const char *program; /* absolute, or looked up in PATH */
	char *const *argv;   /* argv[0] as well; NULL-terminated */
	char *const *env;    /* NULL-terminated; NULL: ours */
	int in, out, err;    /* -1: /dev/null */
	/* Descriptors that it also gets, by the same number, which is above 2: close-on-exec is
	 * cleared in the child. */
	int fds[CHILD_FDS_MAX];
	size_t n_fds;
	unsigned long nofile; /* soft RLIMIT_NOFILE, up to the hard one; 0: ours */
	bool one_cpu;         /* it and its helpers stay on the CPU where it begins */
	/* Those of ours that it has (capability.h), root or not, and cannot gain others: what it
	 * is told by a guest is not to reach further than what it is for. */
	uint64_t capabilities;
	/* Learns of the group before the program is executed; NULL: nobody does. Outlives the
	 * child.
	 */
	struct keeper *keeper;
	/* Called by the event loop when it has ended: wait status as of waitpid(2). Its group has
	 * been killed and it has been reaped. May free the child by child_kill(). */
	void (*ended)(void *owner, struct child *child, int status);
	void *owner;
};

/* *plan is borrowed for the call. -ENOENT, -EACCES ... : it could not be executed, told at once. */
int child_start(struct event_base *loop, const struct child_plan *plan, struct child **out,
	struct err *err);

/* Whether it is a child's, or was and has not been waited for. */
bool child_is_ours(pid_t pid);

pid_t child_pid(const struct child *child);
const char *child_name(const struct child *child);

/* To its leader; 0, or -ESRCH: it has ended. */
int child_signal(struct child *child, int signo);

/* SIGKILL to the group, waits until it is gone and frees it; `ended` is not called. May be NULL. */
void child_kill(struct child *child);

/* "exit status 1", "killed by SIGSEGV (core dumped)": written into text[64], which is returned. */
char *child_describe_status(int status, char *text);
