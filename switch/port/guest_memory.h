/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A guest's memory as its VMM shared it: regions of files mapped into this process, found again by
 * guest-physical address (descriptors) or by the VMM's own virtual address (ring addresses).
 *
 * A region's file must be memory (memfd, tmpfs or hugetlbfs: anything else could make a plain
 * load wait for a disk or a network) and at least as long as the region claims. Regions must not
 * overlap. A lookup never crosses a region's end, even if the next one happens to follow in our
 * address space: the VMM may have meant something else to be there.
 *
 * Mapping costs address space only; pages cost when somebody touches them, as they do the VMM. What
 * bounds it: GUEST_MEMORY_REGIONS_MAX regions of GUEST_MEMORY_SIZE_MAX bytes together for each
 * guest, so that it takes dozens of hostile VMMs to exhaust our address space (128 TiB).
 *
 * The VMM keeps its end of the file and can cut it short whenever it likes; touching a page that is
 * gone raises SIGBUS. guest_memory_guard() installs a handler that puts zero pages in the place of
 * the region concerned and raises the host's attention: the access goes on, the port's owner finds
 * guest_memory_lost() and ends the connection. A SIGBUS anywhere else is a bug of ours and fatal.
 *
 * Thread-safety: immutable while a worker can see it; the control thread changes it only while
 * the port is parked.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/err.h"

#define GUEST_MEMORY_REGIONS_MAX 32
#define GUEST_MEMORY_SIZE_MAX    (4ull << 40) /* of one guest, all regions */

/* As on the wire: vhost-user specification, "memory region description". */
struct vhost_user_region {
	uint64_t guest_addr;
	uint64_t size;
	uint64_t user_addr;
	uint64_t mmap_offset;
};

struct guest_region {
	unsigned guard; /* slot in the table that the SIGBUS handler reads */
	uint64_t guest_addr;
	uint64_t size;
	uint64_t user_addr;
	uint8_t *host; /* of guest_addr */
	void *map;     /* what munmap() takes */
	uint64_t map_len;
	bool sealed; /* the file cannot shrink: no access can raise SIGBUS */
	uint64_t mmap_offset;
	dev_t dev; /* with ino: which file it is */
	ino_t ino;
	unsigned n_adds; /* times it was added and not removed */
};

struct guest_memory {
	unsigned n;
	struct guest_region region[GUEST_MEMORY_REGIONS_MAX];
};

/*
 * Installs the SIGBUS handler; `attention_fd` is an eventfd it writes to. Call once. -errno if the
 * handler cannot be installed.
 */
int guest_memory_guard(int attention_fd);

/* True if a region's file was cut short and something touched the missing part. */
bool guest_memory_lost(const struct guest_memory *m);

/*
 * Adding what is there already, the same part of the same file at the same addresses, counts, and
 * so does removing it: QEMU (7.2) adds and removes each region once for each queue pair.
 *
 * Maps `fd` (which stays the caller's) as one more region. -EINVAL: size, overlap, kind of file or
 * its length; -ENOSPC: too many regions, or too large together; or what mmap() said. Nothing has
 * changed then.
 */
int guest_memory_add(
	struct guest_memory *m, const struct vhost_user_region *wire, int fd, struct err *err);

/* Takes back one addition of, and with the last unmaps, the region with this guest address, user
 * address and size; -ENOENT if there is none. */
int guest_memory_remove(struct guest_memory *m, const struct vhost_user_region *wire);

/* Unmaps everything. */
void guest_memory_clear(struct guest_memory *m);

/* The region that holds `addr`, or NULL. */
static inline const struct guest_region *guest_memory_find(
	const struct guest_memory *m, uint64_t addr)
{
	for (unsigned i = 0; i < m->n; i++)
		if (addr - m->region[i].guest_addr < m->region[i].size)
			return &m->region[i];
	return NULL;
}

/* Our address for [user_addr, user_addr + len) of the VMM's, or NULL if no region holds it all. */
void *guest_memory_from_user(const struct guest_memory *m, uint64_t user_addr, uint64_t len);
