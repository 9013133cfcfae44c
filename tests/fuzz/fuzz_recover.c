/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A frame from a driver that hides what it needs, through what finds that out, and through what is
 * then done to it: requests are cut in software, datagrams are fragmented. The input:
 *
 *    1 byte   bits 0-1 what the driver says about the checksum, bit 2 it says a segment size
 *    1 byte   that size, in steps of 8
 *    1 byte   the MTU, in steps of 16
 *    1 byte   the size of the pieces behind the head: 256 and steps of 16
 *    1 byte   how far the frame is extended by payload, in steps of 257 bytes
 *    the rest the frame
 *
 * Each piece is an allocation of its own, so that the sanitizer sees every step beyond it.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "switch/datapath/ip.h"
#include "switch/datapath/recover.h"
#include "switch/datapath/refragment.h"
#include "switch/datapath/segment.h"

#define LAYOUT_LEN 5

#define must(condition)                                                                            \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t bytes[FRAME_LEN_MAX];
static struct iovec pieces[FRAME_SEG_MAX];
static unsigned n_pieces;

static uint32_t read_bytes(const uint8_t *data, size_t size)
{
	uint32_t len = (uint32_t)(size - LAYOUT_LEN) + data[4] * 257u;

	len = len < FRAME_LEN_MAX ? len : FRAME_LEN_MAX;
	size = size - LAYOUT_LEN < len ? size - LAYOUT_LEN : len;
	memcpy(bytes, data + LAYOUT_LEN, size);
	for (uint32_t i = (uint32_t)size; i < len; i++)
		bytes[i] = (uint8_t)(i * 7 + (i >> 8));
	return len;
}

static void make_frame(struct frame *f, uint32_t len, size_t piece)
{
	memset(f, 0, sizeof(*f));
	f->head = f->head_room + VLAN_TAG_LEN;
	f->len = len;
	f->head_len = (uint16_t)(len < FRAME_PULL ? len : FRAME_PULL);
	memcpy(f->head, bytes, f->head_len);
	n_pieces = 0;
	for (uint32_t at = f->head_len; at < len;) {
		size_t part = len - at;

		if (part > piece && n_pieces < FRAME_SEG_MAX - 1)
			part = piece;
		pieces[n_pieces] = (struct iovec) { malloc(part), part };
		must(pieces[n_pieces].iov_base);
		memcpy(pieces[n_pieces++].iov_base, bytes + at, part);
		at += (uint32_t)part;
	}
	memcpy(f->seg, pieces, n_pieces * sizeof(f->seg[0]));
	f->n_segs = (uint16_t)n_pieces;
}

/* Adds up the payload of *out behind `headers` bytes, which must continue the frame at `at`. */
static uint32_t must_continue(const struct frame *out, uint32_t headers, uint32_t at)
{
	uint32_t done = out->head_len - headers;

	must(out->head_len >= headers && out->head_len <= FRAME_HEAD_MAX);
	must(memcmp(out->head + headers, bytes + at, done) == 0);
	for (unsigned i = 0; i < out->n_segs; i++) {
		must(memcmp(out->seg[i].iov_base, bytes + at + done, out->seg[i].iov_len) == 0);
		done += (uint32_t)out->seg[i].iov_len;
	}
	must(headers + done == out->len && done > 0);
	return done;
}

static void fragment(const struct frame *f, unsigned mtu)
{
	struct refragmenter r;
	struct frame out;
	uint32_t at;

	if (!refragment_begin(&r, f, mtu, 1))
		return;
	at = r.start;
	while (refragment_next(&r, &out)) {
		must(out.len - out.l3_offset <= mtu && !out.offload.needs_csum);
		at += must_continue(&out, r.start + (r.v6 ? 8 : 0), at);
	}
	must(at == ip_end(f));
}

static void cut(const struct frame *f)
{
	struct segmenter s;
	struct frame out;
	uint32_t at = f->offload.hdr_len;

	if (segment_begin(&s, f, 0) != OFFLOAD_OK)
		return;
	while (segment_next(&s, &out)) {
		must(!out.offload.needs_csum);
		if (f->offload.gso != GSO_NONE)
			at += must_continue(&out, f->offload.hdr_len, at);
	}
	must(f->offload.gso == GSO_NONE || at == f->len);
}

static void judge(struct frame *f, const struct recover_hint *hint, unsigned mtu)
{
	const struct offload *o = &f->offload;
	const uint32_t len = f->len;

	if (!frame_parse_l2(f))
		return;
	switch (recover_offload(f, hint, mtu)) {
	case RECOVER_FRAGMENT:
	case RECOVER_BAD_FRAGMENT:
		must(!o->needs_csum && mtu);
		fragment(f, mtu);
		break;
	case RECOVER_FRAME:
		break;
	default:
		must(!o->needs_csum && !o->data_valid && o->gso == GSO_NONE);
	}
	must(f->len == len);
	if (!o->needs_csum)
		return;
	must(!o->data_valid && o->csum_start + o->csum_offset + 2u <= f->head_len);
	must(offload_fits_unsliced(f, EGRESS_ALL));
	cut(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct recover_hint hint = { 0 };
	struct frame f;

	if (size < LAYOUT_LEN)
		return 0;
	hint.checksum = (enum recover_state)((data[0] & 3) % 3);
	if (data[0] & 4)
		hint.gso_size = (uint16_t)(data[1] * 8);
	make_frame(&f, read_bytes(data, size), data[3] * 16u + 256u);
	judge(&f, &hint, data[2] * 16u);
	for (unsigned i = 0; i < n_pieces; i++)
		free(pieces[i].iov_base);
	return 0;
}
