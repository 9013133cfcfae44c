/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Waits for every child of this process: those that somebody here started and watches, and those
 * that it was given because their parents died (PID 1, or a subreaper).
 */

#include <sys/queue.h>
#include <sys/types.h>

struct event_base;
struct reaper;

struct watched_child {
	LIST_ENTRY(watched_child) link;
	pid_t pid;
	/* From the event loop, once; `status` as of waitpid(2). It is watched no more, and the
	 * number may belong to another process soon. */
	void (*ended)(struct watched_child *child, int status);
};

/* NULL: out of memory, or SIGCHLD cannot be had. */
struct reaper *reaper_new(struct event_base *loop);

/* Right behind the fork: before control returns to the loop. */
void reaper_watch(struct reaper *reaper, struct watched_child *child);

void reaper_forget(struct watched_child *child);

/* Waits until all watched children have ended, which have been sent SIGKILL. Blocks. */
void reaper_wait(struct reaper *reaper);

void reaper_free(struct reaper *reaper); /* may be NULL */
