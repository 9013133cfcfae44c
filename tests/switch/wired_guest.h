/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A switch between one guest and one wire (wire.h): port "a", and port "wire" on interface "near",
 * whose other end is "far". For tests in which the interface comes, goes and changes.
 */

#include "tests/switch/guests.h"
#include "tests/switch/wire.h"

#define GUEST      1 /* stations */
#define FAR        2
#define RECOVER_MS 9000 /* the port also looks by itself, but more rarely than that */

struct wired_guest {
	struct guests guests;
	int far; /* a socket on the far end; -1: none */
	struct packet out, in;
};

extern struct wired_guest wired;

/* `options`: more of the wire's settings (",\"queues\":2"). Without the wire "near" is missing. */
void wired_start(const char *options, bool with_wire);
/* For a test's teardown, also after a failure; continues a stopped switch. */
void wired_stop(void);

/* Moves the far end's socket to this interface. */
void wired_reopen(const char *end);

/* Sends `out` one way or the other. */
void wired_send(bool to_guest);
/* Whether what comes out within `ms` is `out`; other frames are passed over. */
bool wired_heard(bool to_guest, int ms);

/* A frame crosses each way within RECOVER_MS; until one does, others are lost. */
void wired_expect_flow(uint32_t seed);
/* The port says so, and drops what the guest sends. */
void wired_expect_down(const char *reason);
