/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/tools/endpoint.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

_Noreturn void fail(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
	exit(1);
}

uint64_t parse_number(const char *option, const char *text, uint64_t min, uint64_t max)
{
	char *end;

	errno = 0;
	uint64_t value = strtoull(text, &end, 0);
	if (errno != 0 || end == text || *end != '\0' || value < min || value > max) {
		fprintf(stderr, "%s: %s %s: want a number from %llu to %llu\n",
			program_invocation_short_name, option, text, (unsigned long long)min,
			(unsigned long long)max);
		exit(2);
	}
	return value;
}

static struct addrinfo *resolve(int type, const char *host, const char *port)
{
	struct addrinfo hints = {
		.ai_family = host != NULL ? AF_UNSPEC : AF_INET6,
		.ai_socktype = type,
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | (host == NULL ? AI_PASSIVE : 0),
	};
	struct addrinfo *info;
	int rc = getaddrinfo(host, port, &hints, &info);

	if (rc != 0) {
		fprintf(stderr, "%s: %s port %s: %s\n", program_invocation_short_name,
			host != NULL ? host : "*", port, gai_strerror(rc));
		exit(2);
	}
	return info;
}

int endpoint_listen(int type, const char *port)
{
	struct addrinfo *info = resolve(type, NULL, port);
	int fd = socket(info->ai_family, type | SOCK_CLOEXEC, 0);
	const int on = 1, off = 0;

	if (fd < 0)
		fail("socket");
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0)
		fail("setsockopt");
	if (bind(fd, info->ai_addr, info->ai_addrlen) < 0)
		fail("bind");
	if (type == SOCK_STREAM && listen(fd, 16) < 0)
		fail("listen");
	freeaddrinfo(info);
	return fd;
}

int endpoint_connect(int type, const char *host, const char *port)
{
	struct addrinfo *info = resolve(type, host, port);
	int fd = socket(info->ai_family, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		fail("socket");
	if (connect(fd, info->ai_addr, info->ai_addrlen) < 0)
		fail("connect");
	freeaddrinfo(info);
	return fd;
}

void send_all(int fd, const void *data, size_t len)
{
	const char *at = data;

	while (len > 0) {
		ssize_t n = send(fd, at, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			fail("send");
		at += n;
		len -= (size_t)n;
	}
}

static volatile sig_atomic_t stop;

static void on_stop(int signal)
{
	stop = 1;
}

void catch_stop(void)
{
	const struct sigaction action = { .sa_handler = on_stop };

	if (sigaction(SIGUSR1, &action, NULL) < 0)
		fail("sigaction");
}

bool stop_asked(void)
{
	return stop != 0;
}

uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void byte_stream_init(struct byte_stream *stream, uint64_t seed)
{
	/* An odd offset keeps the state, which must not be zero, away from small seeds. */
	stream->state = (seed + 1) * 0x9e3779b97f4a7c15u | 1;
}

/* Marsaglia's xorshift with a multiplied output: fast, and no two tests' seeds look alike. */
uint64_t byte_stream_next(struct byte_stream *stream)
{
	uint64_t x = stream->state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	stream->state = x;
	return x * 0x2545f4914f6cdd1du;
}

void byte_stream_fill(struct byte_stream *stream, void *data, size_t len)
{
	char *at = data;

	while (len > 0) {
		uint64_t word = byte_stream_next(stream);
		size_t n = len < sizeof(word) ? len : sizeof(word);

		memcpy(at, &word, n);
		at += n;
		len -= n;
	}
}
