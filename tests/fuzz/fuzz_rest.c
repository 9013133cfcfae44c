/* SPDX-License-Identifier: BSD-3-Clause */

/* A VMM's HTTP interface that answers two requests with the input, and hangs up. */

#include <assert.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "launcher/vmm/rest.h"
#include "lib/unix_socket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct event_base *loop;
static char path[64];
static int listener = -1;

static void remove_socket(void)
{
	unlink(path);
}

static void listen_once(void)
{
	if (loop != NULL)
		return;
	signal(SIGPIPE, SIG_IGN);
	loop = event_base_new();
	snprintf(path, sizeof(path), "/tmp/fuzz_rest.%d", (int)getpid());
	listener = unix_listen(path, 0600, NULL);
	assert(loop != NULL && listener >= 0);
	atexit(remove_socket);
}

static void on_done(void *owner, int status, const json_t *body, const char *error)
{
	unsigned *n_done = owner;

	/* What was not understood has no status, and always a reason. */
	assert(status >= 0 && status < 1000);
	assert((status == 0 || status >= 400) == (error != NULL));
	assert(status != 0 || body == NULL);
	(*n_done)++;
}

/* The server's side: one connection, which gets the input when it has asked for something. */
static void serve(int *sock, const uint8_t *data, size_t size)
{
	int next = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	char request[512];

	if (next >= 0) {
		if (*sock >= 0)
			close(*sock);
		*sock = next;
	}
	if (*sock >= 0 && recv(*sock, request, sizeof(request), 0) > 0) {
		(void)!send(*sock, data, size, MSG_NOSIGNAL);
		shutdown(*sock, SHUT_WR);
	}
}

static void ask(struct rest *rest, const char *method, const uint8_t *data, size_t size)
{
	unsigned n_done = 0;
	int sock = -1;

	if (rest_call(rest, method, "/", NULL, on_done, &n_done, NULL) < 0)
		return;
	while (n_done == 0) {
		event_base_loop(loop, EVLOOP_NONBLOCK);
		serve(&sock, data, size);
	}
	if (sock >= 0)
		close(sock);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rest *rest = NULL;

	listen_once();
	if (rest_open(loop, path, &rest, NULL) < 0)
		return 0;
	ask(rest, "PUT", data, size);
	ask(rest, "GET", data, size);
	rest_close(rest);
	return 0;
}
