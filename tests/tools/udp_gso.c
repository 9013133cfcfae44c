/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * UDP segmentation offload from end to end.
 *
 *   udp_gso recv PORT                until the sender says it is done; "ready" once it listens
 *   udp_gso send HOST PORT SIZE SEGMENTS BURSTS
 *
 * The sender hands the kernel BURSTS buffers of SEGMENTS datagrams of SIZE bytes, the last of each
 * one byte shorter, and lets UDP_SEGMENT cut them. Every datagram carries its number and bytes made
 * from it; the receiver checks size, number and bytes, and acknowledges each burst when its last
 * datagram is in. So nothing depends on buffer sizes or pace: a burst that is not acknowledged
 * within twenty seconds has lost a datagram. The sender prints {"bursts","lost_bursts"}, the
 * receiver
 * {"datagrams","corrupt","wrong_size"}.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "tests/tools/endpoint.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

#define BUFFER_MAX 65507
#define DONE       UINT32_MAX

struct datagram_header {
	uint32_t burst;      /* DONE: the sender is done */
	uint32_t index;      /* within the burst */
	uint32_t n_segments; /* of the burst */
	uint32_t len;        /* of this datagram */
};

static unsigned char buffer[BUFFER_MAX], expected[BUFFER_MAX];

static void write_datagram(unsigned char *at, const struct datagram_header *header)
{
	struct byte_stream stream;

	byte_stream_init(&stream, ((uint64_t)header->burst << 32) + header->index);
	byte_stream_fill(&stream, at, header->len);
	memcpy(at, header, sizeof(*header));
}

struct receipt {
	unsigned long long datagrams, corrupt, wrong_size;
	uint32_t burst;  /* being collected */
	uint32_t n_seen; /* of it */
};

/* Returns true when the datagram completed its burst. */
static int take_datagram(struct receipt *receipt, const struct datagram_header *header, size_t len)
{
	receipt->datagrams++;
	if (len != header->len) {
		receipt->wrong_size++;
		return 0;
	}
	write_datagram(expected, header);
	if (memcmp(buffer, expected, len) != 0)
		receipt->corrupt++;
	if (header->burst != receipt->burst) {
		receipt->burst = header->burst;
		receipt->n_seen = 0;
	}
	return ++receipt->n_seen == header->n_segments;
}

static int receive_bursts(const char *port)
{
	int fd = endpoint_listen(SOCK_DGRAM, port);
	struct receipt receipt = { .burst = DONE };
	struct datagram_header header;

	puts("ready");
	fflush(stdout);
	for (;;) {
		struct sockaddr_storage from;
		socklen_t from_len = sizeof(from);
		ssize_t n = recvfrom(
			fd, buffer, sizeof(buffer), 0, (struct sockaddr *)&from, &from_len);

		if (n < 0)
			fail("recvfrom");
		if ((size_t)n < sizeof(header)) {
			receipt.wrong_size++;
			continue;
		}
		memcpy(&header, buffer, sizeof(header));
		if (header.burst == DONE)
			break;
		if (take_datagram(&receipt, &header, (size_t)n))
			(void)!sendto(fd, &header.burst, sizeof(header.burst), 0,
				(struct sockaddr *)&from, from_len);
	}
	printf("{\"datagrams\": %llu, \"corrupt\": %llu, \"wrong_size\": %llu}\n",
		receipt.datagrams, receipt.corrupt, receipt.wrong_size);
	return 0;
}

static size_t write_burst(uint32_t burst, uint32_t size, uint32_t n_segments)
{
	struct datagram_header header = { .burst = burst, .n_segments = n_segments };
	size_t at = 0;

	for (; header.index < n_segments; header.index++) {
		header.len = header.index + 1 < n_segments ? size : size - 1;
		write_datagram(buffer + at, &header);
		at += header.len;
	}
	return at;
}

static int acknowledged(int fd, uint32_t burst)
{
	uint32_t answer;
	ssize_t n;

	while ((n = recv(fd, &answer, sizeof(answer), 0)) >= 0 || errno == EINTR)
		if (n == sizeof(answer) && answer == burst)
			return 1;
	if (errno != EAGAIN)
		fail("recv");
	return 0;
}

static int send_bursts(
	const char *host, const char *port, uint32_t size, uint32_t n_segments, uint32_t n_bursts)
{
	int fd = endpoint_connect(SOCK_DGRAM, host, port);
	const struct timeval patience = { .tv_sec = 20 };
	const int segment_size = (int)size;
	uint32_t n_lost = 0;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
		fail("SO_RCVTIMEO");
	if (setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &segment_size, sizeof(segment_size)) < 0)
		fail("UDP_SEGMENT");
	for (uint32_t burst = 0; burst < n_bursts; burst++) {
		size_t len = write_burst(burst, size, n_segments);

		if (send(fd, buffer, len, 0) != (ssize_t)len)
			fail("send");
		n_lost += !acknowledged(fd, burst);
	}
	const struct datagram_header done = { .burst = DONE };
	send_all(fd, &done, sizeof(done));
	printf("{\"bursts\": %u, \"lost_bursts\": %u}\n", n_bursts, n_lost);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "recv") == 0)
		return receive_bursts(argv[2]);
	if (argc == 7 && strcmp(argv[1], "send") == 0) {
		const uint64_t min = sizeof(struct datagram_header) + 1;
		uint32_t size = (uint32_t)parse_number("SIZE", argv[4], min, 9000);
		uint32_t n_segments =
			(uint32_t)parse_number("SEGMENTS", argv[5], 1, BUFFER_MAX / size);

		return send_bursts(argv[2], argv[3], size, n_segments,
			(uint32_t)parse_number("BURSTS", argv[6], 1, DONE - 1));
	}
	fprintf(stderr, "usage: udp_gso recv PORT | send HOST PORT SIZE SEGMENTS BURSTS\n");
	return 2;
}
