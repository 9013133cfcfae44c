/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <sys/types.h>

/*
 * Calls `data` for each part of the first `size` bytes of a file that is not a hole, in order; a
 * negative errno of it ends the walk, and is returned. Moves the file's position.
 */
int sparse_walk(int fd, off_t size, int (*data)(void *arg, int fd, off_t at, off_t end), void *arg);
