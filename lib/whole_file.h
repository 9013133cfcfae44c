/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Small files that are read or written in one go. */

#include <stddef.h>
#include <sys/types.h>

/*
 * The contents of a file of at most `max` bytes, with a NUL behind them that *len does not count;
 * to be freed. Files that do not know their size (those of /proc) too. -EFBIG: it is longer.
 */
int whole_file_read(const char *path, size_t max, char **data, size_t *len);

/* The same of an open file, from where it stands. */
int whole_file_read_fd(int fd, size_t max, char **data, size_t *len);

/* Makes a file of that mode, whatever the umask, or replaces what is in it. */
int whole_file_write(const char *path, mode_t mode, const void *data, size_t len);

/* All of it, to a descriptor that blocks. */
int whole_file_write_fd(int fd, const void *data, size_t len);
