/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/*
 * Sends a signal to every process of the session or process group that `leader` began, by /proc:
 * a shell gives each job a group of its own. Returns how many there were, without those that have
 * ended and wait to be reaped; signal 0 only counts.
 */
size_t session_signal(pid_t leader, int signo);
