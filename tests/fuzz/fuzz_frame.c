/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A peer's frame through everything that judges and cuts it. The input:
 *
 *   10 bytes  virtio-net header
 *    1 byte   how much of the frame is in the head
 *    1 byte   the size of the pieces the rest is in, 0 for one piece
 *    1 byte   how far the frame is extended by payload, in steps of 257 bytes
 *   the rest  the frame
 *
 * Each piece is an allocation of its own, so that the sanitizer sees every step beyond it.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "switch/datapath/offload.h"
#include "switch/datapath/segment.h"

#define LAYOUT_LEN   13
#define SEGMENTS_MAX 1366 /* offload.c: what one frame may become */
#define FEW_SEGMENTS 8    /* for which it is cheap to try all capabilities */

#define must(condition)                                                                            \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	struct vnet_hdr hdr;
	uint8_t bytes[FRAME_LEN_MAX];
	uint32_t len;
	struct iovec pieces[FRAME_SEG_MAX];
	unsigned n_pieces;
};

static void read_bytes(struct input *in, const uint8_t *data, size_t size)
{
	uint32_t len = (uint32_t)(size - LAYOUT_LEN) + data[12] * 257u;

	memcpy(&in->hdr, data, sizeof(in->hdr));
	in->len = len < FRAME_LEN_MAX ? len : FRAME_LEN_MAX;
	size = size - LAYOUT_LEN < in->len ? size - LAYOUT_LEN : in->len;
	memcpy(in->bytes, data + LAYOUT_LEN, size);
	for (uint32_t i = (uint32_t)size; i < in->len; i++)
		in->bytes[i] = (uint8_t)(i * 7 + (i >> 8));
}

static void make_frame(struct input *in, const uint8_t *layout, struct frame *f)
{
	uint32_t head_len = layout[0] + 1u;
	size_t piece = layout[1] ? layout[1] * 16u : in->len;

	memset(f, 0, sizeof(*f));
	f->head = f->head_room + VLAN_TAG_LEN;
	f->len = in->len;
	f->head_len = (uint16_t)(head_len < in->len ? head_len : in->len);
	memcpy(f->head, in->bytes, f->head_len);
	in->n_pieces = 0;
	for (uint32_t at = f->head_len; at < in->len;) {
		size_t part = in->len - at;

		if (part > piece && in->n_pieces < FRAME_SEG_MAX - 1)
			part = piece;
		in->pieces[in->n_pieces] = (struct iovec) { malloc(part), part };
		must(in->pieces[in->n_pieces].iov_base);
		memcpy(in->pieces[in->n_pieces++].iov_base, in->bytes + at, part);
		at += (uint32_t)part;
	}
	memcpy(f->seg, in->pieces, in->n_pieces * sizeof(f->seg[0]));
	f->n_segs = (uint16_t)in->n_pieces;
}

/* The frame's bytes from `offset` on are those of `want`. */
static void must_hold(const struct frame *f, uint32_t offset, const uint8_t *want)
{
	uint32_t at = f->head_len;

	must(f->head == f->head_room || f->head == f->head_room + VLAN_TAG_LEN);
	must(f->head_len <= FRAME_HEAD_MAX && f->n_segs <= FRAME_SEG_MAX);
	if (offset < at)
		must(memcmp(f->head + offset, want, at - offset) == 0);
	for (unsigned i = 0; i < f->n_segs; i++) {
		must(at >= offset);
		must(memcmp(f->seg[i].iov_base, want + at - offset, f->seg[i].iov_len) == 0);
		at += (uint32_t)f->seg[i].iov_len;
	}
	must(at == f->len);
}

static void check_decoded(const struct input *in, const struct frame *f)
{
	const struct offload *o = &f->offload;
	struct vnet_hdr again;

	/* Nothing behind the headers has changed; a checksum field may have been filled in. */
	must(f->len == in->len);
	must_hold(f, f->head_len, in->bytes + f->head_len);
	if (o->needs_csum)
		must(o->csum_start + o->csum_offset + 2u <= f->len && !o->data_valid);
	if (o->gso != GSO_NONE) {
		must(o->needs_csum && o->gso_size && o->hdr_len <= f->head_len);
		must(f->len - o->hdr_len > o->gso_size);
		must(o->csum_start + o->csum_offset + 2u <= o->hdr_len);
	} else {
		must(!o->ecn && !o->hdr_len);
	}
	offload_encode(f, EGRESS_ALL, &again);
	must(!(again.flags & VNET_HDR_F_DATA_VALID) || !(again.flags & VNET_HDR_F_NEEDS_CSUM));
	must(offload_fits_unsliced(f, EGRESS_ALL));
}

/* What was encoded decodes to the same. */
static void check_again(const struct frame *f)
{
	struct frame again = *f;
	struct vnet_hdr hdr;

	again.head = again.head_room + (f->head - f->head_room);
	offload_encode(f, EGRESS_ALL, &hdr);
	must(offload_decode(&hdr, &again) == OFFLOAD_OK);
	must(again.len == f->len && again.head_len == f->head_len);
	must(memcmp(again.head, f->head, f->head_len) == 0);
	must(again.offload.csum_start == f->offload.csum_start);
	must(again.offload.gso == f->offload.gso && again.offload.ecn == f->offload.ecn);
	must(again.offload.hdr_len == f->offload.hdr_len);
	must(offload_needs(&again) == offload_needs(f));
}

static void cut(const struct input *in, const struct frame *f, unsigned caps)
{
	const bool gso = f->offload.gso != GSO_NONE;
	uint32_t at = gso ? f->offload.hdr_len : 0;
	struct segmenter s;
	unsigned n = 0;

	if (segment_begin(&s, f, caps) != OFFLOAD_OK)
		return;
	for (;; n++) {
		struct frame out;
		uint32_t headers_len;

		if (!segment_next(&s, &out))
			break;
		must(offload_fits(&out, caps));
		/* All of the frame but its checksum field, or a slice of it. */
		headers_len = gso ? f->offload.hdr_len : out.head_len;
		must_hold(&out, headers_len, in->bytes + at + (gso ? 0 : headers_len));
		must(out.len > headers_len || !gso);
		at += gso ? out.len - headers_len : out.len;
	}
	must(at == f->len);
	must(n >= 1 && n <= SEGMENTS_MAX);
}

static void judge(const struct input *in, struct frame *f)
{
	uint32_t payload;

	frame_pull(f, f->len < FRAME_PULL ? f->len : FRAME_PULL);
	if (!frame_parse_l2(f))
		return;
	must(f->l3_offset >= ETH_HEADER_LEN && f->l3_offset <= f->head_len);
	if (offload_decode(&in->hdr, f) != OFFLOAD_OK)
		return;
	check_decoded(in, f);
	check_again(f);
	payload = f->len - f->offload.hdr_len;
	for (unsigned caps = 0; caps <= EGRESS_ALL; caps++) {
		if (offload_fits(f, caps))
			continue;
		/* Only EGRESS_CSUM makes a difference to how a frame is cut. */
		if (f->offload.gso && payload / f->offload.gso_size > FEW_SEGMENTS &&
			(caps & ~EGRESS_CSUM))
			continue;
		cut(in, f, caps);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct input in;
	struct frame f;

	if (size < LAYOUT_LEN)
		return 0;
	read_bytes(&in, data, size);
	make_frame(&in, data + 10, &f);
	judge(&in, &f);
	for (unsigned i = 0; i < in.n_pieces; i++)
		free(in.pieces[i].iov_base);
	return 0;
}
