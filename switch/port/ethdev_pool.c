/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/port/ethdev_pool.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>

#define RETIRED_MAX 256

/* Pools whose mbufs are not all back. */
static struct rte_mempool *retired[RETIRED_MAX];
static unsigned n_retired;

static void free_retired(void)
{
	for (unsigned i = n_retired; i-- > 0;)
		if (rte_mempool_full(retired[i])) {
			rte_mempool_free(retired[i]);
			retired[i] = retired[--n_retired];
		}
}

static void unmap(struct rte_mempool_memhdr *chunk, void *opaque)
{
	munmap(chunk->addr, (size_t)(uintptr_t)opaque);
}

static int map_objects(struct rte_mempool *pool)
{
	size_t each = pool->header_size + pool->elt_size + pool->trailer_size;
	size_t len = each * pool->size + RTE_MEMPOOL_ALIGN;
	void *map = mmap(NULL, len, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int n;

	if (map == MAP_FAILED)
		return -errno;
	n = rte_mempool_populate_iova(
		pool, map, (rte_iova_t)(uintptr_t)map, len, unmap, (void *)(uintptr_t)len);
	if (n <= 0) {
		munmap(map, len);
		return n < 0 ? n : -ENOMEM;
	}
	return (unsigned)n == pool->size ? 0 : -ENOMEM;
}

/* Addresses are the device's addresses too (IOVA is VA without hugepages), so an mbuf may cross a
 * page. */
static struct rte_mempool *new_mapped(const char *name, unsigned n, uint16_t room)
{
	struct rte_pktmbuf_pool_private private = { .mbuf_data_room_size = room };
	struct rte_mempool *pool =
		rte_mempool_create_empty(name, n, (unsigned)sizeof(struct rte_mbuf) + room, 0,
			sizeof(private), SOCKET_ID_ANY, RTE_MEMPOOL_F_NO_IOVA_CONTIG);
	int ret;

	if (!pool)
		return NULL;
	ret = rte_mempool_set_ops_byname(pool, rte_mbuf_best_mempool_ops(), NULL);
	if (ret == 0) {
		rte_pktmbuf_pool_init(pool, &private);
		ret = map_objects(pool);
	}
	if (ret < 0) {
		rte_mempool_free(pool);
		rte_errno = -ret;
		return NULL;
	}
	rte_mempool_obj_iter(pool, rte_pktmbuf_init, NULL);
	return pool;
}

struct rte_mempool *ethdev_pool_new(unsigned n, uint16_t room, bool in_heap, struct err *err)
{
	static unsigned serial;
	struct rte_mempool *pool;
	char name[RTE_MEMPOOL_NAMESIZE];

	free_retired();
	snprintf(name, sizeof(name), "ethdev%u", serial++);
	pool = in_heap ? rte_pktmbuf_pool_create(name, n, 0, 0, room, SOCKET_ID_ANY)
		       : new_mapped(name, n, room);
	if (!pool)
		err_errno(err, rte_errno, "cannot make %u buffers of %u bytes", n, room);
	return pool;
}

void ethdev_pool_free(struct rte_mempool *pool)
{
	if (!pool)
		return;
	free_retired();
	if (rte_mempool_full(pool))
		rte_mempool_free(pool);
	else if (n_retired < RETIRED_MAX)
		retired[n_retired++] = pool;
}
