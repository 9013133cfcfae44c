/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/port/guest_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "config/sluiced_config.h"

/* --- the guard ------------------------------------------------------------------------------- */

/* All regions of all guests there can be: no guest can use up another's. */
#define GUARDS_MAX (N_PORTS_MAX * GUEST_MEMORY_REGIONS_MAX)

/* Written by the control thread, read by the handler on whatever thread faulted. */
static struct guard {
	uintptr_t start; /* 0: free; written last */
	size_t len;
	int lost;
} guards[GUARDS_MAX];

static int guard_attention_fd = -1;

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	uintptr_t addr = (uintptr_t)info->si_addr;
	uint64_t one = 1;
	int saved = errno;

	for (struct guard *g = guards; g < guards + GUARDS_MAX; g++) {
		uintptr_t start = __atomic_load_n(&g->start, __ATOMIC_ACQUIRE);

		if (start == 0 || addr - start >= g->len)
			continue;
		if (mmap((void *)start, g->len, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1,
			    0) == MAP_FAILED)
			break;
		__atomic_store_n(&g->lost, 1, __ATOMIC_RELEASE);
		(void)!write(guard_attention_fd, &one, sizeof(one));
		errno = saved;
		return;
	}
	/* Not a guest's memory: let the access fault again, with the default action. */
	signal(sig, SIG_DFL);
}

int guest_memory_guard(int attention_fd)
{
	struct sigaction sa = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };

	guard_attention_fd = attention_fd;
	return sigaction(SIGBUS, &sa, NULL) < 0 ? -errno : 0;
}

bool guest_memory_lost(const struct guest_memory *m)
{
	for (unsigned i = 0; i < m->n; i++)
		if (__atomic_load_n(&guards[m->region[i].guard].lost, __ATOMIC_ACQUIRE))
			return true;
	return false;
}

static int guard_new(void *map, size_t len, unsigned *slot)
{
	for (unsigned i = 0; i < GUARDS_MAX; i++) {
		if (guards[i].start != 0)
			continue;
		guards[i].len = len;
		guards[i].lost = 0;
		__atomic_store_n(&guards[i].start, (uintptr_t)map, __ATOMIC_RELEASE);
		*slot = i;
		return 0;
	}
	return -ENOSPC;
}

static void region_unmap(struct guest_region *r)
{
	__atomic_store_n(&guards[r->guard].start, 0, __ATOMIC_RELEASE);
	munmap(r->map, r->map_len);
}

/* --- regions --------------------------------------------------------------------------------- */

static bool overlaps(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a < b + b_size && b < a + a_size;
}

static int check_range(
	const struct guest_memory *m, const struct vhost_user_region *w, struct err *err)
{
	uint64_t end, total = w->size;

	if (w->size == 0 || __builtin_add_overflow(w->guest_addr, w->size, &end) ||
		__builtin_add_overflow(w->user_addr, w->size, &end) ||
		__builtin_add_overflow(w->mmap_offset, w->size, &end) || end > INT64_MAX)
		return err_set(err, -EINVAL,
			"memory region of size %#" PRIx64 " at %#" PRIx64 " wraps or is empty",
			w->size, w->guest_addr);
	for (unsigned i = 0; i < m->n; i++) {
		const struct guest_region *r = &m->region[i];

		total += r->size;
		if (overlaps(w->guest_addr, w->size, r->guest_addr, r->size) ||
			overlaps(w->user_addr, w->size, r->user_addr, r->size))
			return err_set(err, -EINVAL,
				"memory regions at %#" PRIx64 " and %#" PRIx64 " overlap",
				w->guest_addr, r->guest_addr);
	}
	if (w->size > GUEST_MEMORY_SIZE_MAX || total > GUEST_MEMORY_SIZE_MAX)
		return err_set(err, -ENOSPC, "guest memory of more than %llu bytes",
			GUEST_MEMORY_SIZE_MAX);
	return 0;
}

struct memory_file {
	uint64_t page_size; /* more than 4 KiB on hugetlbfs */
	bool sealed;
	dev_t dev;
	ino_t ino;
};

static int check_file(
	const struct vhost_user_region *w, int fd, struct memory_file *file, struct err *err)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct statfs fs;
	struct stat st;

	/* Seals exist on these kinds only, and asking for them asks no file system, which might not
	 * answer (FUSE). */
	if (seals < 0)
		return err_set(err, -EINVAL,
			"guest memory is not a memfd, tmpfs or hugetlbfs file (put it there, for "
			"example with TMPDIR=/dev/shm)");
	if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0)
		return err_errno(err, errno, "cannot stat the memory's file");
	if ((uint64_t)st.st_size < w->mmap_offset + w->size)
		return err_set(err, -EINVAL,
			"memory file has %" PRId64 " bytes, its region needs %" PRIu64,
			(int64_t)st.st_size, w->mmap_offset + w->size);
	*file = (struct memory_file) {
		.page_size = fs.f_type == HUGETLBFS_MAGIC ? (uint64_t)fs.f_bsize : 4096,
		.sealed = seals & F_SEAL_SHRINK,
		.dev = st.st_dev,
		.ino = st.st_ino,
	};
	return 0;
}

static struct guest_region *find_wire(struct guest_memory *m, const struct vhost_user_region *wire)
{
	for (unsigned i = 0; i < m->n; i++) {
		struct guest_region *r = &m->region[i];

		if (r->guest_addr == wire->guest_addr && r->user_addr == wire->user_addr &&
			r->size == wire->size)
			return r;
	}
	return NULL;
}

static bool same_place(const struct guest_region *r, const struct vhost_user_region *wire,
	const struct memory_file *file)
{
	return r->mmap_offset == wire->mmap_offset && r->dev == file->dev && r->ino == file->ino;
}

static int map_region(struct guest_memory *m, const struct vhost_user_region *wire, int fd,
	const struct memory_file *file, struct err *err)
{
	uint64_t align = file->page_size, start = wire->mmap_offset & ~(align - 1);
	uint64_t map_len = (wire->mmap_offset + wire->size - start + align - 1) & ~(align - 1);
	unsigned guard;
	void *map = mmap(NULL, map_len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd,
		(off_t)start);

	if (map == MAP_FAILED)
		return err_errno(
			err, errno, "cannot map %" PRIu64 " bytes of guest memory", map_len);
	madvise(map, map_len, MADV_DONTDUMP);
	if (guard_new(map, map_len, &guard) < 0) {
		munmap(map, map_len);
		return err_set(err, -ENOSPC, "more than %d memory regions in all", GUARDS_MAX);
	}
	m->region[m->n++] = (struct guest_region) {
		.guard = guard,
		.guest_addr = wire->guest_addr,
		.size = wire->size,
		.user_addr = wire->user_addr,
		.host = (uint8_t *)map + (wire->mmap_offset - start),
		.map = map,
		.map_len = map_len,
		.sealed = file->sealed,
		.mmap_offset = wire->mmap_offset,
		.dev = file->dev,
		.ino = file->ino,
		.n_adds = 1,
	};
	return 0;
}

int guest_memory_add(
	struct guest_memory *m, const struct vhost_user_region *wire, int fd, struct err *err)
{
	struct guest_region *twin = find_wire(m, wire);
	struct memory_file file = { 0 };
	int ret;

	if (!twin && m->n == GUEST_MEMORY_REGIONS_MAX)
		return err_set(
			err, -ENOSPC, "more than %u memory regions", GUEST_MEMORY_REGIONS_MAX);
	ret = twin ? 0 : check_range(m, wire, err);
	if (ret == 0)
		ret = check_file(wire, fd, &file, err);
	if (ret < 0)
		return ret;
	if (!twin)
		return map_region(m, wire, fd, &file, err);
	if (!same_place(twin, wire, &file))
		return err_set(err, -EINVAL,
			"memory region at %#" PRIx64 " is added again with other memory",
			wire->guest_addr);
	twin->n_adds++;
	return 0;
}

int guest_memory_remove(struct guest_memory *m, const struct vhost_user_region *wire)
{
	struct guest_region *r = find_wire(m, wire);

	if (!r)
		return -ENOENT;
	if (--r->n_adds > 0)
		return 0;
	region_unmap(r);
	*r = m->region[--m->n];
	return 0;
}

void guest_memory_clear(struct guest_memory *m)
{
	while (m->n > 0) {
		m->n--;
		region_unmap(&m->region[m->n]);
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
