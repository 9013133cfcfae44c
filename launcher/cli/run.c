/* SPDX-License-Identifier: BSD-3-Clause */

/* sluice-vm run: one VM, from its preparation to its command's exit status. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/event.h>

#include "config/vm_process.h"
#include "launcher/cli/run_options.h"
#include "launcher/cli/verb.h"
#include "launcher/exec/exec_tty.h"
#include "launcher/pod/pod_lock.h"
#include "launcher/process/orphans.h"
#include "launcher/process/remove_tree.h"
#include "launcher/run/vm.h"
#include "launcher/run/vm_control.h"
#include "lib/cleanup.h"
#include "lib/log.h"

#define CONSOLE_LINES 30

#define MARKER ".sluice" /* in a VM's private directory */

/* --- directories and logs -------------------------------------------------------------------- */

static int make_dir(const char *path, mode_t mode, struct err *err)
{
	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return err_errno(err, errno, "cannot make %s", path);
	return 0;
}

static int clear_dir(const char *path)
{
	DIR *dir = opendir(path);
	char child[VM_PATH_MAX + NAME_MAX + 2];
	struct dirent *entry;
	int ret = dir != NULL ? 0 : -errno;

	while (ret == 0 && (entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(child, sizeof(child), "%s/%s", path, entry->d_name);
		ret = remove_tree(child);
	}
	if (dir != NULL)
		closedir(dir);
	return ret;
}

static bool is_empty(int fd)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
	size_t n = 0;

	while (dir != NULL && readdir(dir) != NULL)
		n++;
	if (dir != NULL)
		closedir(dir);
	return n == 2; /* "." and ".." */
}

/* What is removed without asking must be ours: a file of its own says so. */
static int check_is_ours(const struct vm_paths *paths, int fd, struct err *err)
{
	if (faccessat(fd, MARKER, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || is_empty(fd))
		return 0;
	return err_set(err, -ENOTEMPTY,
		"%s has files in it that are no VM's: set another run-dir or name", paths->dir);
}

static int mark_as_ours(const struct vm_paths *paths, int dir, struct err *err)
{
	cleanup_close int fd = openat(dir, MARKER, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	return fd < 0 ? err_errno(err, errno, "cannot write to %s", paths->dir) : 0;
}

/*
 * The VM's private directory, which is locked for as long as *lock is open: by its name there is
 * one VM at a time. What a predecessor left in it is removed.
 */
static int claim_dir(const struct vm_paths *paths, int *lock, struct err *err)
{
	cleanup_close int fd = -1;
	int ret = make_dir(paths->run_dir, 0755, err);

	if (ret == 0)
		ret = make_dir(paths->dir, 0700, err);
	if (ret < 0)
		return ret;
	fd = open(paths->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, errno, "%s", paths->dir);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return err_set(
			err, -EBUSY, "a VM of this name is running (%s is locked)", paths->dir);
	ret = check_is_ours(paths, fd, err);
	if (ret < 0)
		return ret;
	ret = clear_dir(paths->dir);
	if (ret < 0)
		return err_errno(err, -ret, "cannot clear %s", paths->dir);
	ret = mark_as_ours(paths, fd, err);
	if (ret == 0)
		*lock = steal_fd(&fd);
	return ret;
}

static int open_log(struct vm *vm, struct err *err)
{
	const struct vm_settings *s = vm->settings;
	const char *path = s->log_file[0] != '\0' ? s->log_file : vm->paths.log;

	vm->log = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
	if (vm->log < 0)
		return err_errno(err, errno, "cannot write %s", path);
	log_configure(s->log_level, s->log_format);
	log_to(vm->log);
	return 0;
}

static int tell_keeper(struct vm *vm, struct err *err)
{
	const char *const paths[] = { vm->paths.dir, vm->paths.switch_port, vm->paths.vsock,
		vm->paths.shared_ports };
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < sizeof(paths) / sizeof(paths[0]); i++)
		ret = keeper_add_path(vm->keeper, paths[i], err);
	return ret;
}

/* --- signals --------------------------------------------------------------------------------- */

static const int forwarded[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCONT,
	SIGWINCH };

#define N_FORWARDED (sizeof(forwarded) / sizeof(forwarded[0]))

/*
 * Process 1 of a container has no signals but those that it has handlers for: what comes before it
 * has them waits.
 */
static void hold_signals(int how)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < N_FORWARDED; i++)
		sigaddset(&set, forwarded[i]);
	pthread_sigmask(how, &set, NULL);
}

struct signals {
	struct vm *vm;
	struct event *event[N_FORWARDED];
	struct event *stop_timer;
};

static void resize(struct vm *vm)
{
	struct agent_window window;

	if (vm->workload != NULL && exec_tty_window(&window))
		workload_resize(vm->workload, &window);
}

static void on_stop_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct signals *s = arg;

	vm_end(s->vm, 128 + SIGKILL, NULL);
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
	struct signals *s = arg;
	const struct vm_settings *settings = s->vm->settings;
	const struct timeval grace = { (time_t)settings->stop_timeout_s, 0 };

	log_info("signal", log_str("name", strsignal(number)));
	if (number == SIGWINCH && settings->tty) {
		resize(s->vm);
		return;
	}
	vm_signal(s->vm, number);
	if (settings->stop_timeout_s > 0 && number == (int)settings->stop_signal)
		(void)event_add(s->stop_timer, &grace);
}

static int forward_signals(struct signals *s, struct vm *vm, struct err *err)
{
	*s = (struct signals) { .vm = vm };
	s->stop_timer = evtimer_new(vm->loop, on_stop_timeout, s);
	for (size_t i = 0; i < N_FORWARDED; i++) {
		s->event[i] = evsignal_new(vm->loop, forwarded[i], on_signal, s);
		if (s->event[i] == NULL || event_add(s->event[i], NULL) < 0)
			return err_set(err, -ENOMEM, "out of memory");
	}
	if (s->stop_timer == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	hold_signals(SIG_UNBLOCK);
	return 0;
}

static void forget_signals(struct signals *s)
{
	for (size_t i = 0; i < N_FORWARDED; i++)
		if (s->event[i] != NULL)
			event_free(s->event[i]);
	if (s->stop_timer != NULL)
		event_free(s->stop_timer);
}

/* --- run ------------------------------------------------------------------------------------- */

/* While the workload runs, a terminal of ours is its own. */
static void stay(struct vm *vm)
{
	struct exec_tty tty = { 0 };

	if (vm->settings->tty) {
		resize(vm);
		exec_tty_make_raw(&tty, STDIN_FILENO);
	}
	vm_run(vm);
	exec_tty_restore(&tty, STDIN_FILENO);
}

static void live(struct vm *vm)
{
	struct rpc_server *control = NULL;
	struct signals signals;
	struct err err = { "" };

	if (forward_signals(&signals, vm, &err) < 0 || vm_control_start(vm, &control, &err) < 0)
		vm_end(vm, VM_STATUS_START, err.text);
	else if (vm_start(vm) == 0)
		stay(vm);
	if (!vm->started && vm->console != NULL) {
		console_drain(vm->console);
		console_print_tail(
			vm->paths.console, CONSOLE_LINES, "sluice-vm: console: ", stderr);
	}
	vm_stop(vm);
	rpc_server_free(control);
	forget_signals(&signals);
}

/* From here on there is something to clean up. */
static int prepare_and_live(struct vm *vm, struct err *err)
{
	cleanup_close int lock = -1;
	struct orphans *orphans = NULL;
	int ret = claim_dir(&vm->paths, &lock, err);

	if (ret == 0)
		ret = open_log(vm, err);
	if (ret == 0)
		ret = tell_keeper(vm, err);
	if (ret == 0 && (vm->loop = event_base_new()) == NULL)
		ret = err_set(err, -ENOMEM, "cannot make an event loop");
	if (ret == 0 && (orphans = orphans_start(vm->loop)) == NULL)
		ret = err_set(err, -ENOMEM, "out of memory");
	if (ret < 0)
		return ret;
	live(vm);
	orphans_stop(orphans);
	event_base_free(vm->loop);
	(void)remove_tree(vm->paths.dir);
	close(vm->log);
	return 0;
}

/* How the command is run, as the settings or the container have it: what a table cannot judge is
 * refused before anything is made for it. */
static int make_process(
	const struct run_options *options, struct process_spec *process, struct err *err)
{
	if (!options->has_container)
		return vm_process_make(&options->settings, process, err);
	if (process_spec_copy(&options->container.process, process) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

/* Labs, and VMs on a switch that is somebody else's, leave the pod's interface alone. */
static bool takes_pod(const struct vm_settings *settings)
{
	return !settings->lab && settings->switch_socket[0] == '\0';
}

static int keep_and_live(struct vm *vm, struct err *err)
{
	cleanup_close int lock = takes_pod(vm->settings) ? pod_lock_take(err) : -1;
	int ret = takes_pod(vm->settings) && lock < 0 ? lock : keeper_start(&vm->keeper, err);

	if (ret < 0)
		return ret;
	ret = prepare_and_live(vm, err);
	keeper_end(vm->keeper);
	return ret;
}

/* Exit status of the whole. */
static int run(const struct run_options *options, struct err *err)
{
	struct process_spec process = { 0 };
	const struct vm_command command = { .argv = options->argv,
		.env = run_options_env(options),
		.volumes = &options->volumes,
		.process = &process,
		.share = options->container.share };
	struct vm vm = {
		.settings = &options->settings, .command = &command, .log = -1, .initrd_fd = -1
	};
	int ret = vm_paths_make(&vm.paths, options->settings.run_dir, options->settings.name, err);

	if (ret == 0)
		ret = make_process(options, &process, err);
	if (ret == 0)
		ret = keep_and_live(&vm, err);
	process_spec_free(&process);
	if (ret < 0)
		return VM_STATUS_START;
	*err = vm.err;
	return vm.status;
}

/* In a container 2 would be taken for its own. */
static int usage_status(const struct run_options *options)
{
	return options->has_container ? (int)VM_STATUS_START : (int)VERB_USAGE;
}

enum verb_status run_verb(int argc, char **argv, struct err *err)
{
	struct run_options options;
	int status;

	signal(SIGPIPE, SIG_IGN);
	hold_signals(SIG_BLOCK);
	if (run_options_parse(argv + 1, &options, err) < 0) {
		status = usage_status(&options);
	} else if (options.help) {
		run_options_print_help(stdout);
		status = VERB_OK;
	} else {
		status = run(&options, err);
	}
	run_options_free(&options);
	return (enum verb_status)status;
}

void run_verb_man(FILE *out)
{
	run_options_print_man(out);
}
