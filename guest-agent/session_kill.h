/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/* What is to be sent to each process of the session or process group that `leader` began: a shell
 * gives each job a group of its own. */
struct session {
	pid_t leader;
	int signals[2]; /* in this order; 0: none */
	size_t n_alive; /* how many there were, without those that wait to be reaped */
};

/* Sends to all sessions at once, for it takes a look at every process there is (by /proc). */
void session_signal(struct session *sessions, size_t n_sessions);
