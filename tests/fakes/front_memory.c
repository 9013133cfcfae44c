/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/fakes/vhost_frontend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * Guest memory: one memfd per region, at guest addresses with holes between them. Guest address,
 * user address and file offset of a byte all differ, so that a backend that mixes two of them up
 * reads something else.
 */

#define REGION_SIZE   (96ull << 20)
#define REGION_GPA    0x40000000ull /* distance between regions */
#define FILE_OFFSET   0x10000ull    /* region n begins at n times this in its file */
#define RESERVED_PAGE 4096

int frontend_add_region(struct frontend *f, uint64_t size)
{
	struct front_region *r = &f->region[f->n_regions];

	if (f->n_regions == FRONT_REGIONS_MAX)
		return frontend_fail(f, -ENOSPC, "no more memory regions");
	*r = (struct front_region) {
		.fd = memfd_create("guest", MFD_CLOEXEC | MFD_ALLOW_SEALING),
		.gpa = f->n_regions * REGION_GPA,
		.size = size,
		.file_offset = f->n_regions * FILE_OFFSET,
		.used = RESERVED_PAGE,
	};
	if (r->fd < 0)
		return frontend_fail(f, -errno, "memfd_create: %s", strerror(errno));
	if (ftruncate(r->fd, (off_t)(r->file_offset + size)) < 0 ||
		(f->options.seal &&
			fcntl(r->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)) {
		close(r->fd);
		return frontend_fail(f, -errno, "cannot size guest memory: %s", strerror(errno));
	}
	r->at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, r->fd,
		(off_t)r->file_offset);
	if (r->at == MAP_FAILED) {
		close(r->fd);
		return frontend_fail(f, -errno, "cannot map guest memory: %s", strerror(errno));
	}
	f->n_regions++;
	return 0;
}

void frontend_drop_region(struct frontend *f)
{
	struct front_region *r = &f->region[--f->n_regions];

	munmap(r->at, r->size);
	close(r->fd);
	*r = (struct front_region) { .fd = -1 };
}

uint64_t frontend_alloc(struct frontend *f, unsigned region, uint64_t len, uint64_t align)
{
	struct front_region *r = &f->region[region % f->n_regions];
	uint64_t at = (r->used + align - 1) / align * align;

	if (at + len > r->size)
		return 0;
	r->used = at + len;
	return r->gpa + at;
}

void *frontend_at(struct frontend *f, uint64_t gpa)
{
	for (unsigned i = 0; i < f->n_regions; i++)
		if (gpa >= f->region[i].gpa && gpa - f->region[i].gpa < f->region[i].size)
			return f->region[i].at + (gpa - f->region[i].gpa);
	return NULL;
}

/* Descriptors one chain may need: a first piece, the rest, and one more for rounding. */
static unsigned layout_descriptors(const struct front_layout *l)
{
	return (l->n_pieces ? l->n_pieces : 1) + (l->first_piece ? 1 : 0);
}

/* Between the pieces of a buffer lie bytes that belong to nobody: see front_net.c. */
#define GUARD 64

static int queue_buffers(struct frontend *f, struct front_queue *q)
{
	unsigned n = layout_descriptors(&q->layout);
	uint32_t size = q->index % 2 == FRONT_RX ? q->layout.buffer_size : FRONT_FRAME_MAX + 12;

	if (n > FRONT_CUTS_MAX || (!q->layout.indirect && n > q->size))
		return frontend_fail(f, -EINVAL, "chains longer than the queue");
	q->n_per_slot = q->layout.indirect ? 1 : n;
	q->n_slots = q->size / q->n_per_slot;
	q->table_len = q->layout.indirect ? n : 0;
	q->stride = (size + (n + 1) * GUARD + 63) / 64 * 64;
	q->free = calloc(q->n_slots, sizeof(*q->free));
	q->buffers_gpa = frontend_alloc(f, 1 + q->index, (uint64_t)q->n_slots * q->stride, 4096);
	q->tables_gpa = frontend_alloc(
		f, 2, (uint64_t)q->n_slots * q->table_len * sizeof(struct vring_desc) + 16, 16);
	if (!q->free || !q->buffers_gpa || !q->tables_gpa)
		return frontend_fail(f, -ENOMEM, "guest memory too small for its queues");
	return 0;
}

static int queue_init(struct frontend *f, unsigned index)
{
	struct front_queue *q = &f->queue[index];
	uint64_t desc, avail, used;

	*q = (struct front_queue) { .index = index, .kick = -1, .call = -1, .err = -1 };
	q->size = f->options.ring_size ? f->options.ring_size : 256;
	q->layout = index % 2 == FRONT_RX ? f->options.rx : f->options.tx;
	if (index % 2 == FRONT_RX && !q->layout.buffer_size)
		q->layout.buffer_size = 4096;
	desc = frontend_alloc(f, 0, 16ull * q->size, 4096);
	avail = frontend_alloc(f, 0, 6ull + 2ull * q->size, 2);
	used = frontend_alloc(f, 0, 6ull + 8ull * q->size, 4096);
	q->desc = frontend_at(f, desc);
	q->avail = frontend_at(f, avail);
	q->used = frontend_at(f, used);
	return queue_buffers(f, q);
}

int frontend_init(struct frontend *f, const struct frontend_options *options)
{
	unsigned n_regions = options->n_regions ? options->n_regions : 1;
	int r = 0;

	memset(f, 0, sizeof(*f));
	f->sock = -1;
	f->listener = -1;
	f->options = *options;
	if (!f->options.timeout_ms)
		f->options.timeout_ms = 30000;
	f->scratch = malloc(FRONT_FRAME_MAX + 4096);
	if (options->n_pairs > FRONT_PAIRS_MAX)
		r = frontend_fail(f, -EINVAL, "more than %d queue pairs", FRONT_PAIRS_MAX);
	for (unsigned i = 0; i < 2 * FRONT_PAIRS_MAX; i++)
		f->queue[i] = (struct front_queue) { .kick = -1, .call = -1, .err = -1 };
	for (unsigned i = 0; i < n_regions && r == 0; i++)
		r = frontend_add_region(f, REGION_SIZE);
	for (unsigned i = 0; i < frontend_n_queues(f) && r == 0; i++)
		r = queue_init(f, i);
	if (r == 0)
		frontend_reset_queues(f);
	else
		frontend_close(f);
	return r;
}

static void queue_reset(struct front_queue *q)
{
	memset(q->desc, 0, sizeof(*q->desc) * q->size);
	memset(q->avail, 0, 6 + 2u * q->size);
	memset(q->used, 0, 6 + 8u * q->size);
	q->avail_idx = 0;
	q->used_idx = 0;
	q->kicked_idx = 0;
	q->n_free = q->n_slots;
	for (unsigned i = 0; i < q->n_slots; i++)
		q->free[i] = (uint16_t)i;
}

void frontend_reset_queues(struct frontend *f)
{
	for (unsigned i = 0; i < frontend_n_queues(f); i++)
		queue_reset(&f->queue[i]);
}
