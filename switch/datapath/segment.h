/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Software fallback for an egress that did not negotiate an offload: cuts a super-frame into
 * segments and computes checksums, by slicing the view. Payload is never copied here.
 */

#include <stdbool.h>
#include <stdint.h>

#include "switch/datapath/drop.h"
#include "switch/datapath/frame.h"
#include "switch/datapath/ip.h"
#include "switch/datapath/offload.h"

/*
 * Most segments that one transmit() makes: what stands behind the same egress, and the worker's
 * other ports, wait for them. A burst of what Linux sends fits: 46 segments of a 64 KiB TCP
 * super-frame at an MSS of 1448, or 128 datagrams of UDP.
 */
#define SEGMENTS_PER_BURST 4096

/* Walks one frame; the fields are segment.c's own. */
struct segmenter {
	const struct frame *frame;
	unsigned caps;           /* of the egress: with EGRESS_CSUM checksums stay partial */
	uint32_t offset;         /* in the frame, of the next payload byte */
	uint32_t index;          /* of the next segment */
	bool tunnelled;          /* `outer` is valid */
	struct ip_packet packet; /* that is cut: the inner one of a tunnel */
	struct ip_packet outer;
};

/*
 * Prepares to emit `f` for an egress with capabilities `caps` that does not take it as it is
 * (offload_fits() is false). `f` must stay valid until the last segment_next(). Returns OFFLOAD_OK
 * or the reason why it cannot be done: DROP_HEADERS_LONG, DROP_TUNNEL_GSO, DROP_GSO_MISMATCH.
 */
enum drop_reason segment_begin(struct segmenter *s, const struct frame *f, unsigned caps);

/*
 * Builds the next frame in *out: its headers are in out's head, its payload is slices of the
 * original's segments. False when there are no more. *out need not be initialised. A frame that
 * landed stays landed if only its checksum is missing; segments never are, they have moved.
 */
bool segment_next(struct segmenter *s, struct frame *out);

/* How many there are still to come. */
unsigned segment_left(const struct segmenter *s);

/* Takes them from what is left of SEGMENTS_PER_BURST. DROP_SEGMENTS_MANY: they are more than that.
 */
static inline enum drop_reason segment_charge(const struct segmenter *s, unsigned *budget)
{
	unsigned n = segment_left(s);

	if (n > *budget)
		return DROP_SEGMENTS_MANY;
	*budget -= n;
	return OFFLOAD_OK;
}
