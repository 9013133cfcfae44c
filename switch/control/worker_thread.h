/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A worker's thread and what it sleeps on: one epoll set with the ports' descriptors and an eventfd
 * of its own, all edge-triggered, so that nothing has to be read to quiet them.
 *
 * Thread-safety: control thread only; epoll_ctl(2) may race with the worker's epoll_wait(2).
 */

#include <pthread.h>

#include "lib/err.h"
#include "switch/datapath/worker.h"

struct worker_thread {
	struct worker *worker; /* owned */
	pthread_t thread;
	int epoll_fd;
	int wake_fd;
	int cpu; /* -1: not bound */
	bool started;
};

struct worker_settings {
	unsigned id;
	int cpu;          /* -1: wherever the kernel likes */
	uint32_t spin_us; /* SPIN_FOREVER: never sleep */
	struct topology **topology;
	struct fdb *fdb;
	struct rte_rcu_qsbr *qsbr;
};

/* Makes everything but the thread. -errno with *err set; then there is nothing to close. */
int worker_thread_init(
	struct worker_thread *wt, const struct worker_settings *settings, struct err *err);

int worker_thread_start(struct worker_thread *wt, struct err *err);

/* Binds the thread to another CPU; -1: to none, it may run wherever the process may. */
int worker_thread_bind(struct worker_thread *wt, int cpu, struct err *err);

/* How long it spins before it sleeps. */
void worker_thread_set_spin(struct worker_thread *wt, uint32_t spin_us);

/* Stops the loop and joins the thread, if there is one. watch() and unwatch() still work. */
void worker_thread_join(struct worker_thread *wt);

/* Frees the rest. */
void worker_thread_free(struct worker_thread *wt);

/* Ends a system call in which the thread blocks, if it does: with EINTR. */
void worker_thread_interrupt(struct worker_thread *wt);

void worker_thread_wake(struct worker_thread *wt);
int worker_thread_watch(struct worker_thread *wt, int fd);
void worker_thread_unwatch(struct worker_thread *wt, int fd);
