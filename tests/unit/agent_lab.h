/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The agent's core in a process of its own, as a service on unix sockets, with a small root of
 * busybox; and a client of it that does one thing at a time and notes all that comes back. Needs
 * root: the workload has namespaces.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/agent_wire.h"

struct evbuffer;

/* --- the agent -------------------------------------------------------------------------------- */

struct lab_plan {
	const char *spec;    /* the workload's, JSON; NULL: "{}" */
	const char **argv;   /* NULL: there is no workload */
	const char *failure; /* then: why; NULL: it stays open until SIGUSR1, which starts `late` */
	const char **late;
};

struct lab {
	char directory[64]; /* of root and sockets */
	pid_t agent;
	size_t n_children, n_fds; /* of lab_note_idle(): what it has when nobody is served */
	int news; /* a byte of it for each call: 'e' the workload has ended, 'p' power off */
};

void lab_start(struct lab *lab, const struct lab_plan *plan);

/* Ends the agent and removes its files. It must have left no process behind. */
void lab_stop(struct lab *lab);

/* The workload that does nothing: for tests of execs. cmocka's set-up and tear-down. */
int lab_setup(void **state);
int lab_teardown(void **state);

size_t lab_n_fds(const struct lab *lab);
size_t lab_n_children(const struct lab *lab); /* its own, zombies too */

/* Waits until it has so many children more than when nobody is served; fails after a while. */
void lab_await_children(const struct lab *lab, size_t n_more);

/* A file of this name, in its root; it is empty. */
void lab_touch(const struct lab *lab, const char *name);

/* Runs an exec and keeps what the agent has without it. lab_setup() does so. */
void lab_note_idle(struct lab *lab);

/* Waits until nobody is served and nothing is left of who was; fails after a while. */
void lab_await_idle(const struct lab *lab);

/* Waits for this byte of its news. */
void lab_await_news(const struct lab *lab, char byte);

/* Whether a process of this machine has `word` as its first argument, behind its name. */
bool lab_runs(const char *word);
void lab_await_runs(const char *word, bool runs);

/* --- a client --------------------------------------------------------------------------------- */

struct lab_client {
	int fd;
	struct evbuffer *in, *out; /* of the wire */
	struct evbuffer *stdin_data;
	bool closes_stdin; /* STDIN_CLOSE behind the data */
	uint32_t credit;

	struct evbuffer *outputs[2]; /* what has come of stdout and stderr */
	uint64_t n_outputs[2];       /* how much */
	/* NULL, or what its bytes must be: then they are compared, and not kept. */
	uint8_t (*expected)(uint64_t offset);
	bool has_started, has_attached, has_exit, has_error, has_status, has_ended;
	uint32_t pid;
	struct agent_attached attached;
	struct agent_exit ex;
	uint32_t error_status;
	char *text;      /* of ERROR or STATUS */
	char *copies[2]; /* of client_text() */
};

/* Of a stream of bytes that can be told from any other, the one at `offset`. */
uint8_t lab_byte(uint64_t offset);
void lab_add_bytes(struct evbuffer *to, uint64_t offset, size_t len);

void client_open(struct lab_client *client, const struct lab *lab); /* with HELLO */
void client_close(struct lab_client *client);

/* START (JSON), ARGV, ENV. env NULL: PATH alone. */
void client_exec(struct lab_client *client, const char *spec, const char **argv, const char **env);
void client_attach(struct lab_client *client, uint64_t n_stdout, uint64_t n_stderr);
void client_acknowledge(struct lab_client *client);
void client_signal(struct lab_client *client, int signo);
void client_send(struct lab_client *client); /* what has been put into `out` */

/* Sends and receives until *flag is set, or the connection has ended; fails after three minutes. */
void client_await(struct lab_client *client, const bool *flag);

/* Until its stdout has `text` in it. */
void client_await_text(struct lab_client *client, const char *text);

/* The same of stderr. */
void client_await_error(struct lab_client *client, const char *text);

/* Until there are so many bytes of stdout. */
void client_await_output(struct lab_client *client, uint64_t n);

/* Until all of stdin_data has been sent. */
void client_await_sent(struct lab_client *client);

/* Until no more of stdin_data can be sent: all on its way is full. */
void client_await_full(struct lab_client *client);

/* Goes on until nothing has happened for `ms`. */
void client_settle(struct lab_client *client, int ms);

/* Whether anything more comes within `ms`. */
bool client_hears(struct lab_client *client, int ms);

/* An exec of this shell script from its beginning to its end; stdin is closed. */
void client_run(struct lab_client *client, const struct lab *lab, const char *script);

/* What has come of stdout (0) or stderr (1), as a string. */
const char *client_text(struct lab_client *client, int stream);

void client_check_exit(const struct lab_client *client, uint32_t code);

#define words(...) ((const char *[]) { __VA_ARGS__, NULL })
