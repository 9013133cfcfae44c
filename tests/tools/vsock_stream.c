/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Streams over AF_VSOCK, in the guest.
 *
 *   vsock_stream serve PORT WHAT      for every connection, each on its own, until it is killed
 *   vsock_stream connect PORT WHAT    on one connection to the host
 *
 *   WHAT: echo                sends back what comes, to its end
 *         sum                 reads to the end, then answers with a JSON line: bytes, sha256,
 * seconds count               the same without sha256, which costs time pump BYTES [SEED]   sends
 * them, shuts down, prints what is answered and a JSON line hold                keeps it open, and
 * does nothing with it
 *
 * A server says "ready" on a line of its own once it listens. "echo" serves all its connections
 * with one process, the others have one each.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "tests/tools/endpoint.h"

#define CHUNK     (256 * 1024)
#define CONNS_MAX 4096
#define ECHO_SIZE 4096

static char chunk[CHUNK];

struct order {
	const char *what;
	uint64_t bytes, seed;
};

/* --- a tally --------------------------------------------------------------------------------- */

static void print_tally(char *line, size_t size, uint64_t bytes, EVP_MD_CTX *digest, uint64_t us)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned int n = 0;
	int len = snprintf(line, size, "{\"bytes\": %" PRIu64 ", \"sha256\": \"", bytes);

	if (digest != NULL)
		EVP_DigestFinal_ex(digest, sum, &n);
	for (unsigned int i = 0; i < n; i++)
		len += snprintf(line + len, size - (size_t)len, "%02x", sum[i]);
	snprintf(line + len, size - (size_t)len, "\", \"seconds\": %.3f}\n", (double)us / 1e6);
	EVP_MD_CTX_free(digest);
}

static EVP_MD_CTX *new_digest(void)
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();

	if (digest == NULL || EVP_DigestInit_ex(digest, EVP_sha256(), NULL) != 1)
		fail("sha256");
	return digest;
}

/* --- one connection -------------------------------------------------------------------------- */

static void sum(int fd, bool with_digest)
{
	EVP_MD_CTX *digest = with_digest ? new_digest() : NULL;
	uint64_t start = now_us(), bytes = 0;
	char line[256];
	ssize_t n;

	while ((n = recv(fd, chunk, sizeof(chunk), 0)) > 0) {
		if (digest != NULL)
			EVP_DigestUpdate(digest, chunk, (size_t)n);
		bytes += (uint64_t)n;
	}
	if (n < 0)
		fail("recv");
	print_tally(line, sizeof(line), bytes, digest, now_us() - start);
	send_all(fd, line, strlen(line));
}

static void pump(int fd, const struct order *order)
{
	EVP_MD_CTX *digest = order->seed ? new_digest() : NULL;
	uint64_t start = now_us(), left = order->bytes;
	struct byte_stream stream;
	char line[256];
	ssize_t n;

	byte_stream_init(&stream, order->seed);
	while (left > 0) {
		size_t part = left < sizeof(chunk) ? (size_t)left : sizeof(chunk);

		if (digest != NULL) {
			byte_stream_fill(&stream, chunk, part);
			EVP_DigestUpdate(digest, chunk, part);
		}
		send_all(fd, chunk, part);
		left -= part;
	}
	shutdown(fd, SHUT_WR);
	while ((n = recv(fd, chunk, sizeof(chunk), 0)) > 0)
		fwrite(chunk, 1, (size_t)n, stdout);
	if (n < 0)
		fail("recv");
	print_tally(line, sizeof(line), order->bytes, digest, now_us() - start);
	fputs(line, stdout);
	fflush(stdout);
}

struct echo {
	size_t len, done; /* what is still to go back */
	char data[ECHO_SIZE];
};

/* False: it has come to its end. */
static bool echo_step(int fd, struct echo *e)
{
	ssize_t n;

	if (e->done == e->len) {
		n = recv(fd, e->data, sizeof(e->data), 0);
		e->len = n > 0 ? (size_t)n : 0;
		e->done = 0;
		return n > 0 || (n < 0 && errno == EAGAIN);
	}
	n = send(fd, e->data + e->done, e->len - e->done, MSG_NOSIGNAL);
	if (n > 0)
		e->done += (size_t)n;
	return n > 0 || errno == EAGAIN;
}

static void echo(int fd)
{
	struct echo e = { 0 };

	while (echo_step(fd, &e))
		;
}

static void serve_one(int fd, const struct order *order)
{
	if (strcmp(order->what, "echo") == 0)
		echo(fd);
	else if (strcmp(order->what, "sum") == 0 || strcmp(order->what, "count") == 0)
		sum(fd, order->what[0] == 's');
	else if (strcmp(order->what, "pump") == 0)
		pump(fd, order);
	else
		pause();
	close(fd);
}

/* --- servers --------------------------------------------------------------------------------- */

static int listen_at(uint32_t port)
{
	const struct sockaddr_vm addr = {
		.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = port
	};
	int fd = socket(AF_VSOCK, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0 ||
		listen(fd, CONNS_MAX) < 0)
		fail("listen");
	puts("ready");
	fflush(stdout);
	return fd;
}

static int connect_to(uint32_t port)
{
	const struct sockaddr_vm addr = {
		.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_HOST, .svm_port = port
	};
	int fd = socket(AF_VSOCK, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
		fail("connect");
	return fd;
}

static _Noreturn void serve_each(int listener, const struct order *order)
{
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			fail("accept");
		if (fork() == 0) {
			close(listener);
			serve_one(fd, order);
			exit(0);
		}
		close(fd);
	}
}

/* Connections 1 .. n - 1; 0 is the listener. */
struct echo_server {
	struct pollfd poll[CONNS_MAX];
	struct echo echo[CONNS_MAX];
	unsigned n;
};

static void echo_accept(struct echo_server *s)
{
	int fd = accept4(s->poll[0].fd, NULL, NULL, SOCK_NONBLOCK);

	if (fd < 0)
		fail("accept");
	if (s->n == CONNS_MAX) {
		close(fd);
		return;
	}
	s->echo[s->n].len = s->echo[s->n].done = 0;
	s->poll[s->n++] = (struct pollfd) { .fd = fd, .events = POLLIN };
}

static void echo_drop(struct echo_server *s, unsigned i)
{
	close(s->poll[i].fd);
	s->n--;
	s->poll[i] = s->poll[s->n];
	s->echo[i] = s->echo[s->n];
}

static _Noreturn void serve_echo(int listener)
{
	static struct echo_server s;

	s.poll[s.n++] = (struct pollfd) { .fd = listener, .events = POLLIN };
	for (;;) {
		if (poll(s.poll, s.n, -1) < 0)
			fail("poll");
		for (unsigned i = s.n - 1; i > 0; i--) {
			if (s.poll[i].revents && !echo_step(s.poll[i].fd, &s.echo[i]))
				echo_drop(&s, i);
			else
				s.poll[i].events =
					s.echo[i].done < s.echo[i].len ? POLLOUT : POLLIN;
		}
		if (s.poll[0].revents)
			echo_accept(&s);
	}
}

static void raise_descriptor_limit(void)
{
	const struct rlimit limit = { CONNS_MAX + 64, CONNS_MAX + 64 };

	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		fail("RLIMIT_NOFILE");
}

int main(int argc, char **argv)
{
	struct order order = { 0 };
	uint32_t port;

	if (argc < 4) {
		fputs("usage: vsock_stream serve|connect PORT echo|sum|count|pump|hold ...\n",
			stderr);
		return 2;
	}
	port = (uint32_t)parse_number("PORT", argv[2], 0, UINT32_MAX);
	order.what = argv[3];
	order.bytes = argc > 4 ? parse_number("BYTES", argv[4], 0, UINT64_MAX) : 0;
	order.seed = argc > 5 ? parse_number("SEED", argv[5], 0, UINT64_MAX) : 0;
	if (strcmp(argv[1], "connect") == 0) {
		serve_one(connect_to(port), &order);
		return 0;
	}
	raise_descriptor_limit();
	if (strcmp(order.what, "echo") == 0)
		serve_echo(listen_at(port));
	serve_each(listen_at(port), &order);
}
