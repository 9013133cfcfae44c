/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/switch/testbed.h"

#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/monotonic.h"

#define READY_MS  60000
#define STOP_MS   60000
#define CLOSED_MS 60000

static void nap_ms(int ms)
{
	nanosleep(&(struct timespec) { .tv_nsec = ms * 1000000l }, NULL);
}

void testbed_run(const char *command)
{
	int status = system(command);

	if (status != 0)
		fail_msg("%s: status %#x", command, status);
}

void testbed_netns(void)
{
	if (unshare(CLONE_NEWNET) < 0)
		fail_msg("unshare: %s (tests need root)", strerror(errno));
	testbed_run("ip link set lo up");
}

const char *testbed_path(const struct testbed *t, const char *name)
{
	static char path[4][108];
	static unsigned turn;
	char *p = path[turn++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", t->dir, name);
	return p;
}

/* ---- start ---- */

char *testbed_expand(const struct testbed *t, const char *text)
{
	char *out = NULL;
	size_t size;
	FILE *f = open_memstream(&out, &size);

	assert_non_null(f);
	for (const char *p = text; *p; p++) {
		if (strncmp(p, "DIR", 3) == 0) {
			fputs(t->dir, f);
			p += 2;
		} else {
			fputc(*p, f);
		}
	}
	fclose(f);
	return out;
}

void testbed_write_text(const struct testbed *t, const char *text)
{
	FILE *f = fopen(testbed_path(t, "sluiced.json"), "w");
	char *whole = testbed_expand(t, text);

	assert_non_null(f);
	fputs(whole, f);
	fclose(f);
	free(whole);
}

void testbed_write_config(const struct testbed *t, const char *ports, const char *settings)
{
	char *text = NULL;

	if (asprintf(&text, "{\"control-socket\": \"DIR/ctl.sock\", %s%s\"ports\": %s}\n",
		    settings ? settings : "", settings ? ", " : "", ports) < 0)
		fail_msg("out of memory");
	testbed_write_text(t, text);
	free(text);
}

static void exec_sluiced(const struct testbed *t)
{
	const char *binary = getenv("SLUICED");
	int log = open(testbed_path(t, "log"), O_WRONLY | O_CREAT | O_APPEND, 0600);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(log, 1);
	dup2(log, 2);
	setenv("NOTIFY_SOCKET", testbed_path(t, "notify"), 1);
	execl(binary, "sluiced", "--config", testbed_path(t, "sluiced.json"), (char *)NULL);
	_exit(127);
}

int testbed_notify_open(const struct testbed *t)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, testbed_path(t, "notify"));
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

static void print_log(const struct testbed *t)
{
	char line[512];
	FILE *f = fopen(testbed_path(t, "log"), "r");

	while (f && fgets(line, sizeof(line), f))
		print_error("  sluiced: %s", line);
	if (f)
		fclose(f);
}

/* True once the datagram has come, false if sluiced ended or time is up. */
static bool wait_ready(struct testbed *t, int fd)
{
	int64_t deadline = monotonic_ms() + READY_MS;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char text[256];

	while (monotonic_ms() < deadline && testbed_alive(t)) {
		ssize_t n;

		if (poll(&p, 1, 50) <= 0)
			continue;
		n = recv(fd, text, sizeof(text) - 1, 0);
		if (n <= 0)
			continue;
		text[n] = '\0';
		if (strstr(text, "READY=1"))
			return true;
	}
	return false;
}

void testbed_notify_close(const struct testbed *t, int fd)
{
	close(fd);
	unlink(testbed_path(t, "notify"));
}

void testbed_restart(struct testbed *t)
{
	int notify = testbed_notify_open(t);
	int64_t begin = monotonic_ms();

	t->pid = fork();
	assert_int_not_equal(t->pid, -1);
	if (t->pid == 0)
		exec_sluiced(t);
	if (!wait_ready(t, notify)) {
		print_log(t);
		fail_msg("sluiced did not get ready");
	}
	t->ready_ms = (int)(monotonic_ms() - begin);
	testbed_notify_close(t, notify);
	t->control = testbed_connect(t);
}

void testbed_start(struct testbed *t, const char *ports, const char *settings)
{
	if (!getenv("SLUICED"))
		fail_msg("SLUICED does not name the binary to test");
	*t = (struct testbed) { .control = -1 };
	strcpy(t->dir, "/tmp/sluice-test-XXXXXX");
	assert_non_null(mkdtemp(t->dir));
	testbed_write_config(t, ports, settings);
	testbed_restart(t);
}

/* ---- stop ---- */

bool testbed_alive(const struct testbed *t)
{
	siginfo_t info = { 0 };

	return t->pid > 0 && waitid(P_PID, (id_t)t->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid == 0;
}

/* The wait status, or -1 if it had to be killed. */
static int end_process(struct testbed *t, int sig)
{
	int64_t deadline = monotonic_ms() + STOP_MS;
	int status = -1;

	kill(t->pid, sig);
	while (testbed_alive(t) && monotonic_ms() < deadline)
		nap_ms(5);
	if (testbed_alive(t)) {
		kill(t->pid, SIGKILL);
		waitpid(t->pid, NULL, 0);
	} else {
		waitpid(t->pid, &status, 0);
	}
	t->pid = 0;
	return status;
}

void testbed_kill(struct testbed *t)
{
	int status = 0;

	kill(t->pid, SIGKILL);
	waitpid(t->pid, &status, 0);
	t->pid = 0;
	close(t->control);
	t->control = -1;
	/* It may have ended before, by a sanitizer for example. */
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void remove_dir(struct testbed *t)
{
	char command[128];

	if (t->control >= 0)
		close(t->control);
	t->control = -1;
	snprintf(command, sizeof(command), "rm -rf %s", t->dir);
	testbed_run(command);
	t->dir[0] = '\0';
}

static int count_sockets(const struct testbed *t)
{
	DIR *d = opendir(t->dir);
	struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d)))
		n += e->d_type == DT_SOCK;
	if (d)
		closedir(d);
	return n;
}

void testbed_stop(struct testbed *t)
{
	int status = end_process(t, SIGTERM), left = count_sockets(t);

	if (status != 0 || left != 0)
		print_log(t);
	assert_int_equal(status, 0);
	assert_int_equal(left, 0);
	remove_dir(t);
}

void testbed_abandon(struct testbed *t)
{
	if (!t->dir[0])
		return;
	print_log(t);
	if (t->pid > 0)
		print_error("  sluiced ended with status %#x\n", end_process(t, SIGTERM));
	remove_dir(t);
}

/* ---- /proc ---- */

int testbed_count_fds(const struct testbed *t)
{
	char path[64];
	DIR *d;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)t->pid);
	d = opendir(path);
	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

void testbed_wait_fds(const struct testbed *t, int most)
{
	int64_t deadline = monotonic_ms() + CLOSED_MS;
	int n;

	while ((n = testbed_count_fds(t)) > most) {
		if (monotonic_ms() > deadline)
			fail_msg("%d descriptors, not %d", n, most);
		nap_ms(2);
	}
}

int testbed_count_maps(const struct testbed *t)
{
	char path[64], line[512], perms[5];
	bool tsan = false;
	int n = 0, n_shared = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)t->pid);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		n++;
		n_shared += sscanf(line, "%*s %4s", perms) == 1 && perms[3] == 's';
		tsan |= strstr(line, "libtsan") != NULL;
	}
	fclose(f);
	return tsan ? n_shared : n;
}
