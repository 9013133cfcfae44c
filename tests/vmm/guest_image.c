/* SPDX-License-Identifier: BSD-3-Clause */

/* The format is "newc" (the kernel's early userspace documentation, buffer-format.rst). */

#include "guest_image.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void pad(FILE *out)
{
	while (ftell(out) % 4 != 0)
		fputc(0, out);
}

static void write_entry(FILE *out, const char *name, unsigned mode, const void *data, size_t len)
{
	static unsigned inode = 1000000; /* not one of the first archive's */

	fprintf(out, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", inode++, mode, 1,
		0, 0, 0, (unsigned)len, 0, 0, 0, 0, (unsigned)strlen(name) + 1, 0);
	fwrite(name, strlen(name) + 1, 1, out);
	pad(out);
	if (len > 0)
		fwrite(data, len, 1, out);
	pad(out);
}

static char *read_file(const char *path, size_t *len)
{
	FILE *file = fopen(path, "rb");
	char *data;

	if (file == NULL)
		fail_msg("cannot open %s (./dev build makes the guests)", path);
	fseek(file, 0, SEEK_END);
	*len = (size_t)ftell(file);
	rewind(file);
	data = malloc(*len + 1);
	assert_non_null(data);
	assert_int_equal(fread(data, 1, *len, file), *len);
	fclose(file);
	return data;
}

static void write_file(FILE *out, const char *path)
{
	const char *slash = strrchr(path, '/');
	char name[128];
	size_t len;
	char *data = read_file(path, &len);

	snprintf(name, sizeof(name), "test/%s", slash != NULL ? slash + 1 : path);
	write_entry(out, name, S_IFREG | 0755, data, len);
	free(data);
}

void guest_image_write(const struct guest_image *image, const char *path)
{
	FILE *out = fopen(path, "wb");
	char script[4096];
	size_t len;
	char *base = read_file(image->base, &len);

	assert_non_null(out);
	fwrite(base, len, 1, out);
	free(base);
	pad(out);
	snprintf(script, sizeof(script), "#!/bin/sh\n%s\n", image->script);
	write_entry(out, "test-init", S_IFREG | 0755, script, strlen(script));
	write_entry(out, "test", S_IFDIR | 0755, NULL, 0);
	for (size_t i = 0; image->files[i] != NULL; i++)
		write_file(out, image->files[i]);
	write_entry(out, "TRAILER!!!", 0, NULL, 0);
	assert_int_equal(fclose(out), 0);
}
