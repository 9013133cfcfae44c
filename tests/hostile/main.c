/* SPDX-License-Identifier: BSD-3-Clause */
/*
 *   hostile SOCKET ATTACK [--seconds N] [--rounds N] [--seed N]
 *   hostile SOCKET --well-behaved [--rounds N]
 *   hostile --list                 name, cost and meaning of each attack, separated by tabs
 *
 * Attacks for N seconds (2; fractions are welcome) or N rounds, whichever is over first, and ends
 * with one JSON object: attack, rounds, disconnects, survived, messages, chains. See hostile.h.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/hostile/hostile.h"

static const struct attack *const tables[] = {
	ring_attacks,
	signal_attacks,
	frame_attacks,
	memory_attacks,
	protocol_attacks,
	session_attacks,
};
#define N_TABLES (sizeof(tables) / sizeof(tables[0]))

struct orders {
	const char *socket;
	const char *attack;
	int64_t milliseconds;
	uint64_t rounds, seed;
};

static int usage(void)
{
	fprintf(stderr, "usage: hostile SOCKET ATTACK [--seconds N] [--rounds N] [--seed N]\n"
			"       hostile SOCKET --well-behaved [--rounds N]\n"
			"       hostile --list\n");
	return 2;
}

static int list(void)
{
	for (unsigned t = 0; t < N_TABLES; t++)
		for (const struct attack *at = tables[t]; at->name; at++)
			printf("%s\t%s\t%s\n", at->name, at->cost, at->help);
	return 0;
}

static const struct attack *find(const char *name)
{
	for (unsigned t = 0; t < N_TABLES; t++)
		for (const struct attack *at = tables[t]; at->name; at++)
			if (strcmp(at->name, name) == 0)
				return at;
	return NULL;
}

static bool parse(int argc, char **argv, struct orders *o)
{
	*o = (struct orders) { argv[1], argv[2], 2000, UINT64_MAX, 1 };
	for (int i = 3; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--seconds") == 0)
			o->milliseconds = (int64_t)(strtod(argv[i + 1], NULL) * 1000);
		else if (strcmp(argv[i], "--rounds") == 0)
			o->rounds = parse_number(argv[i], argv[i + 1], 1, UINT64_MAX);
		else if (strcmp(argv[i], "--seed") == 0)
			o->seed = parse_number(argv[i], argv[i + 1], 0, UINT64_MAX);
		else
			return false;
	}
	return argc % 2 == 1 && o->milliseconds > 0;
}

static int attack(const struct orders *o)
{
	static struct assault a;
	const struct attack *at = find(o->attack);
	int64_t deadline = frontend_now_ms() + o->milliseconds;

	if (!at) {
		fprintf(stderr, "hostile: there is no attack \"%s\"; see hostile --list\n",
			o->attack);
		return 2;
	}
	a.socket = o->socket;
	byte_stream_init(&a.random, o->seed);
	/* Once at least, however late we are. */
	for (; a.round < o->rounds && (a.round == 0 || frontend_now_ms() < deadline); a.round++)
		at->round(&a);
	assault_close(&a);
	printf("{\"attack\": \"%s\", \"rounds\": %lu, \"disconnects\": %lu, \"survived\": %lu, "
	       "\"messages\": %lu, \"chains\": %lu}\n",
		at->name, a.round, a.n_disconnects, a.n_survived, a.n_messages, a.n_chains);
	return 0;
}

static int behave(const struct orders *o)
{
	int n = well_behaved(o->socket, o->rounds == UINT64_MAX ? 10 : (unsigned)o->rounds);

	if (n < 0)
		return 1;
	printf("{\"answers\": %d}\n", n);
	return 0;
}

int main(int argc, char **argv)
{
	struct orders orders;

	signal(SIGPIPE, SIG_IGN);
	if (argc == 2 && strcmp(argv[1], "--list") == 0)
		return list();
	if (argc < 3 || !parse(argc, argv, &orders))
		return usage();
	if (strcmp(orders.attack, "--well-behaved") == 0)
		return behave(&orders);
	return attack(&orders);
}
