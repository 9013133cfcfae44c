/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "launcher/process/remove_tree.h"

#define OUTPUT_MAX (4 << 20)

int scratch_open(void **state)
{
	char *dir = strdup("/tmp/sluice-unit-XXXXXX");

	if (dir == NULL || mkdtemp(dir) == NULL)
		return -1;
	*state = dir;
	return 0;
}

int scratch_close(void **state)
{
	int ret = remove_tree(*state);

	free(*state);
	return ret;
}

const char *scratch_path(void **state, const char *name)
{
	static char paths[8][PATH_MAX];
	static unsigned next;
	char *path = paths[next++ % 8];

	snprintf(path, PATH_MAX, "%s/%s", (const char *)*state, name);
	return path;
}

void scratch_write(void **state, const char *name, const char *text, mode_t mode)
{
	const char *path = scratch_path(state, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

char *scratch_shell(const char *command, int *status)
{
	char *text = calloc(1, OUTPUT_MAX), *both = NULL;
	FILE *pipe;

	assert_non_null(text);
	assert_true(asprintf(&both, "{ %s\n} 2>&1", command) > 0);
	pipe = popen(both, "re");
	assert_non_null(pipe);
	assert_true(fread(text, 1, OUTPUT_MAX - 1, pipe) < OUTPUT_MAX - 1);
	*status = WEXITSTATUS(pclose(pipe));
	free(both);
	return text;
}
