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

/* Whose it is; NULL: nobody's, or it has ended. */
static struct session *find_session(const char *pid, struct session *sessions, size_t n_sessions)
{
	cleanup_close int fd = -1;
	char path[64], text[512], state;
	pid_t group, session;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
	if (n <= 0)
		return NULL;
	text[n] = '\0';
	if (!parse_stat(text, &state, &group, &session) || state == 'Z' || state == 'X')
		return NULL;
	for (size_t i = 0; i < n_sessions; i++)
		if (sessions[i].leader == group || sessions[i].leader == session)
			return &sessions[i];
	return NULL;
}

void session_signal(struct session *sessions, size_t n_sessions)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	for (size_t i = 0; i < n_sessions; i++)
		sessions[i].n_alive = 0;
	while (proc != NULL && (entry = readdir(proc)) != NULL) {
		struct session *session;

		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		session = find_session(entry->d_name, sessions, n_sessions);
		if (session == NULL)
			continue;
		session->n_alive++;
		for (int i = 0; i < 2 && session->signals[i] != 0; i++)
			kill((pid_t)atoi(entry->d_name), session->signals[i]);
	}
	if (proc != NULL)
		closedir(proc);
}
