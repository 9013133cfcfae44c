/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Whether there is a guard in this network namespace, and whose it is. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/err.h"

#define GUARD_PROGRAM_MAX 16 /* of /proc/PID/comm, NUL included */

struct guard_holder {
	bool exists;   /* there is a table */
	bool owned;    /* it goes with the socket of a process */
	uint32_t port; /* that netlink socket's */
	pid_t pid;     /* 0: the process cannot be seen from here */
	char program[GUARD_PROGRAM_MAX];
};

/*
 * -EPERM: this process has no CAP_NET_ADMIN in its network namespace, which the kernel asks for
 * even to look at a table (nfnetlink_rcv()). There is no other place to see one: who has only
 * CAP_NET_RAW cannot tell whether there is a guard.
 */
int guard_find_holder(struct guard_holder *holder, struct err *err);

/* "sluice-vm (pid 12)", "a process that cannot be seen from here (netlink port 12)" or "nobody (…)"
 * into text[GUARD_HOLDER_TEXT_MAX]. */
#define GUARD_HOLDER_TEXT_MAX 96
char *guard_holder_format(const struct guard_holder *holder, char *text);
