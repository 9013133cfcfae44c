/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Makes the initramfs that a guest with sluice-agent boots from, as sluice-vm does:
 *
 *      seal_image AGENT MODULES_DIR TREE CACHE_DIR FILES_DIR INITRD [MODULE]...
 *
 * TREE becomes /image, "-": there is none. What there is of machine.json, argv and env in FILES_DIR
 * is sealed into INITRD, which is replaced. Prints the path of the cached archive.
 */

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launcher/image/initramfs.h"
#include "lib/cleanup.h"
#include "lib/whole_file.h"

#define FILE_LEN_MAX (4U << 20)

enum { AGENT = 1, MODULES_DIR, TREE, CACHE_DIR, FILES_DIR, INITRD, MODULES };

static const char *const names[] = { "run/sluice/machine.json", "run/sluice/argv",
	"run/sluice/env" };

static int fail(const char *text)
{
	fprintf(stderr, "seal_image: %s\n", text);
	return EXIT_FAILURE;
}

static size_t read_files(const char *dir, struct initramfs_file *files)
{
	size_t n = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[PATH_MAX], *data = NULL;
		size_t len;

		snprintf(path, sizeof(path), "%s%s", dir, strrchr(names[i], '/'));
		if (whole_file_read(path, FILE_LEN_MAX, &data, &len) == 0)
			files[n++] = (struct initramfs_file) { names[i], data, len };
	}
	return n;
}

int main(int argc, char **argv)
{
	struct initramfs_file files[3];
	struct initramfs_plan plan;
	cleanup_free char *archive = NULL;
	struct err err = { "" };
	size_t n;

	if (argc < MODULES)
		return fail("wrong usage");
	plan = (struct initramfs_plan) { .agent = argv[AGENT],
		.modules_dir = argv[MODULES_DIR],
		.modules = (const char *const *)&argv[MODULES],
		.tree = strcmp(argv[TREE], "-") != 0 ? argv[TREE] : NULL,
		.cache_dir = argv[CACHE_DIR] };
	if (initramfs_get(&plan, &archive, &err) < 0)
		return fail(err.text);
	n = read_files(argv[FILES_DIR], files);
	if (unlink(argv[INITRD]) < 0 && errno != ENOENT)
		return fail(argv[INITRD]);
	if (initramfs_seal(archive, files, n, argv[INITRD], &err) < 0)
		return fail(err.text);
	puts(archive);
	return EXIT_SUCCESS;
}
