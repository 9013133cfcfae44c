/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Who holds how much of the forwarding database, and which entry gives way.
 *
 * The learned entries of a port form a queue, in the order in which they were learned. Its head is
 * the candidate for eviction, with a second chance: an entry that spoke after it was queued goes
 * back to the tail. So an entry costs nothing while it is in use (only its `seen_s` is written, by
 * the worker, without the lock), and the queue is put in order when somebody has to leave. A few
 * entries are looked at, no more; of these the longest unseen goes.
 *
 * Ports that hold the same number of entries form a list, and there is a list for every number. A
 * number changes by one at a time, so the largest number in use follows with one step as well.
 * Everything here costs a bounded number of steps, whatever the size of the table.
 *
 * Static entries are in no queue: they count for nobody and never give way.
 *
 * Thread-safety: the caller holds the table's lock, except for the fields that say otherwise.
 */

#include <stdbool.h>
#include <stdint.h>

#define FDB_PORT_MAX      256
#define FDB_PORT_NONE     UINT16_MAX
#define FDB_POSITION_NONE UINT32_MAX

/* Two to a cache line; indexed by the key's position in the hash table. */
struct fdb_entry {
	uint64_t key;
	uint32_t seen_s;     /* written by whichever worker sees it, read by anybody */
	uint32_t queued_s;   /* seen_s when it came to the tail */
	uint32_t next, prev; /* in its port's queue */
	uint16_t port;       /* FDB_PORT_NONE: free; read without the lock */
	uint16_t home;       /* the port it may come back to for nothing; read without the lock */
	uint16_t came_s;     /* to this port; the low bits */
	bool is_static;      /* read without the lock */
} __attribute__((aligned(32)));

struct fdb_share_port {
	uint32_t first, last; /* its queue */
	uint32_t n;
	uint16_t next, prev; /* among the ports with as many entries */
};

struct fdb_share {
	struct fdb_entry *entry;
	uint32_t n_positions;
	uint32_t most;  /* entries of the port that has most; 0: nobody has any */
	uint16_t *rank; /* by number of entries: the first port with so many */
	struct fdb_share_port port[FDB_PORT_MAX];
};

/* For positions below n_positions, of which `size` are in use at most. -ENOMEM. */
int fdb_share_init(struct fdb_share *s, uint32_t n_positions, uint32_t size);

/* Also after a failed, or without any, initialisation of zeroed memory. */
void fdb_share_free(struct fdb_share *s);

/* Puts an entry, whose port and seen_s are set, to the end of its port's queue. */
void fdb_share_join(struct fdb_share *s, uint32_t position);

/* Takes an entry out of its port's queue. */
void fdb_share_leave(struct fdb_share *s, uint32_t position);

/* A port that has most entries: `preferred` if it is one of them. FDB_PORT_NONE: all have none. */
uint16_t fdb_share_largest(const struct fdb_share *s, uint16_t preferred);

/* The position, about, of the longest unseen entry of a port that has at least one. */
uint32_t fdb_share_oldest(struct fdb_share *s, uint16_t port);
