/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Cleans up behind a sluice-vm that was killed: no process, socket, temporary file or TAP of its
 * own stays. A small process of its own session that waits for the end of a pipe which only
 * sluice-vm holds, then kills the groups, sends the requests and removes the interfaces and paths
 * it was told of, and ends. It is told of each before it is made. An orderly end tells it to forget
 * and to end.
 *
 * It is forked before there are threads and before anything is open that should not be kept open
 * (the guard's socket above all), holds nothing but the pipe and what keeper_hold() gives it, and
 * calls only async-signal-safe
 * functions. Groups are told of by their leader's pidfd and ID: a number that meanwhile is
 * somebody else's is not signalled.
 */

#include <sys/types.h>

#include "lib/err.h"

struct keeper;

int keeper_start(struct keeper **out, struct err *err);

/* The most groups, paths and interfaces that it is told of at a time. */
#define KEEPER_GROUPS_MAX 64
#define KEEPER_PATHS_MAX  32
#define KEEPER_LINKS_MAX  4

/*
 * A group that is to be killed, of a child of ours that has not been waited for; child_start()
 * tells of it, and child.c drops it before it waits. -ENOSPC: it knows of too many; -EPIPE: it is
 * gone itself.
 */
int keeper_add_group(struct keeper *keeper, pid_t leader);
void keeper_drop_group(struct keeper *keeper, pid_t leader);

/*
 * A file or directory that is to be removed, with all that is in it but for what is mounted there
 * (remove_tree.h); absolute, shorter than PATH_MAX. In the order told of.
 */
int keeper_add_path(struct keeper *keeper, const char *path, struct err *err);

/*
 * A line that is to be sent to a unix stream socket, whose answer is then awaited for a moment:
 * between the end of the groups and the removal of the paths. -EINVAL: longer than PATH_MAX with
 * the socket's path; -ENOSPC: it knows of KEEPER_REQUESTS_MAX.
 */
#define KEEPER_REQUESTS_MAX 4
int keeper_add_request(
	struct keeper *keeper, const char *socket, const char *line, struct err *err);

/*
 * A descriptor that it keeps open until it has ended, in an orderly way or having cleaned up: a
 * lock that whoever comes after us is to wait for. It stays the caller's as well. -ENOSPC: it has
 * KEEPER_HOLDS_MAX.
 */
#define KEEPER_HOLDS_MAX 4
int keeper_hold(struct keeper *keeper, int fd, struct err *err);

/* A network interface that is to be removed, of the namespace that we are in. */
int keeper_add_link(struct keeper *keeper, const char *name, struct err *err);

/* Orderly: nothing is killed, removed nor sent. May be NULL. */
void keeper_end(struct keeper *keeper);
