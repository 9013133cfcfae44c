/* SPDX-License-Identifier: BSD-3-Clause */

/* sluice-vm run: one VM, from its preparation to its command's exit status. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
#include "launcher/run/vm_dir.h"
#include "lib/cleanup.h"
#include "lib/log.h"

#define CONSOLE_LINES 30

/* --- logs and the keeper -------------------------------------------------------------------- */

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

/* Those of a VM's sockets that are not in its directory; NULL: there are no more. Whoever made one
 * removes it, unless it was killed, or had just begun. */
static const char *socket_at(const struct vm_paths *paths, size_t i)
{
	const char *const sockets[] = { paths->switch_port, paths->vsock, paths->shared_ports };

	return i < sizeof(sockets) / sizeof(sockets[0]) ? sockets[i] : NULL;
}

static int tell_keeper(struct vm *vm, struct err *err)
{
	const char *path;
	int ret = 0;

	for (size_t i = 0; ret == 0 && (path = socket_at(&vm->paths, i)) != NULL; i++)
		ret = keeper_add_path(vm->keeper, path, err);
	/* Last: a successor of this name waits for as long as it is there. */
	return ret == 0 ? keeper_add_path(vm->keeper, vm->paths.dir, err) : ret;
}

static void remove_sockets(const struct vm_paths *paths)
{
	const char *path;

	for (size_t i = 0; (path = socket_at(paths, i)) != NULL; i++)
		(void)unlink(path);
}

/* --- signals --------------------------------------------------------------------------------- */

#define SIGNAL_MAX 64

/*
 * What is the workload's: all that can be, as init systems and servers have uses for the strangest
 * (SIGRTMIN+3, SIGPWR, SIGABRT). Ours are children's ends, and what this program does wrong
 * itself: faults, and writing to who is gone. Job control is the shell's that started us, unless we
 * are process 1 and there is none.
 */
static bool is_forwarded(int number)
{
	static const int own[] = { SIGKILL, SIGSTOP, SIGCHLD, SIGPIPE, SIGSEGV, SIGBUS, SIGILL,
		SIGFPE, SIGTRAP, SIGSYS };
	static const int job[] = { SIGTSTP, SIGTTIN, SIGTTOU };

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (number == own[i])
			return false;
	for (size_t i = 0; i < sizeof(job) / sizeof(job[0]); i++)
		if (number == job[i])
			return getpid() == 1;
	/* The two between are the C library's. */
	return number < __SIGRTMIN || number >= SIGRTMIN;
}

/*
 * Process 1 of a container has no signals but those that it has handlers for: what comes before it
 * has them waits.
 */
static void hold_signals(int how)
{
	sigset_t set;

	sigemptyset(&set);
	for (int number = 1; number <= SIGNAL_MAX; number++)
		if (is_forwarded(number))
			sigaddset(&set, number);
	pthread_sigmask(how, &set, NULL);
}

struct signals {
	struct vm *vm;
	struct event *event[SIGNAL_MAX + 1]; /* NULL: not forwarded */
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
	for (int i = 1; i <= SIGNAL_MAX; i++) {
		if (!is_forwarded(i))
			continue;
		s->event[i] = evsignal_new(vm->loop, i, on_signal, s);
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
	for (int i = 1; i <= SIGNAL_MAX; i++)
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
	struct orphans *orphans = NULL;
	int ret = open_log(vm, err);

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

/* The keeper has the locks as well: what it cleans up behind us is in nobody's way before that, and
 * nothing of a successor's is in its. */
static int claim_and_live(struct vm *vm, int pod_lock, struct err *err)
{
	struct vm_dir dir = VM_DIR_NONE;
	int ret = pod_lock >= 0 ? keeper_hold(vm->keeper, pod_lock, err) : 0;

	if (ret == 0)
		ret = vm_dir_claim(&vm->paths, &dir, err);
	if (ret == 0)
		ret = keeper_hold(vm->keeper, dir.kept, err);
	if (ret == 0)
		ret = prepare_and_live(vm, err);
	/* In this order: who is killed in between has a keeper no more, and a successor none of its
	 * directory removed. */
	keeper_end(vm->keeper);
	if (dir.kept >= 0) {
		remove_sockets(&vm->paths);
		(void)remove_tree(vm->paths.dir);
	}
	vm_dir_release(&dir);
	if (vm->log >= 0)
		close(vm->log);
	return ret;
}

static int keep_and_live(struct vm *vm, struct err *err)
{
	struct pod_lock lock = POD_LOCK_NONE;
	int ret = takes_pod(vm->settings) ? pod_lock_take(&lock, err) : 0;

	if (ret == 0)
		ret = keeper_start(&vm->keeper, err);
	if (ret == 0)
		ret = claim_and_live(vm, lock.kept, err);
	pod_lock_release(&lock);
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
		.sysctls = &options->container.sysctls,
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
