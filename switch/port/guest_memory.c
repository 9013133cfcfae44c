/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/port/guest_memory.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

static bool overlaps(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a < b + b_size && b < a + a_size;
}

static int check_range(const struct guest_memory *m, const struct vhost_user_region *w,
	struct err *err)
{
	uint64_t end;

	if (w->size == 0 || __builtin_add_overflow(w->guest_addr, w->size, &end) ||
		__builtin_add_overflow(w->user_addr, w->size, &end) ||
		__builtin_add_overflow(w->mmap_offset, w->size, &end) || end > INT64_MAX)
		return err_set(err, -EINVAL,
			"memory region of size %#" PRIx64 " at %#" PRIx64 " wraps or is empty", w->size,
			w->guest_addr);
	for (unsigned i = 0; i < m->n; i++) {
		const struct guest_region *r = &m->region[i];

		if (overlaps(w->guest_addr, w->size, r->guest_addr, r->size) ||
			overlaps(w->user_addr, w->size, r->user_addr, r->size))
			return err_set(err, -EINVAL,
				"memory regions at %#" PRIx64 " and %#" PRIx64 " overlap",
				w->guest_addr, r->guest_addr);
	}
	return 0;
}

/* Sets *align to the file's page size (more than 4 KiB on hugetlbfs). */
static int check_file(const struct vhost_user_region *w, int fd, uint64_t *align, struct err *err)
{
	struct statfs fs;
	struct stat st;

	if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0)
		return err_errno(err, errno, "cannot stat the memory's file");
	if (!S_ISREG(st.st_mode) || (fs.f_type != TMPFS_MAGIC && fs.f_type != HUGETLBFS_MAGIC))
		return err_set(err, -EINVAL,
			"guest memory is not a memfd, tmpfs or hugetlbfs file (put it there, for "
			"example with TMPDIR=/dev/shm)");
	if ((uint64_t)st.st_size < w->mmap_offset + w->size)
		return err_set(err, -EINVAL,
			"memory file has %" PRId64 " bytes, its region needs %" PRIu64,
			(int64_t)st.st_size, w->mmap_offset + w->size);
	*align = fs.f_type == HUGETLBFS_MAGIC ? (uint64_t)fs.f_bsize : 4096;
	return 0;
}

int guest_memory_add(struct guest_memory *m, const struct vhost_user_region *wire, int fd,
	struct err *err)
{
	uint64_t align, start, map_len;
	struct guest_region *r;
	void *map;
	int ret;

	if (m->n == GUEST_MEMORY_REGIONS_MAX)
		return err_set(err, -ENOSPC, "more than %u memory regions",
			GUEST_MEMORY_REGIONS_MAX);
	ret = check_range(m, wire, err);
	if (ret == 0)
		ret = check_file(wire, fd, &align, err);
	if (ret < 0)
		return ret;

	start = wire->mmap_offset & ~(align - 1);
	map_len = (wire->mmap_offset + wire->size - start + align - 1) & ~(align - 1);
	map = mmap(NULL, map_len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd,
		(off_t)start);
	if (map == MAP_FAILED)
		return err_errno(err, errno, "cannot map %" PRIu64 " bytes of guest memory",
			map_len);
	madvise(map, map_len, MADV_DONTDUMP);

	r = &m->region[m->n++];
	*r = (struct guest_region){
		.guest_addr = wire->guest_addr,
		.size = wire->size,
		.user_addr = wire->user_addr,
		.host = (uint8_t *)map + (wire->mmap_offset - start),
		.map = map,
		.map_len = map_len,
	};
	return 0;
}

int guest_memory_remove(struct guest_memory *m, const struct vhost_user_region *wire)
{
	for (unsigned i = 0; i < m->n; i++) {
		struct guest_region *r = &m->region[i];

		if (r->guest_addr != wire->guest_addr || r->user_addr != wire->user_addr ||
			r->size != wire->size)
			continue;
		munmap(r->map, r->map_len);
		*r = m->region[--m->n];
		return 0;
	}
	return -ENOENT;
}

void guest_memory_clear(struct guest_memory *m)
{
	while (m->n > 0) {
		m->n--;
		munmap(m->region[m->n].map, m->region[m->n].map_len);
	}
}

void *guest_memory_from_user(const struct guest_memory *m, uint64_t user_addr, uint64_t len)
{
	for (unsigned i = 0; i < m->n; i++) {
		const struct guest_region *r = &m->region[i];
		uint64_t offset = user_addr - r->user_addr;

		if (offset < r->size && len <= r->size - offset)
			return r->host + offset;
	}
	return NULL;
}
