/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Runs a fuzz target over a committed corpus: every file of the directories given, and every
 * prefix of it, each in a buffer of exactly its size so that a sanitizer sees a read too far. Makes
 * an ordinary test of a fuzz target, with any compiler.
 *
 * Exit status: 0, or 1 if a directory cannot be read or holds no file. A finding aborts.
 */

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX    (1024 * 1024)
#define PREFIXES_MAX 4096 /* of longer files, only the first so many bytes are cut one by one */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run_one(const uint8_t *data, size_t size)
{
	uint8_t *exact = malloc(size > 0 ? size : 1);

	if (exact == NULL)
		abort();
	memcpy(exact, data, size);
	LLVMFuzzerTestOneInput(exact, size);
	free(exact);
}

static int run_file(const char *path)
{
	static uint8_t data[INPUT_MAX];
	FILE *file = fopen(path, "rb");
	size_t size;

	if (file == NULL) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	size = fread(data, 1, sizeof(data), file);
	fclose(file);
	for (size_t n = 0; n < size && n < PREFIXES_MAX; n++)
		run_one(data, n);
	run_one(data, size);
	return 0;
}

/* Returns the number of files, negative on failure. */
static int run_directory(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int n = 0;

	if (dir == NULL) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	while (n >= 0 && (entry = readdir(dir)) != NULL) {
		char name[4096];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		n = run_file(name) == 0 ? n + 1 : -1;
	}
	closedir(dir);
	return n;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		int n = run_directory(argv[i]);

		if (n <= 0) {
			fprintf(stderr, "%s: no corpus\n", argv[i]);
			return 1;
		}
		printf("%s: %d files and their prefixes\n", argv[i], n);
	}
	return argc > 1 ? 0 : 1;
}
