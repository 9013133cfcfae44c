/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What is in a directory tree, in one number: names, types, modes, owners, times of modification,
 * device numbers, targets, extended attributes, which names are the same file, and every byte. Two
 * trees with the same sum make the same image.
 *
 * A second sum is of what the kernel changes whenever any of that changes (inode and time of
 * change), and takes no reading of files: it tells whether a tree has stayed as it was.
 */

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"

#define TREE_SUM_LEN   32 /* SHA-256 */
#define TREE_DEPTH_MAX 256

#define TREE_BLOCK 4096

struct tree_sum {
	uint8_t content[TREE_SUM_LEN]; /* only if files were read */
	uint8_t state[TREE_SUM_LEN];
	/* What it takes in a file system with blocks of TREE_BLOCK bytes; holes take nothing. */
	uint64_t n_blocks;
	uint64_t n_inodes;
	/* of the tree's own directory */
	uint32_t uid, gid, mode;
};

/*
 * Nothing outside the tree is read, whatever its symlinks say, and no device or pipe is opened.
 * -ELOOP: more than TREE_DEPTH_MAX directories deep; -ENOENT ...: *err names the file.
 */
int tree_sum(const char *path, bool read_files, struct tree_sum *sum, struct err *err);
