/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/control/worker_thread.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "config/sluiced_config.h"
#include "lib/cleanup.h"

/* Who became ready does not matter: the worker polls everything it owns when it wakes. */
static void sleep_until_ready(void *ctx)
{
	struct worker_thread *wt = ctx;
	struct epoll_event events[16];

	(void)epoll_wait(wt->epoll_fd, events, 16, -1);
}

int worker_thread_watch(struct worker_thread *wt, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.fd = fd };

	return epoll_ctl(wt->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

void worker_thread_unwatch(struct worker_thread *wt, int fd)
{
	(void)epoll_ctl(wt->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

void worker_thread_wake(struct worker_thread *wt)
{
	uint64_t one = 1;

	/* EAGAIN: the counter is full, so an edge is there. */
	(void)!write(wt->wake_fd, &one, sizeof(one));
}

static uint64_t spin_cycles(const struct worker *w, uint32_t spin_us)
{
	return spin_us == SPIN_FOREVER ? UINT64_MAX : (uint64_t)spin_us * (w->hz / 1000000);
}

void worker_thread_set_spin(struct worker_thread *wt, uint32_t spin_us)
{
	__atomic_store_n(
		&wt->worker->spin_cycles, spin_cycles(wt->worker, spin_us), __ATOMIC_RELAXED);
}

static struct worker *new_worker(struct worker_thread *wt, const struct worker_settings *s)
{
	struct worker *w = NULL;

	if (posix_memalign((void **)&w, 64, sizeof(*w)) != 0)
		return NULL;
	memset(w, 0, sizeof(*w));
	w->id = s->id;
	w->topology = s->topology;
	w->fdb = s->fdb;
	w->qsbr = s->qsbr;
	w->hz = rte_get_tsc_hz();
	w->spin_cycles = spin_cycles(w, s->spin_us);
	w->sleep = sleep_until_ready;
	w->ctx = wt;
	return w;
}

int worker_thread_init(
	struct worker_thread *wt, const struct worker_settings *settings, struct err *err)
{
	cleanup_close int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	cleanup_close int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int ret;

	*wt = (struct worker_thread) { .epoll_fd = -1, .wake_fd = -1, .cpu = settings->cpu };
	if (epoll_fd < 0 || wake_fd < 0)
		return err_errno(err, errno, "cannot make what worker %u sleeps on", settings->id);
	wt->worker = new_worker(wt, settings);
	if (!wt->worker)
		return err_set(err, -ENOMEM, "out of memory");
	wt->epoll_fd = steal_fd(&epoll_fd);
	wt->wake_fd = steal_fd(&wake_fd);
	ret = worker_thread_watch(wt, wt->wake_fd);
	if (ret < 0) {
		worker_thread_free(wt);
		return err_set(err, ret, "cannot watch worker %u's eventfd", settings->id);
	}
	return 0;
}

static void ignore_signal(int sig)
{
}

void worker_thread_interrupt(struct worker_thread *wt)
{
	if (wt->started)
		pthread_kill(wt->thread, SIGUSR1);
}

static void *run(void *arg)
{
	struct worker_thread *wt = arg;

	worker_run(wt->worker);
	return NULL;
}

/* The one CPU, or all that the process had when its control thread started. */
static cpu_set_t cpus_of(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	if (cpu >= 0)
		CPU_SET(cpu, &set);
	else
		(void)sched_getaffinity(getpid(), sizeof(set), &set);
	return set;
}

int worker_thread_bind(struct worker_thread *wt, int cpu, struct err *err)
{
	cpu_set_t set = cpus_of(cpu);
	int ret;

	if (cpu == wt->cpu)
		return 0;
	ret = pthread_setaffinity_np(wt->thread, sizeof(set), &set);
	if (ret != 0)
		return err_errno(err, ret, "worker-cpus: cannot bind worker %u to CPU %d",
			wt->worker->id, cpu);
	wt->cpu = cpu;
	return 0;
}

int worker_thread_start(struct worker_thread *wt, struct err *err)
{
	const struct sigaction interrupt = { .sa_handler = ignore_signal };
	cpu_set_t set = cpus_of(wt->cpu);
	sigset_t all, before;
	pthread_attr_t attr;
	int ret;

	/* Signals are the control thread's, but for the fault that guest_memory.h handles. */
	sigfillset(&all);
	sigdelset(&all, SIGBUS);
	sigaction(SIGUSR1, &interrupt, NULL);
	sigdelset(&all, SIGUSR1);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_attr_init(&attr);
	ret = pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
	if (ret == 0)
		ret = pthread_create(&wt->thread, &attr, run, wt);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (ret != 0)
		return err_errno(err, ret, "cannot start worker %u%s", wt->worker->id,
			wt->cpu >= 0 ? " on the CPU that worker-cpus names" : "");
	pthread_setname_np(wt->thread, "sluice-worker");
	wt->started = true;
	return 0;
}

void worker_thread_join(struct worker_thread *wt)
{
	if (!wt->started)
		return;
	__atomic_store_n(&wt->worker->stop, true, __ATOMIC_RELEASE);
	worker_thread_wake(wt);
	pthread_join(wt->thread, NULL);
	wt->started = false;
}

void worker_thread_free(struct worker_thread *wt)
{
	free(steal_ptr(&wt->worker));
	if (wt->epoll_fd >= 0)
		close(steal_fd(&wt->epoll_fd));
	if (wt->wake_fd >= 0)
		close(steal_fd(&wt->wake_fd));
}
