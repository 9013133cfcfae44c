/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* A few bindings with two workers' caches, and what their tests say all the time. */

#include "switch/datapath/binding.h"
#include "tests/unit/addr_fixture.h"

#define SIZE 64

struct fixture {
	struct rte_rcu_qsbr *qsbr;
	struct bindings *bindings;
	struct addr_cache cache; /* of one worker */
	struct addr_cache other; /* of another */
};

int binding_setup(void **state);
int binding_teardown(void **state);

/* Configures an address, or one with a fixed MAC. */
int add(struct fixture *f, struct ip_addr addr, uint16_t port);
int add_fixed(struct fixture *f, struct ip_addr addr, uint16_t port, unsigned mac);

int drop(struct fixture *f, struct ip_addr addr);
int reserve(struct fixture *f, struct ip_addr addr);

/* The first worker has a frame of the guest at the port, which is station number `port`, or `mac`.
 */
bool check(struct fixture *f, struct ip_addr addr, uint16_t port, uint32_t now_s);
bool check_mac(struct fixture *f, struct ip_addr addr, uint16_t port, unsigned mac, uint32_t now_s);

/* As the other worker sees it. */
uint16_t port_of(struct fixture *f, struct ip_addr addr);

/* Frames for the address go, says the other worker, to this station; 0: nobody knows where. */
void assert_at(struct fixture *f, struct ip_addr addr, uint16_t port, unsigned mac);

/* Bindings of the port. */
unsigned count_rows(struct fixture *f, uint16_t port);

bool next_news(struct fixture *f, struct ip_addr *addr);

/* This address is all the news there is. */
void assert_news(struct fixture *f, struct ip_addr expected);
