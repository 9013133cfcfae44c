/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Numbered frames from one guest to another, sent by a thread for as long as a test does something
 * to the switch. Some are always under way; each must arrive, once, in its turn.
 *
 * The two front-ends belong to the thread from start to stop.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "tests/fakes/front_net.h"

struct stream {
	struct frontend *from, *to;
	uint8_t dst, src; /* stations */
	pthread_t thread;
	bool running, stop, failed;
	uint64_t n_sent, n_received;
	unsigned pause_us; /* between bursts: 0: as fast as it goes */
	char why[512];
};

/* `pause_us`: see above; long enough, and every burst has to wake the worker. */
void stream_start(struct stream *s, struct frontend *from, struct frontend *to, uint8_t dst,
	uint8_t src, unsigned pause_us);

/* Returns when n more frames have arrived; fails the test if they do not. */
void stream_more(struct stream *s, uint64_t n);

/* Receives what is under way and returns how many there were; fails the test if one was lost. */
uint64_t stream_stop(struct stream *s);

/* For teardown. */
void stream_abandon(struct stream *s);
