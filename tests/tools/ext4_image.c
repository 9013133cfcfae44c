/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * ext4_image TREE CACHE_DIR FREE_MIB [COPY]: the image that sluice-vm makes of a directory; says
 * its path, and where COPY is said makes one that can be written.
 */

#include <stdio.h>
#include <stdlib.h>

#include "launcher/image/ext4_image.h"

int main(int argc, char **argv)
{
	struct err err = { "" };
	char *path = NULL;
	int ret;

	if (argc < 4) {
		fputs("usage: ext4_image TREE CACHE_DIR FREE_MIB [COPY]\n", stderr);
		return 2;
	}
	ret = ext4_image_get(&(struct ext4_plan) { .tree = argv[1],
				     .cache_dir = argv[2],
				     .free_mib = (unsigned)atoi(argv[3]) },
		&path, &err);
	if (ret == 0 && argc > 4)
		ret = ext4_image_copy(path, argv[4], &err);
	puts(ret == 0 ? path : err.text);
	free(path);
	return ret < 0;
}
