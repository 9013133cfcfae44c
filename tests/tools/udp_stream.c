/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A stream of numbered UDP datagrams: which are lost, and which are overtaken.
 *
 *   udp_stream recv PORT             says "ready" once it listens; ends when the sender is done
 *   udp_stream send HOST PORT [option VALUE]...
 *       count N        datagrams at most; SIGUSR1 asks to end before (1000)
 *       size S         bytes of each (64)
 *       burst N        datagrams in a row (1)
 *       gap US         pause after each burst (100)
 *
 * Each ends with one JSON object. The receiver's buffer is large, so that what is lost was lost on
 * its way, and not because the receiver had no time for it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/tools/endpoint.h"

#define SIZE_MAX_UDP 65507
#define N_GOODBYES   600
#define GOODBYE_USEC 100000

struct datagram {
	uint64_t sequence;
	uint64_t total; /* of the last one: how many there were before it; otherwise 0 */
};

static unsigned char buffer[SIZE_MAX_UDP];

struct receipt {
	uint64_t received, next;
	uint64_t reordered; /* came after one with a higher number */
	uint64_t last_us, longest_gap_us;
};

static void take(struct receipt *receipt, uint64_t sequence)
{
	uint64_t now = now_us();

	if (receipt->received > 0 && now - receipt->last_us > receipt->longest_gap_us)
		receipt->longest_gap_us = now - receipt->last_us;
	receipt->last_us = now;
	receipt->received++;
	if (sequence < receipt->next)
		receipt->reordered++;
	else
		receipt->next = sequence + 1;
}

static int receive(const char *port)
{
	int fd = endpoint_listen(SOCK_DGRAM, port);
	const int size = 32 << 20;
	struct receipt receipt = { 0 };
	struct datagram d;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		fail("SO_RCVBUFFORCE");
	puts("ready");
	fflush(stdout);
	for (;;) {
		struct sockaddr_storage from;
		socklen_t from_len = sizeof(from);
		ssize_t n = recvfrom(
			fd, buffer, sizeof(buffer), 0, (struct sockaddr *)&from, &from_len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < (ssize_t)sizeof(d))
			fail("recvfrom");
		memcpy(&d, buffer, sizeof(d));
		if (d.total > 0) {
			(void)!sendto(fd, &d, sizeof(d), 0, (struct sockaddr *)&from, from_len);
			break;
		}
		take(&receipt, d.sequence);
	}
	printf("{\"received\": %llu, \"lost\": %lld, \"reordered\": %llu, \"longest_gap_ms\": "
	       "%llu}\n",
		(unsigned long long)receipt.received,
		(long long)d.total - (long long)receipt.received,
		(unsigned long long)receipt.reordered,
		(unsigned long long)receipt.longest_gap_us / 1000);
	return 0;
}

/* Until the receiver has heard that it is over. */
static void say_goodbye(int fd, uint64_t total)
{
	const struct timeval patience = { .tv_usec = GOODBYE_USEC };
	struct datagram d = { .sequence = total, .total = total };

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
		fail("SO_RCVTIMEO");
	for (int i = 0; i < N_GOODBYES; i++) {
		(void)!send(fd, &d, sizeof(d), MSG_NOSIGNAL);
		/* Refused: it has ended, and its answer was lost. */
		if (recv(fd, buffer, sizeof(buffer), 0) >= 0 || errno == ECONNREFUSED)
			return;
	}
	fail("the receiver did not answer");
}

static int send_stream(const char *host, const char *port, char **words)
{
	uint64_t count = 1000, size = 64, burst = 1, gap_us = 100;
	const struct {
		const char *name;
		uint64_t *value, min, max;
	} options[] = {
		{ "count", &count, 1, UINT64_MAX },
		{ "size", &size, sizeof(struct datagram), SIZE_MAX_UDP },
		{ "burst", &burst, 1, 1000000 },
		{ "gap", &gap_us, 0, 1000000 },
	};
	struct datagram d = { 0 };

	for (; words[0] != NULL && words[1] != NULL; words += 2)
		for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
			if (strcmp(words[0], options[i].name) == 0)
				*options[i].value = parse_number(
					words[0], words[1], options[i].min, options[i].max);
	int fd = endpoint_connect(SOCK_DGRAM, host, port);
	while (d.sequence < count && !stop_asked()) {
		memcpy(buffer, &d, sizeof(d));
		send_all(fd, buffer, size);
		if (++d.sequence % burst == 0 && gap_us > 0)
			usleep((useconds_t)gap_us);
	}
	say_goodbye(fd, d.sequence);
	printf("{\"sent\": %llu}\n", (unsigned long long)d.sequence);
	return 0;
}

int main(int argc, char **argv)
{
	catch_stop();
	if (argc == 3 && strcmp(argv[1], "recv") == 0)
		return receive(argv[2]);
	if (argc >= 4 && strcmp(argv[1], "send") == 0)
		return send_stream(argv[2], argv[3], argv + 4);
	fprintf(stderr, "usage: udp_stream recv PORT | send HOST PORT [OPTION VALUE]...\n");
	return 2;
}
