/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The keeper's own side (keeper.h): what runs in the forked process, and the messages that it gets,
 * one a datagram on a SOCK_SEQPACKET socket. The kernel hands over what was sent before the
 * sender's end, and then says that it ended.
 */

#include <limits.h>
#include <sys/types.h>

enum keeper_op {
	KEEPER_ADD_GROUP, /* with the leader's pidfd */
	KEEPER_DROP_GROUP,
	KEEPER_ADD_PATH,
	KEEPER_ADD_REQUEST, /* path: of the socket, NUL, the line, NUL */
	KEEPER_ADD_LINK,    /* path: the interface's name */
	KEEPER_HOLD,        /* with a descriptor, which is open until the keeper ends */
	KEEPER_FORGET,      /* and end: all was cleaned up */
};

struct keeper_message {
	enum keeper_op op;
	pid_t leader;
	char path[PATH_MAX]; /* NUL-terminated, sent as far as it is used */
};

/* Never returns. Everything but `sock` is closed. */
_Noreturn void keeper_process_run(int sock);
