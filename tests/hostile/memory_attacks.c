/* SPDX-License-Identifier: BSD-3-Clause */

/* A VMM that lies about the memory it shares, or takes it away. */

#include "tests/hostile/hostile.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define N_ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))

/* A table of `n` regions that are a page each of the guest's first file, at sane addresses. */
static struct vu_memory sane_table(unsigned n)
{
	struct vu_memory m = { .n_regions = n };

	for (unsigned i = 0; i < n && i < VU_REGIONS_MAX; i++)
		m.region[i] = (struct vu_region) {
			.gpa = i * 0x100000ull,
			.size = 4096,
			.user_addr = 0x7f0000000000ull + i * 0x100000ull,
			.mmap_offset = i * 4096ull,
		};
	return m;
}

/* Sends a table with `fd` for each of its first n_fds regions, to a fresh or a running device. */
static void send_table(struct assault *a, const struct vu_memory *m, size_t n_fds, int fd)
{
	unsigned n = m->n_regions < VU_REGIONS_MAX ? m->n_regions : VU_REGIONS_MAX;
	int fds[64];

	for (unsigned i = 0; i < n_fds; i++)
		fds[i] = fd;
	frontend_message(
		&a->f, VU_SET_MEM_TABLE, m, 8 + n * (uint32_t)sizeof(struct vu_region), fds, n_fds);
}

static bool arrive(struct assault *a)
{
	if (a->round & 1)
		return assault_connect(a, &assault_options);
	assault_dial(a);
	return true;
}

static void regions_too_many(struct assault *a)
{
	static const uint32_t counts[] = { 9, 64, 0x08000000, UINT32_MAX };
	struct vu_memory m = sane_table(VU_REGIONS_MAX);

	if (!arrive(a))
		return;
	m.n_regions = counts[a->round / 2 % N_ELEMENTS(counts)];
	send_table(a, &m, a->round & 4 ? 8 : 40, a->f.region[0].fd);
	assault_must_end(a);
}

static void regions_overlapping(struct assault *a)
{
	struct vu_memory m = sane_table(3);

	if (!arrive(a))
		return;
	switch (a->round / 2 % 4) {
	case 0:
		m.region[1].gpa = m.region[0].gpa;
		break;
	case 1:
		m.region[2].gpa = m.region[0].gpa + 4095;
		break;
	case 2:
		m.region[1].user_addr = m.region[0].user_addr;
		break;
	default:
		m.region[0].size = 1ull << 21;
	}
	send_table(a, &m, 3, a->f.region[0].fd);
	assault_must_end(a);
}

static void region_wraps(struct assault *a)
{
	struct vu_memory m = sane_table(1);
	struct vu_region *r = m.region;

	if (!arrive(a))
		return;
	switch (a->round / 2 % 6) {
	case 0:
		r->gpa = UINT64_MAX - 100;
		break;
	case 1:
		r->user_addr = UINT64_MAX - 4094;
		break;
	case 2:
		r->mmap_offset = UINT64_MAX - 4095;
		break;
	case 3:
		r->size = UINT64_MAX;
		break;
	case 4:
		r->size = 0;
		break;
	default:
		r->size = INT64_MAX;
		r->mmap_offset = INT64_MAX;
	}
	send_table(a, &m, 1, a->f.region[0].fd);
	assault_must_end(a);
}

/* Descriptors that are anything but memory. */
static int open_wrong_kind(unsigned kind)
{
	char path[] = "/var/tmp/hostile-XXXXXX";
	int fds[2], fd;

	switch (kind % 8) {
	case 0: /* a file on a disk */
		fd = mkstemp(path);
		if (fd >= 0 && (unlink(path) < 0 || ftruncate(fd, 1 << 21) < 0))
			return -1;
		return fd;
	case 1:
		if (pipe(fds) < 0)
			return -1;
		close(fds[1]);
		return fds[0];
	case 2:
		return socket(AF_UNIX, SOCK_STREAM, 0);
	case 3:
		return open("/dev/zero", O_RDWR);
	case 4:
		return eventfd(0, 0);
	case 5:
		return open("/", O_RDONLY | O_DIRECTORY);
	case 6:
		return epoll_create1(0);
	default: /* memory, but not to be written */
		return open("/dev/shm", O_TMPFILE | O_RDONLY, 0600);
	}
}

static void memory_wrong_kind(struct assault *a)
{
	struct vu_memory m = sane_table(1);
	int fd = open_wrong_kind((unsigned)a->round / 2);

	if (fd < 0) /* not to be had on this machine; the others are */
		return;
	if (arrive(a)) {
		send_table(a, &m, 1, fd);
		assault_must_end(a);
	}
	close(fd);
}

static void memory_too_small(struct assault *a)
{
	struct vu_memory m = sane_table(1);

	if (!arrive(a))
		return;
	switch (a->round / 2 % 3) {
	case 0:
		m.region[0].mmap_offset = 1ull << 40;
		break;
	case 1:
		m.region[0].size = 1ull << 40;
		break;
	default:
		m.region[0].size = a->f.region[0].size + a->f.region[0].file_offset + 1;
	}
	send_table(a, &m, 1, a->f.region[0].fd);
	assault_must_end(a);
}

/* ---- memory that vanishes ---- */

static void send_some(struct assault *a)
{
	uint8_t frame[1500] = { 0 };
	struct iovec iov = { frame, sizeof(frame) };

	frame_ethernet(frame);
	for (unsigned i = 0; i < 32; i++)
		a->n_chains += frontend_queue_frame(&a->f, &iov, 1, NULL) == 0;
	frontend_kick(&a->f);
}

/* Before the rings start; with the rings; with the buffers only, in the middle of traffic. */
static void memory_truncated(struct assault *a)
{
	unsigned how = a->round % 4;

	if (how == 0) {
		assault_dial(a);
		if (frontend_negotiate(&a->f) < 0 || frontend_set_mem_table(&a->f) < 0 ||
			ftruncate(a->f.region[0].fd, 0) < 0)
			return;
		/* From here on our own access to the rings would be a SIGBUS. */
		for (unsigned i = 0; i < 2; i++)
			if (frontend_start_queue(&a->f, i, 0) < 0)
				break;
		assault_must_end(a);
		return;
	}
	if (!assault_connect(a, &assault_options))
		return;
	if (how == 3)
		send_some(a);
	if (ftruncate(a->f.region[how == 1 ? 0 : 1].fd, 0) < 0)
		return;
	for (unsigned i = 0; i < 3; i++)
		assault_kick(a, i & 1);
	assault_must_end(a);
}

/* Holes are not the end of a file: their pages come back as zeros. */
static void memory_holes(struct assault *a)
{
	if (!assault_go_on(a))
		return;
	send_some(a);
	for (unsigned i = 0; i < a->f.n_regions; i++)
		if (fallocate(a->f.region[i].fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			    (off_t)a->f.region[i].file_offset, (off_t)a->f.region[i].size) < 0)
			return;
	assault_settle(a, 20);
	assault_close(a);
}

/* ---- memory that is told again and again ---- */

struct sender {
	struct assault *a;
	uint64_t n_chains;
	int stop;
};

/* One descriptor over and over. The rings, not the connection: a thread of its own may. */
static void *keep_sending(void *arg)
{
	struct sender *s = arg;
	struct front_queue *q = &s->a->f.queue[FRONT_TX];

	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED)) {
		uint16_t used = __atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE);
		uint64_t one = 1;

		while ((uint16_t)(q->avail_idx - used) < 4) {
			front_queue_offer(q, 0);
			s->n_chains++;
		}
		(void)!write(q->kick, &one, sizeof(one));
		assault_nap_us(200);
	}
	return NULL;
}

static void under_load(struct assault *a, void (*change)(struct assault *a))
{
	struct sender s = { .a = a };
	pthread_t thread;

	if (!assault_go_on(a))
		return;
	a->f.queue[FRONT_TX].desc[0] =
		(struct vring_desc) { a->f.queue[FRONT_TX].buffers_gpa, 1000, 0, 0 };
	frame_ethernet((uint8_t *)frontend_at(&a->f, a->f.queue[FRONT_TX].buffers_gpa) + 12);
	if (pthread_create(&thread, NULL, keep_sending, &s) != 0)
		return;
	for (unsigned i = 0; i < 50 && !assault_thrown_out(a); i++)
		change(a);
	__atomic_store_n(&s.stop, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	a->n_chains += s.n_chains;
}

static void tell_again(struct assault *a)
{
	frontend_set_mem_table(&a->f);
}

static void mem_table_loop(struct assault *a)
{
	under_load(a, tell_again);
}

/* A region is added, removed, and added again at another place. */
static void add_and_remove(struct assault *a)
{
	const struct front_region *r = &a->f.region[1];
	struct vu_single_region m = { .region = { 0x100000000000ull, r->size, 0x600000000000ull,
					      r->file_offset } };

	m.region.gpa += assault_random(a, 1000) << 30;
	if (frontend_set(&a->f, VU_ADD_MEM_REG, &m, sizeof(m), &r->fd, 1) == 0)
		frontend_set(&a->f, VU_REM_MEM_REG, &m, sizeof(m), NULL, 0);
}

static void mem_slots_churn(struct assault *a)
{
	under_load(a, add_and_remove);
}

/* Slots until there are no more. */
static void mem_slots_exhausted(struct assault *a)
{
	struct vu_single_region m = { .region = { 0, 4096, 0, 0 } };

	if (!assault_connect(a, &assault_options))
		return;
	for (unsigned i = 0; i < 64 && !assault_thrown_out(a); i++) {
		m.region.gpa = 0x100000000000ull + i * 4096ull;
		m.region.user_addr = 0x600000000000ull + i * 4096ull;
		frontend_set(&a->f, VU_ADD_MEM_REG, &m, sizeof(m), &a->f.region[0].fd, 1);
	}
	assault_must_end(a);
}

/* The region with the rings, or with the buffers, is removed under traffic. */
static void mem_slot_pulled(struct assault *a)
{
	const struct front_region *r;
	struct vu_single_region m = { 0 };

	if (!assault_connect(a, &assault_options))
		return;
	r = &a->f.region[a->round & 1];
	m.region = (struct vu_region) { r->gpa, r->size, (uintptr_t)r->at, r->file_offset };
	send_some(a);
	frontend_set(&a->f, VU_REM_MEM_REG, &m, sizeof(m), NULL, 0);
	for (unsigned i = 0; i < 32; i++)
		assault_offer(a, FRONT_TX, (uint16_t)i);
	assault_nap_us(2000);
}

const struct attack memory_attacks[] = {
	{ "regions-too-many", "hangup", regions_too_many, "tables of 9 to 2^32-1 regions" },
	{ "regions-overlapping", "hangup", regions_overlapping, "regions in the same place" },
	{ "region-wraps", "hangup", region_wraps, "regions around the end of everything" },
	{ "memory-wrong-kind", "hangup", memory_wrong_kind,
		"files on disk, pipes, sockets, devices as guest memory" },
	{ "memory-too-small", "hangup", memory_too_small, "files shorter than their region" },
	{ "memory-truncated", "hangup", memory_truncated, "files cut short after mapping" },
	{ "memory-holes", "-", memory_holes, "holes punched into memory under traffic" },
	{ "mem-table-loop", "-", mem_table_loop, "the memory table over and over under load" },
	{ "mem-slots-churn", "-", mem_slots_churn, "regions added and removed under load" },
	{ "mem-slots-exhausted", "hangup", mem_slots_exhausted, "more regions than slots" },
	{ "mem-slot-pulled", "-", mem_slot_pulled, "a region in use is removed" },
	{ 0 },
};
