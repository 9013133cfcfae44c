/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A VM's vsock socket with an agent behind it, as a script: a thread that listens at a path of its
 * own and runs a function of the test's, which takes connections and says whatever it likes on
 * them. It blocks; a script that waits for more than AGENT_PATIENCE_S, or gets another frame than
 * it expects, aborts the test.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/agent_wire.h"

#define AGENT_PATIENCE_S 30

struct evbuffer;

struct fake_agent {
	char path[108];
	int listener;
	int fd; /* the connection, or -1 */
	struct evbuffer *in, *out;
	void (*script)(struct fake_agent *agent);
	void *arg; /* the script's */
	pthread_t thread;
};

/* What a client asked for. The test frees it with fake_agent_free_request(). */
struct agent_request {
	char *spec; /* START's JSON */
	char **argv, **env;
};

void fake_agent_start(
	struct fake_agent *agent, void (*script)(struct fake_agent *agent), void *arg);
/* Waits for the script's end. */
void fake_agent_stop(struct fake_agent *agent);

/* --- for scripts ----------------------------------------------------------------------------- */

void fake_agent_accept(struct fake_agent *agent);
void fake_agent_hang_up(struct fake_agent *agent);

/* The line CONNECT 1024. */
void fake_agent_take_connect(struct fake_agent *agent);
/* Accepts, answers OK, says HELLO with it in one segment, and takes the client's. A client that was
 * answered too late has gone by then, and comes again: it is waited for. */
void fake_agent_greet(struct fake_agent *agent);
/* Greets, takes the request, says STARTED and gives the first credit. */
void fake_agent_begin(struct fake_agent *agent, struct agent_request *request);
void fake_agent_take_request(struct fake_agent *agent, struct agent_request *request);
void fake_agent_free_request(struct agent_request *request);

/* The next frame, whose payload agent->in begins with. False: the client hung up. */
bool fake_agent_next(struct fake_agent *agent, enum agent_wire_type *type, uint32_t *len);
/* As fake_agent_next(), which must be of this type; its payload is removed and given, if data is
 * not NULL (of `room` bytes). Returns the payload's length. */
uint32_t fake_agent_expect(
	struct fake_agent *agent, enum agent_wire_type type, void *data, size_t room);
/* The client hangs up, whatever it still says. */
void fake_agent_expect_end(struct fake_agent *agent);
/* Whether something comes within so long. */
bool fake_agent_hears(struct fake_agent *agent, int ms);

void fake_agent_say(struct fake_agent *agent, const void *bytes, size_t len);
void fake_agent_output(
	struct fake_agent *agent, enum agent_wire_type type, const void *bytes, size_t len);
void fake_agent_credit(struct fake_agent *agent, uint32_t credit);
void fake_agent_exit(struct fake_agent *agent, uint32_t code);
/* Sends agent->out, into which agent_wire_put_*() have written. False: the client is gone. */
bool fake_agent_flush(struct fake_agent *agent);
