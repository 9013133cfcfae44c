/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Which VLANs cross a port, and in which form (IEEE 802.1Q; the words are Open vSwitch's).
 *
 *   no policy    every frame crosses as it is: untagged frames are VLAN 0, a network of its own
 *   access       `vlan` alone: untagged frames belong to it, tagged ones do not cross
 *   trunk        `trunks` alone: tagged frames of those VLANs cross, untagged ones do not
 *   native       both: a trunk whose untagged frames belong to `vlan`
 *
 * On ingress a frame is given the VLAN it belongs to (frame.vlan); the table learns and looks up in
 * that VLAN. The tag itself stays where it was until an egress wants it otherwise: it is put in or
 * taken out of the private head just before transmit(), once for each egress of a flooded frame.
 *
 * A frame tagged with VLAN 0 carries a priority only: it counts as untagged. Nobody gets into
 * another VLAN by a second tag behind the first: behind a priority tag there must be none, and a
 * frame that has two keeps both where another tagged one could be mistaken for it.
 */

#include <stdbool.h>

#include "config/sluiced_config.h"
#include "switch/datapath/frame.h"

struct vlan_policy {
	uint16_t vlan; /* of untagged frames; 0: they do not cross */
	bool has_trunks;
	struct vlan_set trunks;
};

/* Gives a frame that came in by a port of this policy its VLAN; false: it must not come in. */
bool vlan_admit(const struct vlan_policy *policy, struct frame *f);

/* Whether frames of a VLAN leave by a port of this policy; NULL: it has none. */
bool vlan_carries(const struct vlan_policy *policy, uint16_t vlan);

/* Puts the frame in the form in which it leaves by a port of this policy, which carries it. */
void vlan_shape(const struct vlan_policy *policy, struct frame *f);
