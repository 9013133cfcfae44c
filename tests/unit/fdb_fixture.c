/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/fdb_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <rte_rcu_qsbr.h>

int fdb_setup(void **state)
{
	struct fdb_fixture *f = calloc(1, sizeof(*f));
	size_t size = rte_rcu_qsbr_get_memsize(2);
	struct err err;

	assert_non_null(f);
	assert_int_equal(posix_memalign((void **)&f->qsbr, 64, size), 0);
	rte_rcu_qsbr_init(f->qsbr, 2);
	f->fdb = fdb_new(SIZE, f->qsbr, &err);
	assert_non_null(f->fdb);
	*state = f;
	return 0;
}

int fdb_teardown(void **state)
{
	struct fdb_fixture *f = *state;

	fdb_free(f->fdb);
	free(f->qsbr);
	free(f);
	return 0;
}

uint64_t key(uint16_t vlan, unsigned n)
{
	struct mac mac = { { 2, (uint8_t)(n >> 24), 0, (uint8_t)(n >> 16), (uint8_t)(n >> 8),
		(uint8_t)n } };

	return fdb_key(vlan, &mac);
}

void learn(struct fdb_fixture *f, unsigned n, uint16_t port, uint32_t now_s)
{
	fdb_learn(f->fdb, &f->cache, key(0, n), port, now_s);
}

void learn_many(struct fdb_fixture *f, unsigned first, unsigned n, uint16_t port, uint32_t now_s)
{
	for (unsigned i = 0; i < n; i++)
		learn(f, first + i, port, now_s);
}

uint16_t port_of(struct fdb_fixture *f, unsigned n)
{
	return fdb_lookup(f->fdb, &f->other, key(0, n));
}

struct fdb_port_stats stats(struct fdb_fixture *f, uint16_t port)
{
	struct fdb_port_stats out;

	fdb_port_stats(f->fdb, port, &out);
	return out;
}

unsigned count_rows(struct fdb *fdb)
{
	struct fdb_row row;
	uint32_t cursor = 0;
	unsigned n = 0;

	while (fdb_next(fdb, &cursor, &row))
		n++;
	return n;
}
