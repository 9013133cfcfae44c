/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* What the tests of the address table, the bindings and the neighbour cache say all the time. */

#include "lib/ip_addr.h"
#include "lib/mac.h"

struct rte_rcu_qsbr;

/* For readers below n; to be given to free(). */
struct rte_rcu_qsbr *new_qsbr(unsigned n);

/* 10.0.0.0 + n, fd00:: + n, fe80:: + n, 02:00:00:00:00:00 + n. */
struct ip_addr host(unsigned n);
struct ip_addr host6(unsigned n);
struct ip_addr link_local(unsigned n);
struct mac station(unsigned n);
