/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest-agent/power.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest-agent/console.h"
#include "guest-agent/mount_list.h"
#include "lib/cleanup.h"
#include "lib/whole_file.h"

#define PROC_FILE_MAX 65536

/* All but us; they are ours to reap, wherever they came from. One that waits for a server which
 * does not answer does not end. */
static void end_processes(void)
{
	const struct timespec patience = { .tv_sec = POWER_END_S };
	sigset_t ended;
	pid_t pid;

	sigemptyset(&ended);
	sigaddset(&ended, SIGCHLD);
	sigprocmask(SIG_BLOCK, &ended, NULL);
	kill(-1, SIGKILL);
	do {
		while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
			;
	} while (pid == 0 && (sigtimedwait(&ended, NULL, &patience) > 0 || errno == EINTR));
	if (pid == 0)
		console_say("a process does not end, it is given up");
}

static void unmount(void *unused, const char *path)
{
	if (umount2(path, UMOUNT_NOFOLLOW) < 0)
		mount(NULL, path, NULL, MS_REMOUNT | MS_RDONLY, NULL);
}

/* What the kernel has yet to write somewhere. */
static unsigned long unwritten_kib(void)
{
	static const char *const names[] = { "\nDirty:", "\nWriteback:" };
	cleanup_free char *text = NULL;
	unsigned long sum = 0;
	size_t len;

	if (whole_file_read("/proc/meminfo", PROC_FILE_MAX, &text, &len) < 0)
		return 0;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *at = strstr(text, names[i]);

		sum += at != NULL ? strtoul(at + strlen(names[i]), NULL, 10) : 0;
	}
	return sum;
}

/* True if it ends; false if for some time nothing more is written, either. */
static bool await_settling(int pidfd)
{
	struct pollfd done = { .fd = pidfd, .events = POLLIN };
	unsigned long before, left = unwritten_kib();

	do {
		if (poll(&done, 1, POWER_SETTLE_MS) == 1)
			return true;
		before = left;
		left = unwritten_kib();
	} while (left < before);
	return false;
}

/* In a process of its own: it may hang. */
static void settle(void)
{
	pid_t pid = fork();
	int pidfd;

	if (pid == 0) {
		sync();
		mount_list_each_last_first(unmount, NULL);
		sync();
		kill(getpid(), SIGKILL);
	}
	pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	if (pidfd < 0 || !await_settling(pidfd))
		console_say("a file system does not answer, it is given up");
}

static bool is_reset_asked_for(void)
{
	cleanup_free char *line = NULL;
	char *rest, *word;
	size_t len;

	if (whole_file_read("/proc/cmdline", PROC_FILE_MAX, &line, &len) < 0)
		return false;
	for (rest = line; (word = strsep(&rest, " \n")) != NULL;)
		if (strcmp(word, POWER_RESET_WORD) == 0)
			return true;
	return false;
}

_Noreturn void power_off(void)
{
	int how = is_reset_asked_for() ? RB_AUTOBOOT : RB_POWER_OFF;

	console_say("power off");
	end_processes();
	settle();
	reboot(how);
	for (;;)
		pause();
}
