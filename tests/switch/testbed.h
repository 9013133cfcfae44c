/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A real sluiced for tests: the binary named by $SLUICED, in a network namespace of the test's
 * own, with a configuration and a temporary directory that go away with it.
 *
 * A test that fails prints the switch's log. Everything waits for an event and is bounded in time.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

struct testbed {
	char dir[64]; /* sockets, configuration, log */
	pid_t pid;
	int control;  /* connection to the control socket */
	int ready_ms; /* from exec to READY=1 */
};

/* Moves this process to a network namespace of its own, with loopback up. Fails the test. */
void testbed_netns(void);

/* Runs a command line; fails the test if it fails. */
void testbed_run(const char *command);

/*
 * Starts sluiced with `ports` (a JSON array as text; "DIR" in it becomes the directory) and
 * `settings` (more top-level members, such as "\"spin-us\": 0", or NULL) and waits for READY.
 */
void testbed_start(struct testbed *t, const char *ports, const char *settings);

/* SIGTERM; fails the test unless sluiced ends with 0 and has removed its sockets. */
void testbed_stop(struct testbed *t);

/* SIGKILL: nothing is cleaned up. testbed_restart() starts it again, with the same files. */
void testbed_kill(struct testbed *t);
void testbed_restart(struct testbed *t);

/* As testbed_stop(), but for teardown after a failure: prints the log if the test failed. */
void testbed_abandon(struct testbed *t);

/* "DIR/name" in a static buffer (four of them in turn). */
const char *testbed_path(const struct testbed *t, const char *name);

/* The text with every "DIR" in it being the directory; the caller frees it. */
char *testbed_expand(const struct testbed *t, const char *text);

/* Rewrites the configuration file, as testbed_start() made it, or with any text ("DIR" as there).
 * Nothing is reloaded. */
void testbed_write_config(const struct testbed *t, const char *ports, const char *settings);
void testbed_write_text(const struct testbed *t, const char *text);

/* Listens, as the service manager, to what sluiced says until the close. */
int testbed_notify_open(const struct testbed *t);
void testbed_notify_close(const struct testbed *t, int fd);

/* Another connection to the control socket. */
int testbed_connect(const struct testbed *t);

/*
 * The result of a JSON-RPC call, owned by the caller; fails the test on an error reply. `params` is
 * an object's text ("DIR" as there) or NULL.
 */
json_t *testbed_call_with(struct testbed *t, const char *method, const char *params);
json_t *testbed_call(struct testbed *t, const char *method);
/* The same if the result does not matter. */
void testbed_do(struct testbed *t, const char *method, const char *params);
/* The text of the error that this call must end in, in a static buffer. */
const char *testbed_call_fails(struct testbed *t, const char *method, const char *params);

/* Has the file read again; the answer must say exactly these changes ("what name, what name"). */
void testbed_reload(struct testbed *t, const char *changes);

/* The port's row of port.show, owned by the caller; NULL if there is none. */
json_t *testbed_port(struct testbed *t, const char *port);

/* A connection that follows events from now on. */
int testbed_follow(const struct testbed *t);
/* The next event on it, owned by the caller; NULL if none comes. */
json_t *testbed_event(int fd, int timeout_ms);
/* Fails the test unless this is the next, those about guests aside; a NULL port: about none;
 * `detail` is a part of it. */
void testbed_expect_event(int fd, const char *event, const char *port, const char *detail);

/* One number of `port.stats`, by dotted path ("stats64.rx.packets"); drops by bare name. */
int64_t testbed_stat(struct testbed *t, const char *port, const char *path);
int64_t testbed_drops(struct testbed *t, const char *port, const char *reason);

/* Waits until the number is at least `least`; returns it, or fails the test after a minute. */
int64_t testbed_wait_stat(struct testbed *t, const char *port, const char *path, int64_t least);
int64_t testbed_wait_drops(struct testbed *t, const char *port, const char *reason, int64_t least);

/* Entries in sluiced's /proc/PID/fd. */
int testbed_count_fds(const struct testbed *t);
/* Waits until there are at most so many: some are closed in their own time, by nobody's order. */
void testbed_wait_fds(const struct testbed *t, int most);
/*
 * Lines in its /proc/PID/maps. If it runs under ThreadSanitizer, which maps more memory for each
 * new address, only the shared ones: guest memory.
 */
int testbed_count_maps(const struct testbed *t);
bool testbed_alive(const struct testbed *t);
