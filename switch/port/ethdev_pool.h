/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Pools of mbufs that come and go with their port. Their memory is mapped for them and unmapped
 * with them, so a port that is closed leaves nothing resident (DPDK's heap never shrinks), and the
 * heap can stay small. Pages of an mbuf are touched as far as frames reach.
 *
 * A pool of which a driver still holds mbufs (net_ring's consumer may be another port) is kept
 * until they are back.
 */

#include <stdbool.h>
#include <stdint.h>

#include <rte_mempool.h>

#include "lib/err.h"

/*
 * n mbufs of `room` bytes, headroom included. `in_heap`: in DPDK's own memory, for a driver that
 * shares that with another process (net_virtio_user). NULL with *err set.
 */
struct rte_mempool *ethdev_pool_new(unsigned n, uint16_t room, bool in_heap, struct err *err);

void ethdev_pool_free(struct rte_mempool *pool);
