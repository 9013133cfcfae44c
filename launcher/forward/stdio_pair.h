/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "lib/err.h"

/*
 * Copies from stdin to a connected stream socket and from it to stdout, until both directions have
 * ended, or the socket is closed at its other end. stdin's end becomes a half-close, and the
 * socket's closes stdout. Whatever stdin and stdout are (files, pipes, terminals), they may block.
 * The socket stays the caller's, and blocks from here on. -EPIPE: nobody reads stdout.
 */
int stdio_pair_run(int sock, struct err *err);
