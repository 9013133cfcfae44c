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

#define READY_MS 10000
#define STOP_MS  5000
#define CALL_MS  5000
#define STAT_MS  5000

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

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

static void write_config(const struct testbed *t, const char *ports, const char *settings)
{
	FILE *f = fopen(testbed_path(t, "sluiced.json"), "w");

	assert_non_null(f);
	fprintf(f, "{\"control-socket\": \"%s/ctl.sock\", ", t->dir);
	if (settings)
		fprintf(f, "%s, ", settings);
	fputs("\"ports\": ", f);
	for (const char *p = ports; *p; p++) {
		if (strncmp(p, "DIR", 3) == 0) {
			fputs(t->dir, f);
			p += 2;
		} else {
			fputc(*p, f);
		}
	}
	fputs("}\n", f);
	fclose(f);
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

static int notify_socket(const struct testbed *t)
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
	int64_t deadline = now_ms() + READY_MS;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char text[256];

	while (now_ms() < deadline && testbed_alive(t)) {
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

static int connect_control(const struct testbed *t)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, testbed_path(t, "ctl.sock"));
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		fail_msg("%s: %s", addr.sun_path, strerror(errno));
	return fd;
}

void testbed_start(struct testbed *t, const char *ports, const char *settings)
{
	int notify;
	int64_t begin;

	if (!getenv("SLUICED"))
		fail_msg("SLUICED does not name the binary to test");
	*t = (struct testbed) { .control = -1 };
	strcpy(t->dir, "/tmp/sluice-test-XXXXXX");
	assert_non_null(mkdtemp(t->dir));
	write_config(t, ports, settings);
	notify = notify_socket(t);
	begin = now_ms();
	t->pid = fork();
	assert_int_not_equal(t->pid, -1);
	if (t->pid == 0)
		exec_sluiced(t);
	if (!wait_ready(t, notify)) {
		print_log(t);
		fail_msg("sluiced did not get ready");
	}
	t->ready_ms = (int)(now_ms() - begin);
	close(notify);
	unlink(testbed_path(t, "notify"));
	t->control = connect_control(t);
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
	int64_t deadline = now_ms() + STOP_MS;
	int status = -1;

	kill(t->pid, sig);
	while (testbed_alive(t) && now_ms() < deadline)
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

/* ---- control socket ---- */

static json_t *read_line(struct testbed *t)
{
	static char line[1 << 20];
	int64_t deadline = now_ms() + CALL_MS;
	size_t n = 0;

	while (n < sizeof(line) - 1 && (n == 0 || line[n - 1] != '\n')) {
		struct pollfd p = { .fd = t->control, .events = POLLIN };
		int64_t left = deadline - now_ms();
		ssize_t got;

		if (left <= 0 || poll(&p, 1, (int)left) <= 0)
			return NULL;
		got = recv(t->control, line + n, sizeof(line) - 1 - n, MSG_DONTWAIT);
		if (got <= 0)
			return NULL;
		n += (size_t)got;
	}
	return json_loadb(line, n, 0, NULL);
}

json_t *testbed_call(struct testbed *t, const char *method)
{
	char ask[128];
	json_t *answer, *result;
	int n = snprintf(ask, sizeof(ask),
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":{}}\n", method);

	if (send(t->control, ask, (size_t)n, MSG_NOSIGNAL) != n)
		fail_msg("control socket: %s", strerror(errno));
	answer = read_line(t);
	if (!answer)
		fail_msg("%s: no answer on the control socket", method);
	result = json_incref(json_object_get(answer, "result"));
	if (!result)
		fail_msg("%s: %s", method, json_dumps(answer, 0));
	json_decref(answer);
	return result;
}

/* A drop reason that never occurred is not listed: then the count is 0. */
static int64_t number_at(const json_t *object, const char *whole)
{
	const char *path = whole;
	char part[64];

	for (;;) {
		size_t n = strcspn(path, ".");

		assert_true(n < sizeof(part));
		memcpy(part, path, n);
		part[n] = '\0';
		object = json_object_get(object, part);
		if (!path[n])
			break;
		path += n + 1;
	}
	if (!object && strncmp(whole, "drop_reasons.", 13) == 0)
		return 0;
	if (!json_is_integer(object))
		fail_msg("port.stats has no number %s", whole);
	return json_integer_value(object);
}

int64_t testbed_stat(struct testbed *t, const char *port, const char *path)
{
	json_t *all = testbed_call(t, "port.stats"), *one;
	int64_t value = -1;
	size_t i;

	json_array_foreach (all, i, one) {
		const char *name = json_string_value(json_object_get(one, "ifname"));

		if (name && strcmp(name, port) == 0)
			value = number_at(one, path);
	}
	json_decref(all);
	if (value < 0)
		fail_msg("port.stats has no port %s", port);
	return value;
}

int64_t testbed_drops(struct testbed *t, const char *port, const char *reason)
{
	char path[96];

	snprintf(path, sizeof(path), "drop_reasons.%s.count", reason);
	return testbed_stat(t, port, path);
}

int64_t testbed_wait_stat(struct testbed *t, const char *port, const char *path, int64_t least)
{
	int64_t deadline = now_ms() + STAT_MS, value;

	while ((value = testbed_stat(t, port, path)) < least) {
		if (now_ms() > deadline)
			fail_msg("%s: %s is %ld, not %ld", port, path, (long)value, (long)least);
		nap_ms(2);
	}
	return value;
}

int64_t testbed_wait_drops(struct testbed *t, const char *port, const char *reason, int64_t least)
{
	char path[96];

	snprintf(path, sizeof(path), "drop_reasons.%s.count", reason);
	return testbed_wait_stat(t, port, path, least);
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

int testbed_count_maps(const struct testbed *t)
{
	char path[64];
	FILE *f;
	int n = 0, c;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)t->pid);
	f = fopen(path, "r");
	assert_non_null(f);
	while ((c = fgetc(f)) != EOF)
		n += c == '\n';
	fclose(f);
	return n;
}
