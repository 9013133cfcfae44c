/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Recovers the offload request of a frame whose driver does not hand it over: net_af_packet knows
 * no virtio-net header, so a veth peer's unfinished checksum and 64 KiB super-frame arrive as if
 * they were ordinary, and most drivers do not say whether a checksum was verified.
 *
 *   checksum   A field that holds the pseudo-header's own sum was left to us. Any other is verified
 *              over the whole packet: this reads the payload once. (A complete checksum equals the
 *              pseudo-header's sum by chance once in 65536 frames; completing it gives the same
 *              value again, so nothing is lost.)
 *   length     TCP beyond the MTU is a super-frame. Its segments had some size up to what the MTU
 *              holds; that largest one is assumed. Other IP packets beyond the MTU were put
 *              together by the kernel and are to be cut again (refragment.h). A UDP packet beyond
 *              the MTU whose checksum was left to us is a super-frame of datagrams (UDP_SEGMENT);
 *              where they end is lost.
 *
 * The packet inside a tunnel (tunnel.h, one level) is looked at first: what is left to us inside
 * explains what the outer headers look like.
 */

#include <stdbool.h>
#include <stdint.h>

#include "switch/datapath/frame.h"

enum recover_state {
	RECOVER_UNKNOWN, /* the driver says nothing about the checksum */
	RECOVER_GOOD,    /* it has verified it */
	RECOVER_PARTIAL, /* it says that the checksum is left to us */
};

/* What the driver does say. */
struct recover_hint {
	enum recover_state checksum;
	uint16_t gso_size; /* of a super-frame; 0: not known to be one */
};

enum recovered {
	RECOVER_FRAME,        /* f->offload is filled in */
	RECOVER_BAD_CHECKSUM, /* the same, and empty: the checksum is wrong, which is the receiver's
				 to judge */
	RECOVER_FRAGMENT,     /* to be cut by refragment.h; needs no offload */
	RECOVER_BAD_FRAGMENT, /* both: the checksum is wrong */
	RECOVER_TRUNCATED,    /* shorter than its IP header says; f->offload is empty */
	RECOVER_SIZES_LOST,   /* super-frame that cannot be cut */
};

/*
 * Examines a frame as received: head and segments filled in, L2 parsed. May pull more into the
 * head, and writes the pseudo-header's sum there when it makes a request of a complete checksum.
 * `mtu`: of the network that it came from, IP header included; 0: no limit is known.
 */
enum recovered recover_offload(struct frame *f, const struct recover_hint *hint, unsigned mtu);
