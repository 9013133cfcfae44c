/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One TCP stream with a checksum at both ends.
 *
 *   tcp_pump recv PORT               waits for one connection and reads it to its end
 *   tcp_pump send HOST PORT BYTES [SEED]
 *
 * The receiver says "ready" on a line of its own once it listens. Each side ends with one JSON
 * object: bytes, sha256, seconds, and the longest time in ms between two reads (writes). The sender
 * makes its bytes up from SEED and waits until the receiver has closed, so that a stream cut short
 * at the end shows as an error here and not only over there. SIGUSR1 ends a stream before BYTES.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/tools/endpoint.h"

/* Larger than any super-frame, so that the stack always has one to build. */
#define CHUNK (256 * 1024)

static char chunk[CHUNK];

struct tally {
	EVP_MD_CTX *digest;
	uint64_t bytes;
	uint64_t start_us, last_us, longest_gap_us;
};

static void tally_start(struct tally *tally)
{
	*tally = (struct tally) { .digest = EVP_MD_CTX_new(), .start_us = now_us() };
	tally->last_us = tally->start_us;
	if (tally->digest == NULL || EVP_DigestInit_ex(tally->digest, EVP_sha256(), NULL) != 1)
		fail("sha256");
}

static void tally_add(struct tally *tally, const void *data, size_t len)
{
	uint64_t now = now_us();

	EVP_DigestUpdate(tally->digest, data, len);
	tally->bytes += len;
	if (now - tally->last_us > tally->longest_gap_us)
		tally->longest_gap_us = now - tally->last_us;
	tally->last_us = now;
}

static void tally_print(struct tally *tally)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned int len = 0;

	EVP_DigestFinal_ex(tally->digest, sum, &len);
	EVP_MD_CTX_free(tally->digest);
	printf("{\"bytes\": %llu, \"sha256\": \"", (unsigned long long)tally->bytes);
	for (unsigned int i = 0; i < len; i++)
		printf("%02x", sum[i]);
	printf("\", \"seconds\": %.3f, \"longest_gap_ms\": %llu}\n",
		(double)(now_us() - tally->start_us) / 1e6,
		(unsigned long long)tally->longest_gap_us / 1000);
}

static int receive_stream(const char *port)
{
	int listener = endpoint_listen(SOCK_STREAM, port);
	struct tally tally;
	ssize_t n;

	puts("ready");
	fflush(stdout);
	int fd = accept(listener, NULL, NULL);
	if (fd < 0)
		fail("accept");
	tally_start(&tally);
	while ((n = recv(fd, chunk, sizeof(chunk), 0)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			fail("recv");
		tally_add(&tally, chunk, (size_t)n);
	}
	close(fd);
	tally_print(&tally);
	return 0;
}

static int send_stream(const char *host, const char *port, uint64_t bytes, uint64_t seed)
{
	int fd = endpoint_connect(SOCK_STREAM, host, port);
	struct byte_stream stream;
	struct tally tally;

	byte_stream_init(&stream, seed);
	tally_start(&tally);
	while (tally.bytes < bytes && !stop_asked()) {
		uint64_t left = bytes - tally.bytes;
		size_t n = left < sizeof(chunk) ? (size_t)left : sizeof(chunk);

		byte_stream_fill(&stream, chunk, n);
		tally_add(&tally, chunk, n);
		send_all(fd, chunk, n);
	}
	shutdown(fd, SHUT_WR);
	ssize_t n;
	while ((n = recv(fd, chunk, sizeof(chunk), 0)) < 0 && errno == EINTR)
		;
	if (n != 0)
		fail("the receiver did not close the stream");
	tally_print(&tally);
	return 0;
}

int main(int argc, char **argv)
{
	catch_stop();
	if (argc == 3 && strcmp(argv[1], "recv") == 0)
		return receive_stream(argv[2]);
	if ((argc == 5 || argc == 6) && strcmp(argv[1], "send") == 0) {
		uint64_t bytes = parse_number("BYTES", argv[4], 1, UINT64_MAX);
		uint64_t seed = argc == 6 ? parse_number("SEED", argv[5], 0, UINT64_MAX) : 0;

		return send_stream(argv[2], argv[3], bytes, seed);
	}
	fprintf(stderr, "usage: tcp_pump recv PORT | send HOST PORT BYTES [SEED]\n");
	return 2;
}
