/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The first line of a stream whose rest is somebody else's to read: bytes behind the newline stay
 * in the socket. Nothing blocks on a non-blocking socket.
 */

#include <stddef.h>
#include <sys/types.h>

/*
 * Adds what has come to line[size], of which *len bytes are there. 1: the line is whole, *len
 * counts its newline; 0: there is more to come; -ECONNRESET: it ended, or failed, before;
 * -EMSGSIZE: it is longer.
 */
int peek_line(int sock, char *line, size_t size, size_t *len);
