/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The bindings and the neighbour cache under several threads: what a worker is told belongs
 * together, and what is nobody's to change stays, whatever guests and the control thread do.
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

#include <cmocka.h>

#include <rte_rcu_qsbr.h>

#include "switch/control/eal.h"
#include "switch/datapath/binding.h"
#include "switch/datapath/neigh_cache.h"
#include "tests/unit/addr_fixture.h"

#define SIZE      256
#define N_THREADS 3
#define N_QUIET   16
#define N_SHARED  64
#define BURST     32
#define RUN_MS    1200
#define AWAIT_MS  30000

enum { QUIET = 1, FIRST, SECOND }; /* ports */

struct fixture {
	struct rte_rcu_qsbr *qsbr;
	struct bindings *bindings;
	struct neigh_cache *neighbours;
	uint32_t now_s; /* the clock of all threads */
	bool stop;
	unsigned n_wrong;
};

struct worker {
	struct fixture *f;
	unsigned id;
	pthread_t thread;
	struct addr_cache bindings;
	struct addr_cache neighbours;
	uint64_t n_true; /* answers */
	uint64_t n_false;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err err;

	assert_non_null(f);
	f->qsbr = new_qsbr(N_THREADS);
	f->bindings = bindings_new(SIZE, f->qsbr, &err);
	f->neighbours = neigh_cache_new(SIZE, f->qsbr, &err);
	f->now_s = 1000;
	assert_true(f->bindings && f->neighbours);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	bindings_free(f->bindings);
	neigh_cache_free(f->neighbours);
	free(f->qsbr);
	free(f);
	return 0;
}

static uint32_t now(const struct fixture *f)
{
	return __atomic_load_n(&f->now_s, __ATOMIC_RELAXED);
}

static bool stopped(const struct fixture *f)
{
	return __atomic_load_n(&f->stop, __ATOMIC_RELAXED);
}

static void expect(struct fixture *f, bool ok)
{
	if (!ok)
		__atomic_fetch_add(&f->n_wrong, 1, __ATOMIC_RELAXED);
}

/* Only its own thread writes them. */
static void count(struct worker *w, bool is_true)
{
	uint64_t *n = is_true ? &w->n_true : &w->n_false;

	__atomic_store_n(n, *n + 1, __ATOMIC_RELAXED);
}

/* A thread may take its time to begin. */
static bool all_have_run(const struct worker *w, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (__atomic_load_n(&w[i].n_true, __ATOMIC_RELAXED) == 0 ||
			__atomic_load_n(&w[i].n_false, __ATOMIC_RELAXED) == 0)
			return false;
	return true;
}

static uint64_t clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* The stations of a port: which one it is can be told from the MAC. */
static struct mac station_of(uint16_t port, unsigned n)
{
	return station((unsigned)port << 16 | (n & 0xffff));
}

static uint16_t port_of_station(const struct mac *mac)
{
	return (uint16_t)(mac->byte[2] << 8 | mac->byte[3]);
}

static void start(struct worker *w, struct fixture *f, unsigned id, void *(*run)(void *))
{
	*w = (struct worker) { .f = f, .id = id };
	assert_int_equal(pthread_create(&w->thread, NULL, run, w), 0);
}

static void come(struct worker *w)
{
	rte_rcu_qsbr_thread_register(w->f->qsbr, w->id);
	rte_rcu_qsbr_thread_online(w->f->qsbr, w->id);
}

static void leave(struct worker *w)
{
	rte_rcu_qsbr_thread_offline(w->f->qsbr, w->id);
	rte_rcu_qsbr_thread_unregister(w->f->qsbr, w->id);
}

static void stop_and_join(struct fixture *f, struct worker *w, unsigned n)
{
	__atomic_store_n(&f->stop, true, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(pthread_join(w[i].thread, NULL), 0);
	assert_int_equal(f->n_wrong, 0);
}

/* --- bindings -------------------------------------------------------------------------------- */

static bool check(struct worker *w, struct ip_addr addr, uint16_t port, unsigned mac)
{
	struct mac at = station_of(port, mac);
	bool ok = binding_check(w->f->bindings, &w->bindings, &addr, port, &at, now(w->f));

	count(w, ok);
	return ok;
}

/* A guest with many MACs that claims everything: its own, the quiet port's, and what is shared. */
static void *claim_all_kinds(void *arg)
{
	struct worker *w = arg;
	struct fixture *f = w->f;
	uint16_t port = w->id == 0 ? FIRST : SECOND;

	come(w);
	for (unsigned i = 0; !stopped(f); i++) {
		expect(f, !check(w, host(i % N_QUIET), port, i));
		(void)check(w, host6(i % N_SHARED), port, i / 8);
		(void)check(w, host6((unsigned)port << 16 | i % 4096), port, 1);
		(void)check(w, link_local(i % N_SHARED), port, i / 8);
		if (i % BURST == 0)
			rte_rcu_qsbr_quiescent(f->qsbr, w->id);
	}
	leave(w);
	return NULL;
}

/* Frames from the uplink, and those of the quiet port, to whom nothing may happen. */
static void *find_all_kinds(void *arg)
{
	struct worker *w = arg;
	struct fixture *f = w->f;

	come(w);
	for (unsigned i = 0; !stopped(f); i++) {
		struct ip_addr quiet = host(i % N_QUIET), shared = host6(i % N_SHARED);
		struct binding b;

		expect(f, check(w, quiet, QUIET, i % N_QUIET));
		expect(f, binding_find(f->bindings, &w->bindings, &quiet, &b) && b.port == QUIET);
		if (binding_find(f->bindings, &w->bindings, &shared, &b))
			expect(f, mac_is_zero(&b.mac) || port_of_station(&b.mac) == b.port);
		if (i % BURST == 0)
			rte_rcu_qsbr_quiescent(f->qsbr, w->id);
	}
	leave(w);
	return NULL;
}

static unsigned check_rows(struct fixture *f)
{
	struct binding_row row;
	uint32_t cursor = 0;
	unsigned n = 0;

	for (; bindings_next(f->bindings, &cursor, &row); n++)
		expect(f, mac_is_zero(&row.binding.mac) ||
				  port_of_station(&row.binding.mac) == row.binding.port);
	return n;
}

/* What the control thread does all day, in a hurry. Returns how many news it had. */
static unsigned control(struct fixture *f, unsigned round)
{
	struct ip_addr shared = host6(round % N_SHARED), other = host6((round + 7) % N_SHARED);
	struct mac none = { { 0 } };
	struct binding_row news;
	unsigned n = 0;

	__atomic_fetch_add(&f->now_s, round % 8 ? 1 : BINDING_AGEING_S, __ATOMIC_RELAXED);
	bindings_set_limit(f->bindings, FIRST, round % 3 * 30);
	bindings_set_limit(f->bindings, SECOND, round % 5 * 20);
	(void)bindings_add(
		f->bindings, &shared, round % 2 ? FIRST : SECOND, BINDING_SERVICE, &none);
	(void)bindings_del(f->bindings, &other);
	(void)bindings_reserve(f->bindings, &other);
	bindings_unreserve(f->bindings, &other);
	(void)bindings_expire(f->bindings, now(f));
	if (round % 4 == 0)
		bindings_forget_guest(f->bindings, FIRST);
	if (round % 16 == 0)
		bindings_forget_port(f->bindings, SECOND);
	expect(f, check_rows(f) <= SIZE);
	while (n < SIZE && bindings_next_news(f->bindings, &news))
		n++;
	return n;
}

static void test_bindings_with_everything_at_once(void **state)
{
	struct fixture *f = *state;
	static struct worker worker[N_THREADS];
	uint64_t end = clock_ms() + RUN_MS;
	struct mac none = { { 0 } };
	unsigned round = 0, n_news = 0;

	for (unsigned i = 0; i < N_QUIET; i++) {
		struct ip_addr quiet = host(i);

		assert_int_equal(
			bindings_add(f->bindings, &quiet, QUIET, BINDING_CONFIGURED, &none), 0);
	}
	start(&worker[0], f, 0, claim_all_kinds);
	start(&worker[1], f, 1, claim_all_kinds);
	start(&worker[2], f, 2, find_all_kinds);
	while (clock_ms() < end ||
		((n_news <= N_QUIET || !all_have_run(worker, 2)) && clock_ms() < end + AWAIT_MS))
		n_news += control(f, round++);
	stop_and_join(f, worker, N_THREADS);
	for (unsigned i = 0; i < 2; i++)
		assert_true(worker[i].n_true > 0 && worker[i].n_false > 0);
	assert_true(n_news > N_QUIET);
	/* What everybody counted adds up: there is as much room as before. */
	bindings_forget_port(f->bindings, FIRST);
	bindings_forget_port(f->bindings, SECOND);
	assert_int_equal(check_rows(f), N_QUIET);
	bindings_set_limit(f->bindings, FIRST, 1);
	rte_rcu_qsbr_thread_register(f->qsbr, 0);
	__atomic_fetch_add(&f->now_s, 10, __ATOMIC_RELAXED);
	assert_true(check(&worker[0], host6(1), FIRST, 1));
	assert_false(check(&worker[0], host6(2), FIRST, 1));
	rte_rcu_qsbr_thread_unregister(f->qsbr, 0);
	print_message("%u rounds, %u news\n", round, n_news);
}

/* --- neighbours ------------------------------------------------------------------------------ */

/* The MAC of a neighbour says whose it is, and (odd) whether it is the permanent one. */
static struct mac neighbour_mac(unsigned n, bool permanent, unsigned nonce)
{
	return station(n << 16 | (nonce & 0x7fff) << 1 | permanent);
}

static void look(struct worker *w, unsigned n)
{
	struct ip_addr addr = host(n);
	struct neighbour out;
	bool is_odd;

	if (!neigh_find(w->f->neighbours, &w->neighbours, &addr, &out)) {
		count(w, false);
		return;
	}
	count(w, true);
	is_odd = out.mac.byte[5] & 1;
	expect(w->f, mac_is_zero(&out.mac)
			     ? out.gateway && !out.permanent
			     : port_of_station(&out.mac) == n && is_odd == out.permanent);
}

static void *hear_and_look(void *arg)
{
	struct worker *w = arg;
	struct fixture *f = w->f;

	come(w);
	for (unsigned i = 0; !stopped(f); i++) {
		unsigned n = i % N_SHARED;
		struct mac mac = neighbour_mac(n, false, i);
		struct ip_addr addr = host(n);

		neigh_heard(f->neighbours, &w->neighbours, &addr, &mac, i % 3 == 0, now(f));
		look(w, n);
		look(w, (n + 1) % N_SHARED);
		if (i % BURST == 0)
			rte_rcu_qsbr_quiescent(f->qsbr, w->id);
	}
	leave(w);
	return NULL;
}

static void control_neighbours(struct fixture *f, unsigned round)
{
	unsigned n = round % N_SHARED, other = (round + 7) % N_SHARED;
	struct mac mac = neighbour_mac(n, true, round);
	struct ip_addr addr = host(n), past = host(other);

	__atomic_fetch_add(&f->now_s, round % 8 ? 1 : NEIGH_AGEING_S, __ATOMIC_RELAXED);
	(void)neigh_set_permanent(f->neighbours, &addr, &mac);
	(void)neigh_unset_permanent(f->neighbours, &past);
	(void)neigh_set_gateway(f->neighbours, &past, round % 2);
	(void)neigh_expire(f->neighbours, now(f));
	if (round % 8 == 0)
		neigh_flush(f->neighbours);
}

static void test_neighbours_with_everything_at_once(void **state)
{
	struct fixture *f = *state;
	static struct worker worker[N_THREADS];
	uint64_t end = clock_ms() + RUN_MS;
	unsigned round = 0;

	for (unsigned i = 0; i < N_THREADS; i++)
		start(&worker[i], f, i, hear_and_look);
	while (clock_ms() < end ||
		(!all_have_run(worker, N_THREADS) && clock_ms() < end + AWAIT_MS))
		control_neighbours(f, round++);
	stop_and_join(f, worker, N_THREADS);
	for (unsigned i = 0; i < N_THREADS; i++)
		assert_true(worker[i].n_true > 0 && worker[i].n_false > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_bindings_with_everything_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_neighbours_with_everything_at_once, setup, teardown),
	};
	struct err err = { "" };

	if (eal_start(32, false, &err) < 0) {
		print_error("%s\n", err.text);
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
