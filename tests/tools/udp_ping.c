/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * UDP ping-pong: round-trip times, losses, and damage to datagrams of any size.
 *
 *   udp_ping serve PORT              echoes for ever; says "ready" once it listens
 *   udp_ping run HOST PORT [option VALUE]...
 *       count N        round trips (1000)
 *       size A, to B   datagrams of A to B bytes, each size in turn (16)
 *       gap US         a random pause of at most US microseconds before each (0)
 *       timeout MS     after which a round trip counts as lost (5000)
 *       seed S
 *
 * Ends with one JSON object. One datagram is under way at a time: an answer that comes late is
 * recognised by its number and counts as lost, which is what a lost wake-up looks like.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

#include "tests/tools/endpoint.h"

#define DATAGRAM_MAX 65507

struct plan {
	uint64_t count, size, to, gap_us, timeout_ms, seed;
};

struct result {
	uint64_t lost, corrupt;
	uint64_t *rtt_us;
	size_t n_rtt;
};

static unsigned char sent[DATAGRAM_MAX], received[DATAGRAM_MAX + 1];

static int serve(const char *port)
{
	int fd = endpoint_listen(SOCK_DGRAM, port);

	puts("ready");
	fflush(stdout);
	for (;;) {
		struct sockaddr_storage from;
		socklen_t from_len = sizeof(from);
		ssize_t n = recvfrom(
			fd, received, sizeof(received), 0, (struct sockaddr *)&from, &from_len);

		/* An unreachable client's ICMP error belongs to an earlier answer: carry on. */
		if (n >= 0)
			(void)!sendto(
				fd, received, (size_t)n, 0, (struct sockaddr *)&from, from_len);
		else if (errno != ECONNREFUSED && errno != EINTR)
			fail("recvfrom");
	}
}

/* A sleep, not a spin: the switch and the guest must have the time to fall asleep. */
static void pause_us(uint64_t us)
{
	struct timespec pause = { .tv_sec = (time_t)(us / 1000000),
		.tv_nsec = (long)(us % 1000000) * 1000 };

	nanosleep(&pause, NULL);
}

/* Waits for the answer to datagram `sequence`: its round-trip time, or -1 if it did not come. */
static int64_t await_echo(int fd, uint64_t sequence, size_t size, uint64_t start_us,
	uint64_t timeout_ms, struct result *result)
{
	uint64_t deadline_us = start_us + timeout_ms * 1000;

	for (;;) {
		uint64_t now = now_us();
		struct pollfd pollfd = { .fd = fd, .events = POLLIN };

		if (now >= deadline_us ||
			poll(&pollfd, 1, (int)((deadline_us - now) / 1000 + 1)) == 0)
			return -1;
		ssize_t n = recv(fd, received, sizeof(received), MSG_DONTWAIT);
		if (n < 0 && (errno == EINTR || errno == EAGAIN || errno == ECONNREFUSED))
			continue;
		if (n < 0)
			fail("recv");
		if ((size_t)n < sizeof(sequence) ||
			memcmp(received, &sequence, sizeof(sequence)) != 0)
			continue;
		if ((size_t)n != size || memcmp(sent, received, size) != 0)
			result->corrupt++;
		return (int64_t)(now_us() - start_us);
	}
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t percentile(const struct result *result, unsigned int percent)
{
	return result->n_rtt == 0 ? 0 : result->rtt_us[(result->n_rtt - 1) * percent / 100];
}

static void print_result(const struct plan *plan, struct result *result)
{
	qsort(result->rtt_us, result->n_rtt, sizeof(*result->rtt_us), compare);
	printf("{\"sent\": %llu, \"lost\": %llu, \"corrupt\": %llu, \"min_us\": %llu, "
	       "\"p50_us\": %llu, \"p99_us\": %llu, \"max_us\": %llu}\n",
		(unsigned long long)plan->count, (unsigned long long)result->lost,
		(unsigned long long)result->corrupt, (unsigned long long)percentile(result, 0),
		(unsigned long long)percentile(result, 50),
		(unsigned long long)percentile(result, 99),
		(unsigned long long)percentile(result, 100));
}

static int run(const char *host, const char *port, const struct plan *plan)
{
	int fd = endpoint_connect(SOCK_DGRAM, host, port);
	struct result result = { .rtt_us = calloc(plan->count, sizeof(*result.rtt_us)) };
	struct byte_stream stream;

	if (result.rtt_us == NULL)
		fail("calloc");
	prctl(PR_SET_TIMERSLACK, 1);
	byte_stream_init(&stream, plan->seed);
	for (uint64_t i = 0; i < plan->count; i++) {
		size_t size = (size_t)(plan->size + i % (plan->to - plan->size + 1));

		byte_stream_fill(&stream, sent, size);
		memcpy(sent, &i, sizeof(i));
		if (plan->gap_us > 0)
			pause_us(byte_stream_next(&stream) % (plan->gap_us + 1));
		uint64_t start_us = now_us();
		send_all(fd, sent, size);
		int64_t rtt_us = await_echo(fd, i, size, start_us, plan->timeout_ms, &result);
		if (rtt_us < 0)
			result.lost++;
		else
			result.rtt_us[result.n_rtt++] = (uint64_t)rtt_us;
	}
	print_result(plan, &result);
	free(result.rtt_us);
	return 0;
}

static void parse_plan(struct plan *plan, char **words)
{
	const struct {
		const char *name;
		uint64_t *value, min, max;
	} options[] = {
		{ "count", &plan->count, 1, 100000000 },
		{ "size", &plan->size, sizeof(uint64_t), DATAGRAM_MAX },
		{ "to", &plan->to, sizeof(uint64_t), DATAGRAM_MAX },
		{ "gap", &plan->gap_us, 0, 10000000 },
		{ "timeout", &plan->timeout_ms, 1, 60000 },
		{ "seed", &plan->seed, 0, UINT64_MAX },
	};

	for (; words[0] != NULL && words[1] != NULL; words += 2)
		for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
			if (strcmp(words[0], options[i].name) == 0)
				*options[i].value = parse_number(
					words[0], words[1], options[i].min, options[i].max);
	if (plan->to < plan->size)
		plan->to = plan->size;
}

int main(int argc, char **argv)
{
	struct plan plan = { .count = 1000, .size = 16, .timeout_ms = 5000 };

	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		return serve(argv[2]);
	if (argc >= 4 && strcmp(argv[1], "run") == 0) {
		parse_plan(&plan, argv + 4);
		return run(argv[2], argv[3], &plan);
	}
	fprintf(stderr, "usage: udp_ping serve PORT | run HOST PORT [OPTION VALUE]...\n");
	return 2;
}
