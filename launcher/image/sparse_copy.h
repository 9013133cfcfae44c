/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Copies a file whose holes are to stay holes: by reference where the file system can (FICLONE),
 * else by the kernel (copy_file_range(2)), else by hand.
 */

#include "lib/err.h"

/* From the beginning of `in` to that of `out`, which is empty. -ENOSPC and so on. */
int sparse_copy(int in, int out);
