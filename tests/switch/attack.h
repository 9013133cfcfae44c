/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Three guests for tests of hostile ones: one attacks, the other two talk to each other and must
 * not notice.
 */

#include "tests/switch/guests.h"

#define ATTACKER  0 /* port "a" */
#define WITNESS   1
#define BYSTANDER 2

void attack_start(struct guests *g);

/* sluiced lives, and the other two reach each other both ways. */
void attack_others_go_on(struct guests *g, const char *name, uint32_t seed);

/* The attack has cost its connection. */
void attack_expect_hangup(struct guests *g, const char *name);
