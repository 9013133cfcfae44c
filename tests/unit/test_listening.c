/* SPDX-License-Identifier: BSD-3-Clause */

/* Both ways of finding what is listened on, against sockets of this test's own. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <unistd.h>

#include "lib/listening.h"
#include "tcp_bench.h"

#define N_MANY 900

struct seen {
	uint16_t port;
	char address[IP_ADDR_TEXT_MAX];
	bool dual;
	unsigned n;
};

static void note(void *owner, const struct listening *one)
{
	struct seen *seen = owner;

	if (one->port != seen->port)
		return;
	ip_addr_format(&one->address, seen->address);
	seen->dual = one->dual;
	seen->n++;
}

typedef int each_fn(listening_found *found, void *owner);

static struct seen look(each_fn *each, uint16_t port)
{
	struct seen seen = { .port = port };

	assert_int_equal(each(note, &seen), 0);
	return seen;
}

static void check(each_fn *each, const char *address, bool dual)
{
	uint16_t port = 0;
	int fd = tcp_listen(address, &port), client;
	struct seen seen = look(each, port);

	assert_int_equal(seen.n, 1);
	assert_string_equal(seen.address, address);
	assert_int_equal(seen.dual, dual);
	/* Connections are none. */
	client = tcp_connect(address, port);
	assert_true(client >= 0);
	close(fd);
	seen = look(each, port);
	assert_int_equal(seen.n, 0);
	close(client);
}

static void check_each(each_fn *each)
{
	check(each, "127.0.0.1", false);
	check(each, "0.0.0.0", false);
	check(each, "127.8.7.6", false);
	check(each, "::1", false);
	check(each, "::", true);
}

static void test_ask(void **state)
{
	uint16_t port = 0;
	int fd = tcp_listen_v6_only(&port);
	struct seen seen = look(listening_ask, port);

	assert_int_equal(seen.n, 1);
	assert_false(seen.dual);
	close(fd);
	check_each(listening_ask);
}

static void test_read(void **state)
{
	check_each(listening_read);
}

struct count {
	unsigned n;
	uint16_t first, last;
};

static void count(void *owner, const struct listening *one)
{
	struct count *count = owner;

	count->n += one->port >= count->first && one->port <= count->last;
}

/* More than fits into one message, or one page. */
static void test_many(void **state)
{
	struct count by_ask = { .first = 20000, .last = 20000 + N_MANY - 1 }, by_read = by_ask;
	int fds[N_MANY];

	for (uint16_t i = 0; i < N_MANY; i++) {
		uint16_t port = (uint16_t)(by_ask.first + i);

		fds[i] = tcp_listen("127.1.1.1", &port);
	}
	assert_int_equal(listening_ask(count, &by_ask), 0);
	assert_int_equal(by_ask.n, N_MANY);
	assert_int_equal(listening_read(count, &by_read), 0);
	assert_int_equal(by_read.n, N_MANY);
	for (size_t i = 0; i < N_MANY; i++)
		close(fds[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ask),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, tcp_own_network, NULL);
}
