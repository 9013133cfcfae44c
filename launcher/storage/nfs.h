/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * An NFS server for one guest: nfs-ganesha (packages nfs-ganesha and nfs-ganesha-vfs) as a child.
 *
 * NFS 4.2 alone, on one address and an unprivileged port, which only the guest reaches, and for
 * whom only the guest is a client. Exports are /vol/0, /vol/1 ... in the order given, and /root;
 * owners are numbers, and root is root. A change behind its back is seen after a second.
 *
 * A server that took connections and ends is started again, unless it had just been, with what it
 * wrote down of its clients: they reclaim their locks and repeat what was not on disk yet.
 * (Graceless = true, which spares new opens the wait for the grace period then, loses both: tried.)
 * On a first start there is no wait.
 *
 * Thread-safety: main thread.
 */

#include <stddef.h>
#include <stdint.h>

#include "launcher/process/child.h"
#include "launcher/storage/nfs_export.h"

#define NFS_PROGRAM "ganesha.nfsd"

/* Where the root is exported. */
#define NFS_ROOT_NAME "/root"

struct nfs_plan {
	const char *program; /* NULL: NFS_PROGRAM */
	const char *run_dir; /* private, of this server: its configuration and recovery state */
	const char *address; /* to listen on, as text */
	const char *client;  /* the guest's address, as text; NULL: whoever reaches us */
	uint16_t port;
	const struct nfs_export *exports;
	size_t n_exports;
	const struct nfs_export *root; /* NULL: none */
	bool allow_shared;             /* see nfs_export_check() */
	int log;                       /* gets its stderr; -1: none */
	struct keeper *keeper;
	/* Called by the event loop: it takes connections, for the first time. */
	void (*ready)(void *owner);
	/* Called by the event loop: it has ended and is not started again. "exit status 1". May
	 * call nfs_stop(). */
	void (*ended)(void *owner, const char *how);
	void *owner;
};

struct nfs;

/* Checks every export, then starts the server. Nothing of *plan is needed after the call. What
 * nfs_export_check() returns; -EINVAL: a path that its configuration cannot hold; -ENOENT: there is
 * no server program. */
int nfs_start(
	struct event_base *loop, const struct nfs_plan *plan, struct nfs **out, struct err *err);

/* How often it has been started again. */
unsigned nfs_n_restarts(const struct nfs *nfs);

/* Kills it. Files in run_dir stay. May be NULL. */
void nfs_stop(struct nfs *nfs);
