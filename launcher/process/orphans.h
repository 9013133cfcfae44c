/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Processes that become our children because theirs ended: of a child of ours that left its group,
 * and, when we are process 1 of a container, of whatever was started in it besides. Somebody has to
 * wait for them when they end, or they stay as zombies. Children of ours (child.h) are left to
 * those who started them.
 *
 * Thread-safety: main thread.
 */

struct event_base;
struct orphans;

/* Waits for them as long as the loop runs. NULL: no memory. */
struct orphans *orphans_start(struct event_base *loop);

/* May be NULL. */
void orphans_stop(struct orphans *orphans);
