/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The client's side of the agent's wire: the input is what the agent says, in two segments, and
 * then it hangs up. The first byte chooses between an exec and an attachment, and where the
 * segments part. Whatever comes, the client ends once, and has written what it says it has.
 */

#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "launcher/exec/exec_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* More than the client reads or the socket holds tells us nothing new. */
#define INPUT_MAX 65536

struct owner {
	struct event_base *loop;
	struct exec_client *client;
	unsigned n_started, n_ended;
	struct exec_end end;
};

static void on_started(void *arg, uint32_t pid)
{
	struct owner *owner = arg;
	const struct agent_window window = { .rows = 1, .columns = 2 };

	owner->n_started++;
	exec_client_signal(owner->client, 1 + (int)(pid % 64));
	exec_client_resize(owner->client, &window);
}

static void on_ended(void *arg, const struct exec_end *end)
{
	struct owner *owner = arg;

	owner->n_ended++;
	owner->end = *end;
	event_base_loopbreak(owner->loop);
}

static int start(struct owner *owner, int fd, int null, bool attach)
{
	static char *const argv[] = { (char *)"cmd", NULL };
	const struct exec_owner callbacks = { on_started, on_ended, owner };
	const struct exec_streams streams = { .in = null, .out = null, .err = null };
	const struct agent_offsets from = { .n_stdout = 7 };
	const struct process_spec spec = { 0 };

	if (attach)
		return exec_client_attach(
			owner->loop, fd, &from, &streams, &callbacks, &owner->client, NULL);
	return exec_client_start(
		owner->loop, fd, &spec, argv, argv + 1, &streams, &callbacks, &owner->client, NULL);
}

static void check(const struct owner *owner, bool attach)
{
	struct agent_offsets written = exec_client_written(owner->client);

	assert(owner->n_ended == 1 && owner->n_started <= 1);
	assert(written.n_stdout >= (attach ? 7U : 0U));
	assert(owner->n_started == 1 || owner->end.how == EXEC_FAILED ||
		owner->end.how == EXEC_LOST);
	assert(owner->end.how == EXEC_EXITED || owner->end.err.text[0] != '\0' ||
		owner->end.how == EXEC_FAILED);
}

static void say(int fd, const uint8_t *bytes, size_t len)
{
	(void)!send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void run(const uint8_t *data, size_t size, bool attach, size_t first)
{
	struct owner owner = { .loop = event_base_new() };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int pair[2];

	assert(owner.loop != NULL && null >= 0);
	assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
	assert(start(&owner, pair[0], null, attach) == 0);
	first = first < size ? first : size;
	say(pair[1], data, first);
	event_base_loop(owner.loop, EVLOOP_NONBLOCK);
	say(pair[1], data + first, size - first);
	shutdown(pair[1], SHUT_WR);
	if (owner.n_ended == 0)
		event_base_dispatch(owner.loop);
	check(&owner, attach);
	exec_client_free(owner.client);
	close(pair[1]);
	close(null);
	event_base_free(owner.loop);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	signal(SIGPIPE, SIG_IGN);
	if (size == 0 || size > INPUT_MAX)
		return 0;
	run(data + 1, size - 1, (data[0] & 1) != 0, data[0] >> 1);
	return 0;
}
