/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest-agent/spawn_child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "guest-agent/guest_root.h"
#include "guest-agent/guest_user.h"
#include "guest-agent/privileges.h"
#include "guest-agent/small_init.h"
#include "lib/unix_socket.h"

#define NOT_EXECUTABLE 126
#define NOT_FOUND      127

/* Where the report is once stdin, stdout and stderr are what they will be. */
#define REPORT_FD 3

#define DEFAULT_PATH  "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define DEFAULT_UMASK 022

static void report(int fd, const struct spawn_message *message)
{
	ssize_t n;

	do {
		n = send(fd, message, sizeof(*message), MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
}

_Noreturn static void fail(int fd, uint32_t status, const struct err *err)
{
	struct spawn_message message = { .kind = SPAWN_FAILED, .value = status };

	memcpy(message.text, err->text, sizeof(message.text));
	report(fd, &message);
	_exit((int)status);
}

/* As they are after a login; of handlers there is none any more. */
static void reset_signals(uint64_t ignored)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int signo = 1; signo <= 64; signo++)
		if ((ignored & 1ULL << (signo - 1)) != 0)
			sigaction(signo, &action, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int enter_root(const struct spawn_plan *plan, struct err *err)
{
	if (plan->place != NULL)
		return guest_root_join(plan->place->mount_ns, plan->place->root, err);
	return guest_root_make(plan->root, err);
}

/* --- stdin, stdout, stderr -------------------------------------------------------------------- */

/* Moves `fd` to the number `wanted`, which is free or no longer needed. */
static int place_fd(int fd, int wanted)
{
	if (fd == wanted)
		return fcntl(fd, F_SETFD, 0);
	return dup2(fd, wanted);
}

static int send_terminal(int report_fd, int master)
{
	const struct spawn_message message = { .kind = SPAWN_TERMINAL };

	return unix_send_fds(report_fd, &message, sizeof(message), &master, 1) < 0 ? -EIO : 0;
}

/* A new terminal of the devpts in this root; returns its slave. */
static int open_terminal(int report_fd, const struct process_spec *spec, struct err *err)
{
	const struct winsize window = { .ws_row = spec->rows, .ws_col = spec->columns };
	int master = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	int unlock = 0;
	int slave;

	if (master < 0)
		return err_errno(err, errno, "cannot open a terminal");
	if (ioctl(master, TIOCSPTLCK, &unlock) < 0)
		return err_errno(err, errno, "cannot unlock a terminal");
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return err_errno(err, errno, "cannot open a terminal's slave");
	ioctl(slave, TIOCSWINSZ, &window);
	if (ioctl(slave, TIOCSCTTY, 0) < 0)
		return err_errno(err, errno, "cannot take a terminal");
	if (send_terminal(report_fd, master) < 0)
		return err_set(err, -EIO, "cannot hand over a terminal");
	return slave;
}

/* The workload's terminal is its root's console. */
static void mount_console(const struct spawn_plan *plan)
{
	char path[64];
	ssize_t len;

	if (!plan->spec->terminal || !plan->as_init || strcmp(plan->root, "/") == 0)
		return;
	len = readlink("/proc/self/fd/0", path, sizeof(path) - 1);
	if (len <= 0)
		return;
	path[len] = '\0';
	mount(path, "/dev/console", NULL, MS_BIND, NULL);
}

/* Leaves descriptors 0 to 3 open and no other. */
static int place_ends(const struct spawn_plan *plan, struct spawn_ends *ends, struct err *err)
{
	if (plan->spec->terminal) {
		ends->in = open_terminal(ends->report, plan->spec, err);
		if (ends->in < 0)
			return ends->in;
		ends->out = ends->err = ends->in;
	}
	if (place_fd(ends->in, 0) < 0 || place_fd(ends->out, 1) < 0 || place_fd(ends->err, 2) < 0)
		return err_errno(err, errno, "cannot set up stdin, stdout and stderr");
	if (dup3(ends->report, REPORT_FD, O_CLOEXEC) < 0 && errno != EINVAL)
		return err_errno(err, errno, "cannot keep the report");
	ends->report = REPORT_FD;
	close_range(REPORT_FD + 1, UINT_MAX, 0);
	return 0;
}

/* --- user, directory, program ----------------------------------------------------------------- */

/* As containers have it: the workload's directory is made if it is not there, root's; whoever joins
 * it finds one. What cannot be made cannot be entered, and that is told. */
static void make_directory(const struct spawn_plan *plan)
{
	const char *cwd = plan->spec->cwd;
	char path[PATH_MAX];

	if (!plan->as_init || cwd == NULL)
		return;
	for (const char *end = cwd; *end != '\0';) {
		end += strspn(end, "/");
		end += strcspn(end, "/");
		if ((size_t)(end - cwd) >= sizeof(path))
			return;
		snprintf(path, sizeof(path), "%.*s", (int)(end - cwd), cwd);
		mkdir(path, 0755);
	}
}

static int set_limits(const struct spawn_plan *plan, struct err *err)
{
	setrlimit(RLIMIT_NOFILE, &plan->nofile);
	return privileges_set_rlimits(plan->spec, err);
}

/* Root may not be let in (NFS), the user may not; who is let in first will do. */
static int enter_directory(const char *cwd, const struct process_spec *spec,
	const struct guest_user *user, struct err *err)
{
	bool denied = false;
	int ret;

	if (chdir(cwd) < 0) {
		denied = errno == EACCES || errno == EPERM;
		if (!denied)
			return err_errno(err, errno, "cannot enter the directory %s", cwd);
	}
	ret = privileges_drop(spec, user, err);
	if (ret == 0 && denied && chdir(cwd) < 0)
		return err_errno(err, errno, "cannot enter the directory %s", cwd);
	return ret;
}

/* Programs open /dev/stdout, which is one of these, by name. */
static void give_ends(uid_t uid)
{
	if (uid == geteuid())
		return;
	for (int fd = 0; fd <= 2; fd++)
		(void)!fchown(fd, uid, (gid_t)-1);
}

static int become_user(const struct spawn_plan *plan, char **home, struct err *err)
{
	const struct process_spec *spec = plan->spec;
	struct guest_user user;
	int ret = guest_user_find(spec, &user, err);

	if (ret < 0)
		return ret;
	give_ends(user.uid);
	umask(spec->has_umask ? spec->umask : DEFAULT_UMASK);
	ret = set_limits(plan, err);
	if (ret == 0)
		ret = enter_directory(spec->cwd != NULL ? spec->cwd : "/", spec, &user, err);
	*home = user.home;
	/* A change of user takes this back. */
	if (ret == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return err_errno(err, errno, "cannot bind it to the agent");
	return ret;
}

static const char *find_variable(char *const *env, const char *name)
{
	size_t len = strlen(name);

	for (; *env != NULL; env++)
		if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
			return *env + len + 1;
	return NULL;
}

/* `env`, with the user's HOME unless it has one that says something. */
static char **complete_env(char *const *env, const char *home)
{
	const char *own = find_variable(env, "HOME");
	bool has_home = own != NULL && own[0] != '\0';
	size_t n = 0;
	char **list;

	while (env[n] != NULL)
		n++;
	list = calloc(n + 2, sizeof(*list));
	if (list == NULL)
		return NULL;
	n = 0;
	for (; *env != NULL; env++)
		if (has_home || strncmp(*env, "HOME=", 5) != 0)
			list[n++] = *env;
	if (!has_home && asprintf(&list[n], "HOME=%s", home) < 0)
		list[n] = NULL;
	return list;
}

/* Tries `name` in each directory; returns the errno that says most: what is there and cannot be
 * executed before what is missing. */
static int execute_in_path(const char *path, char *const *argv, char *const *env)
{
	int found = ENOENT;

	for (const char *end; path != NULL; path = *end == ':' ? end + 1 : NULL) {
		char file[PATH_MAX];
		int len;

		end = strchrnul(path, ':');
		len = snprintf(file, sizeof(file), "%.*s%s%s", (int)(end - path), path,
			end > path ? "/" : "./", argv[0]);
		if (len >= (int)sizeof(file))
			continue;
		execve(file, argv, env);
		if (errno == E2BIG || errno == ENOMEM || errno == EAGAIN)
			return errno;
		if (errno != ENOENT && errno != ENOTDIR)
			found = errno;
	}
	return found;
}

_Noreturn static void execute(char *const *argv, char *const *env)
{
	const char *path = find_variable(env, "PATH");
	struct err err = { "" };
	int failure;

	if (strchr(argv[0], '/') != NULL) {
		execve(argv[0], argv, env);
		failure = errno;
	} else if (argv[0][0] == '\0') {
		failure = ENOENT;
	} else {
		failure = execute_in_path(path != NULL ? path : DEFAULT_PATH, argv, env);
	}
	if (failure == ENOENT && strchr(argv[0], '/') == NULL)
		err_set(&err, 0, "%s: not found in PATH", argv[0]);
	else
		err_errno(&err, failure, "cannot execute %s", argv[0]);
	fail(REPORT_FD, failure == ENOENT || failure == ENOTDIR ? NOT_FOUND : NOT_EXECUTABLE, &err);
}

_Noreturn void spawn_child(const struct spawn_plan *plan, const struct spawn_ends *borrowed)
{
	struct spawn_ends ends = *borrowed;
	struct err err = { "" };
	char *home = NULL;
	char **env;

	if (enter_root(plan, &err) < 0)
		fail(ends.report, NOT_EXECUTABLE, &err);
	if (plan->as_init && plan->spec->init && small_init_begin(&err) < 0)
		fail(ends.report, NOT_EXECUTABLE, &err);
	reset_signals(plan->ignored);
	setsid();
	if (place_ends(plan, &ends, &err) < 0)
		fail(ends.report, NOT_EXECUTABLE, &err);
	mount_console(plan);
	make_directory(plan);
	if (become_user(plan, &home, &err) < 0)
		fail(ends.report, NOT_EXECUTABLE, &err);
	env = complete_env(plan->env, home);
	if (env == NULL) {
		err_set(&err, 0, "out of memory");
		fail(ends.report, NOT_EXECUTABLE, &err);
	}
	report(ends.report,
		&(struct spawn_message) { .kind = SPAWN_PID, .value = (uint32_t)getpid() });
	execute(plan->argv, env);
}
