/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/exec_program.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_S 60

static void become(const struct program *program, const char *path, const char *const *words)
{
	static const char *const no_env[] = { NULL };
	const char *argv[PROGRAM_WORDS_MAX + 4] = { "sluice-exec", "--socket", path };
	size_t n = 3;

	while (*words != NULL && n < PROGRAM_WORDS_MAX)
		argv[n++] = *words++;
	if (program->tty) {
		setsid();
		ioctl(program->fds[0], TIOCSCTTY, 0);
	}
	for (int i = 0; i < 3; i++) {
		if (program->fds[i] >= 0)
			dup2(program->fds[i], i);
		else
			close(i);
	}
	closefrom(3);
	signal(SIGPIPE, SIG_DFL);
	execve(getenv("SLUICE_EXEC"), (char *const *)argv,
		(char *const *)(program->env != NULL ? program->env : no_env));
	_exit(99);
}

void program_start(struct program *program, const char *path, const char *const *words)
{
	program->pid = fork();
	assert(program->pid >= 0);
	if (program->pid == 0)
		become(program, path, words);
}

int program_wait(struct program *program)
{
	const struct timespec pause = { .tv_nsec = 2000000 };
	int status;

	for (int i = 0; i < PATIENCE_S * 500; i++) {
		if (waitpid(program->pid, &status, WNOHANG) == program->pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
		nanosleep(&pause, NULL);
	}
	kill(program->pid, SIGKILL);
	waitpid(program->pid, &status, 0);
	fprintf(stderr, "sluice-exec did not end\n");
	return -1;
}

int file_of(const void *bytes, size_t len)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
	assert(lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

char *file_read(int fd, size_t *len)
{
	struct stat st;
	char *bytes;

	assert(fstat(fd, &st) == 0);
	bytes = calloc(1, (size_t)st.st_size + 1);
	assert(bytes != NULL && pread(fd, bytes, (size_t)st.st_size, 0) == st.st_size);
	if (len != NULL)
		*len = (size_t)st.st_size;
	return bytes;
}

void program_run(struct outcome *outcome, const char *path, const char *const *words,
	const void *input, size_t len)
{
	struct program program = { .fds = { file_of(input, len), file_of("", 0), file_of("", 0) } };

	program_start(&program, path, words);
	outcome->status = program_wait(&program);
	outcome->out = file_read(program.fds[1], &outcome->out_len);
	outcome->err = file_read(program.fds[2], NULL);
	for (int i = 0; i < 3; i++)
		close(program.fds[i]);
}

void outcome_free(struct outcome *outcome)
{
	free(outcome->out);
	free(outcome->err);
}
