/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest-agent/session_kill.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"

/* The name, in parentheses, may hold anything: what follows begins behind the last one. */
static bool parse_stat(const char *text, char *state, pid_t *group, pid_t *session)
{
	const char *end = strrchr(text, ')');
	int g, s;

	if (end == NULL || sscanf(end + 1, " %c %*d %d %d", state, &g, &s) != 3)
		return false;
	*group = g;
	*session = s;
	return true;
}

static bool belongs_to(const char *pid, pid_t leader)
{
	cleanup_close int fd = -1;
	char path[64], text[512], state;
	pid_t group, session;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
	if (n <= 0)
		return false;
	text[n] = '\0';
	if (!parse_stat(text, &state, &group, &session) || state == 'Z' || state == 'X')
		return false;
	return group == leader || session == leader;
}

size_t session_signal(pid_t leader, int signo)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	size_t n = 0;

	while (proc != NULL && (entry = readdir(proc)) != NULL) {
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		if (!belongs_to(entry->d_name, leader))
			continue;
		kill((pid_t)atoi(entry->d_name), signo);
		n++;
	}
	if (proc != NULL)
		closedir(proc);
	return n;
}
