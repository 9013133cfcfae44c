/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* A small forwarding database with two workers' caches, and what its tests say all the time. */

#include <stdint.h>

#include "switch/datapath/fdb.h"

#define SIZE 64

struct fdb_fixture {
	struct rte_rcu_qsbr *qsbr;
	struct fdb *fdb;
	struct fdb_cache cache; /* of one worker */
	struct fdb_cache other; /* of another */
};

int fdb_setup(void **state);
int fdb_teardown(void **state);

/* Address n of a VLAN. */
uint64_t key(uint16_t vlan, unsigned n);

/* By the first worker, in VLAN 0. */
void learn(struct fdb_fixture *f, unsigned n, uint16_t port, uint32_t now_s);

/* Addresses first .. first + n - 1. */
void learn_many(struct fdb_fixture *f, unsigned first, unsigned n, uint16_t port, uint32_t now_s);

/* As the other worker sees it. */
uint16_t port_of(struct fdb_fixture *f, unsigned n);

struct fdb_port_stats stats(struct fdb_fixture *f, uint16_t port);

unsigned count_rows(struct fdb *fdb);
