/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The forwarding database under several threads: floods, whose deleted slots come back only when
 * all readers have reported, and everything at once.
 *
 * Also for ThreadSanitizer: ./dev test tsan.
 */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <rte_rcu_qsbr.h>

#include "switch/control/eal.h"
#include "switch/datapath/fdb.h"

#define SIZE      256
#define N_THREADS 4
#define N_QUIET   32
#define BURST     32
#define RUN_MS    1500
#define AWAIT_MS  30000

enum { QUIET = 1, FLOODING, SHARED, OTHER, TIED }; /* ports */

struct fixture {
	struct rte_rcu_qsbr *qsbr;
	struct fdb *fdb;
	uint32_t now_s; /* the clock of all threads */
	bool stop;
	unsigned n_wrong;
};

struct reader {
	struct fixture *f;
	unsigned id;
	pthread_t thread;
	struct fdb_cache cache;
	uint64_t n_found;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	size_t size = rte_rcu_qsbr_get_memsize(N_THREADS);
	struct err err;

	assert_non_null(f);
	assert_int_equal(posix_memalign((void **)&f->qsbr, 64, size), 0);
	rte_rcu_qsbr_init(f->qsbr, N_THREADS);
	f->fdb = fdb_new(SIZE, f->qsbr, &err);
	f->now_s = 100;
	assert_non_null(f->fdb);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	fdb_free(f->fdb);
	free(f->qsbr);
	free(f);
	return 0;
}

/* Key n of a port; the second byte of its address says which. */
static uint64_t key_of(uint16_t port, uint32_t n)
{
	struct mac mac = { { 2, (uint8_t)port, (uint8_t)(n >> 24), (uint8_t)(n >> 16),
		(uint8_t)(n >> 8), (uint8_t)n } };

	return fdb_key(0, &mac);
}

static uint32_t now(const struct fixture *f)
{
	return __atomic_load_n(&f->now_s, __ATOMIC_RELAXED);
}

static bool stopped(const struct fixture *f)
{
	return __atomic_load_n(&f->stop, __ATOMIC_RELAXED);
}

static void come(struct reader *r)
{
	rte_rcu_qsbr_thread_register(r->f->qsbr, r->id);
	rte_rcu_qsbr_thread_online(r->f->qsbr, r->id);
}

static void leave(struct reader *r)
{
	rte_rcu_qsbr_thread_offline(r->f->qsbr, r->id);
	rte_rcu_qsbr_thread_unregister(r->f->qsbr, r->id);
}

static void start(struct reader *r, struct fixture *f, unsigned id, void *(*run)(void *))
{
	r->f = f;
	r->id = id;
	r->n_found = 0;
	assert_int_equal(pthread_create(&r->thread, NULL, run, r), 0);
}

/* Only its own thread writes it. */
static void count_found(struct reader *r, bool found)
{
	__atomic_store_n(&r->n_found, r->n_found + found, __ATOMIC_RELAXED);
}

static bool has_found(const struct reader *r)
{
	return __atomic_load_n(&r->n_found, __ATOMIC_RELAXED) > 0;
}

static struct fdb_port_stats stats(struct fixture *f, uint16_t port)
{
	struct fdb_port_stats out;

	fdb_port_stats(f->fdb, port, &out);
	return out;
}

static unsigned count_rows(struct fixture *f)
{
	struct fdb_row row;
	uint32_t cursor = 0;
	unsigned n = 0;

	while (fdb_next(f->fdb, &cursor, &row))
		n++;
	return n;
}

/* n new addresses of the flooding port, from first on; its clock goes on so that it may. */
static void flood(struct reader *r, uint32_t first, uint32_t n)
{
	struct fixture *f = r->f;

	for (uint32_t i = first; i < first + n; i++) {
		if (i % FDB_REPLACEMENTS_PER_S == 0)
			__atomic_fetch_add(&f->now_s, 1, __ATOMIC_RELAXED);
		fdb_learn(f->fdb, &r->cache, key_of(FLOODING, i), FLOODING, now(f));
		if (i % BURST == 0)
			rte_rcu_qsbr_quiescent(f->qsbr, r->id);
	}
}

static void learn_quiet(struct reader *r)
{
	for (unsigned i = 0; i < N_QUIET; i++)
		fdb_learn(r->f->fdb, &r->cache, key_of(QUIET, i), QUIET, now(r->f));
}

/* One after the other, the quiet port's addresses: they must be there all the time. */
static void *watch_quiet(void *arg)
{
	struct reader *r = arg;
	struct fixture *f = r->f;

	come(r);
	for (uint32_t i = 0; !stopped(f); i++) {
		if (fdb_lookup(f->fdb, &r->cache, key_of(QUIET, i % N_QUIET)) != QUIET)
			__atomic_fetch_add(&f->n_wrong, 1, __ATOMIC_RELAXED);
		count_found(r, true);
		if (i % 256 == 0)
			rte_rcu_qsbr_quiescent(f->qsbr, r->id);
	}
	leave(r);
	return NULL;
}

/* A thread may take its time to begin. */
static void await_found(const struct reader *r)
{
	for (int ms = 0; ms < AWAIT_MS && !has_found(r); ms++)
		usleep(1000);
	assert_true(has_found(r));
}

static void test_endless_flood_with_a_reader(void **state)
{
	struct fixture *f = *state;
	static struct reader flooder, watcher;
	const uint32_t n = 3000000;

	flooder = (struct reader) { .f = f, .id = 0 };
	come(&flooder);
	learn_quiet(&flooder);
	start(&watcher, f, 1, watch_quiet);
	await_found(&watcher);
	flood(&flooder, 0, n);
	__atomic_store_n(&f->stop, true, __ATOMIC_RELAXED);
	assert_int_equal(pthread_join(watcher.thread, NULL), 0);
	assert_int_equal(f->n_wrong, 0);
	assert_true(watcher.n_found > 0);
	assert_int_equal(stats(f, QUIET).n_evicted, 0);
	assert_int_equal(count_rows(f), SIZE);
	assert_int_equal(stats(f, FLOODING).n_learned + stats(f, FLOODING).n_refused, n);
	print_message("%u of %u addresses were learned\n", (unsigned)stats(f, FLOODING).n_learned,
		(unsigned)n);
	/* All have reported: whoever is new now is learned. */
	rte_rcu_qsbr_quiescent(f->qsbr, flooder.id);
	fdb_learn(f->fdb, &flooder.cache, key_of(OTHER, 1), OTHER, now(f));
	assert_int_equal(fdb_lookup(f->fdb, &flooder.cache, key_of(OTHER, 1)), OTHER);
	leave(&flooder);
}

static void test_flood_while_a_reader_hangs(void **state)
{
	struct fixture *f = *state;
	static struct reader flooder, hanging;
	uint64_t n_learned;

	flooder = (struct reader) { .f = f, .id = 0 };
	hanging = (struct reader) { .f = f, .id = 1 };
	come(&flooder);
	come(&hanging);
	learn_quiet(&flooder);
	flood(&flooder, 0, 20000);
	/* Slots run out: nothing more is learned, but nothing is evicted for it either. */
	n_learned = stats(f, FLOODING).n_learned;
	assert_true(n_learned >= SIZE - N_QUIET + FDB_REPLACEMENTS_PER_S);
	assert_int_equal(count_rows(f), SIZE);
	assert_int_equal(stats(f, QUIET).n_entries, N_QUIET);
	flood(&flooder, 20000, 5000);
	assert_int_equal(stats(f, FLOODING).n_learned, n_learned);
	/* It goes on where it stopped as soon as the reader reports. */
	rte_rcu_qsbr_quiescent(f->qsbr, hanging.id);
	flood(&flooder, 30000, 1000);
	assert_true(stats(f, FLOODING).n_learned >= n_learned + FDB_REPLACEMENTS_PER_S);
	assert_int_equal(count_rows(f), SIZE);
	leave(&hanging);
	leave(&flooder);
}

/* --- everything at once ---------------------------------------------------------------------- */

/* A worker behind one port: its own addresses, a flood, and some that move between the workers. */
static void *learn_all_kinds(void *arg)
{
	struct reader *r = arg;
	struct fixture *f = r->f;
	uint16_t port = r->id == 0 ? QUIET : FLOODING;

	come(r);
	for (uint32_t i = 0; !stopped(f); i++) {
		fdb_learn(f->fdb, &r->cache, key_of(port, i % N_QUIET), port, now(f));
		fdb_learn(f->fdb, &r->cache, key_of(port, i), port, now(f));
		fdb_learn(f->fdb, &r->cache, key_of(SHARED, i / 64 % 4), port, now(f));
		fdb_learn(f->fdb, &r->cache, key_of(TIED, i % 4), port, now(f));
		if (i % BURST == 0)
			rte_rcu_qsbr_quiescent(f->qsbr, r->id);
	}
	leave(r);
	return NULL;
}

/* An address may be unknown at any time, but never behind a port at which it was not seen. */
static bool is_right(uint16_t home, uint16_t port)
{
	return port == FDB_PORT_NONE || port == home ||
	       ((home == SHARED || home == TIED) && (port == QUIET || port == FLOODING));
}

static void *look_up_all_kinds(void *arg)
{
	struct reader *r = arg;
	struct fixture *f = r->f;

	come(r);
	for (uint32_t i = 0; !stopped(f); i++) {
		for (uint16_t home = QUIET; home <= TIED; home++) {
			uint16_t port = fdb_lookup(f->fdb, &r->cache, key_of(home, i % 64));

			count_found(r, port != FDB_PORT_NONE);
			if (!is_right(home, port))
				__atomic_fetch_add(&f->n_wrong, 1, __ATOMIC_RELAXED);
		}
		if (i % BURST == 0)
			rte_rcu_qsbr_quiescent(f->qsbr, r->id);
	}
	leave(r);
	return NULL;
}

static unsigned check_rows(struct fixture *f)
{
	struct fdb_row row;
	uint32_t cursor = 0;
	unsigned n_wrong = 0;

	while (fdb_next(f->fdb, &cursor, &row))
		n_wrong += row.mac.byte[0] != 2 || !is_right(row.mac.byte[1], row.port) ||
			   row.vlan != 0 || (row.is_static && row.port != TIED);
	return n_wrong;
}

/* What the control thread does all day, in a hurry. Returns how many entries it deleted. */
static unsigned control(struct fixture *f, unsigned round)
{
	unsigned n = 0, n_static = 0;

	__atomic_fetch_add(&f->now_s, 1, __ATOMIC_RELAXED);
	n += fdb_expire(f->fdb, now(f), 1);
	if (round % 4 == 0)
		n += fdb_flush(f->fdb, QUIET);
	if (round % 8 == 0)
		n += fdb_flush(f->fdb, FDB_PORT_NONE);
	fdb_set_limit(f->fdb, FLOODING, round % 3 * 50);
	/* They may be refused when slots have run out; what is static stays, whoever sends from it.
	 */
	for (unsigned i = 0; i < 4; i++)
		n_static += fdb_add_static(f->fdb, key_of(TIED, i), TIED) == 0;
	if (stats(f, TIED).n_static != n_static)
		__atomic_fetch_add(&f->n_wrong, 1, __ATOMIC_RELAXED);
	for (unsigned i = 0; round % 2 && i < 4; i++)
		n += fdb_del(f->fdb, key_of(TIED, i)) == 0;
	__atomic_fetch_add(&f->n_wrong, check_rows(f), __ATOMIC_RELAXED);
	return n;
}

static uint64_t clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Whatever the test is about has happened at least once. */
static bool all_have_run(struct fixture *f, const struct reader *looker)
{
	return has_found(looker) && stats(f, QUIET).n_learned > 0 &&
	       stats(f, FLOODING).n_learned > 0;
}

static void test_everything_at_once(void **state)
{
	struct fixture *f = *state;
	static struct reader learner[2], looker;
	uint64_t end = clock_ms() + RUN_MS;
	unsigned n_deleted = 0, n_entries = 0, round = 0;

	start(&learner[0], f, 0, learn_all_kinds);
	start(&learner[1], f, 1, learn_all_kinds);
	start(&looker, f, 2, look_up_all_kinds);
	while (clock_ms() < end ||
		((n_deleted == 0 || !all_have_run(f, &looker)) && clock_ms() < end + AWAIT_MS))
		n_deleted += control(f, round++);
	__atomic_store_n(&f->stop, true, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pthread_join(learner[i].thread, NULL), 0);
	assert_int_equal(pthread_join(looker.thread, NULL), 0);
	assert_int_equal(f->n_wrong, 0);
	assert_true(n_deleted > 0 && looker.n_found > 0);
	for (uint16_t port = 0; port < FDB_PORT_MAX; port++)
		n_entries += stats(f, port).n_entries + stats(f, port).n_static;
	assert_int_equal(count_rows(f), n_entries);
	assert_true(n_entries <= SIZE);
	assert_true(stats(f, QUIET).n_learned > 0 && stats(f, FLOODING).n_learned > 0);
	assert_int_equal(fdb_flush(f->fdb, FDB_PORT_NONE) + stats(f, TIED).n_static, n_entries);
	print_message("%u rounds, %u deleted, %u moved, %u conflicts\n", round, n_deleted,
		(unsigned)(stats(f, QUIET).n_moved + stats(f, FLOODING).n_moved),
		(unsigned)stats(f, QUIET).n_static_conflicts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_endless_flood_with_a_reader, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flood_while_a_reader_hangs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_everything_at_once, setup, teardown),
	};
	struct err err = { "" };

	if (eal_start(32, false, &err) < 0) {
		print_error("%s\n", err.text);
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
