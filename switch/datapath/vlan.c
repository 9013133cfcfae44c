/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/datapath/vlan.h"

#define TPID_AT (2 * sizeof(struct mac))
#define TCI_AT  (TPID_AT + 2)

static bool has_tag(const struct frame *f)
{
	uint16_t ethertype = frame_be16(f, TPID_AT);

	return ethertype == ETHERTYPE_VLAN || ethertype == ETHERTYPE_QINQ;
}

/* Behind the outermost tag is another one: taken out, the first would leave a frame of its VLAN. */
static bool has_two_tags(const struct frame *f)
{
	return f->l3_offset > ETH_HEADER_LEN + VLAN_TAG_LEN;
}

bool vlan_admit(const struct vlan_policy *policy, struct frame *f)
{
	if (f->vlan == 0) {
		if (has_two_tags(f))
			return false;
		f->vlan = policy->vlan;
		return policy->vlan != 0;
	}
	return policy->has_trunks &&
	       (f->vlan == policy->vlan || vlan_set_has(&policy->trunks, f->vlan));
}

bool vlan_carries(const struct vlan_policy *policy, uint16_t vlan)
{
	if (!policy)
		return true;
	if (vlan == 0)
		return false;
	return vlan == policy->vlan || (policy->has_trunks && vlan_set_has(&policy->trunks, vlan));
}

/* All that counts from the frame's first byte, after `by` bytes came (or went) before it. */
static void shift(struct frame *f, int by)
{
	f->head -= by;
	f->head_len = (uint16_t)(f->head_len + by);
	f->len = (uint32_t)((int)f->len + by);
	f->l3_offset = (uint16_t)(f->l3_offset + by);
	if (f->offload.needs_csum)
		f->offload.csum_start = (uint16_t)(f->offload.csum_start + by);
	if (f->offload.gso != GSO_NONE)
		f->offload.hdr_len = (uint16_t)(f->offload.hdr_len + by);
}

/* A flooded frame may leave with its tag again: its priority and its kind are not lost. */
static void pop(struct frame *f)
{
	memcpy(f->popped_tag, f->head + TPID_AT, VLAN_TAG_LEN);
	f->popped = true;
	memmove(f->head + VLAN_TAG_LEN, f->head, TPID_AT);
	shift(f, -VLAN_TAG_LEN);
}

static void set_vlan(struct frame *f)
{
	f->head[TCI_AT] = (uint8_t)((f->head[TCI_AT] & 0xf0) | f->vlan >> 8);
	f->head[TCI_AT + 1] = (uint8_t)f->vlan;
}

/* An untagged frame always has room for a tag before its head (frame.h). */
static void push(struct frame *f)
{
	static const uint8_t plain[] = { ETHERTYPE_VLAN >> 8, ETHERTYPE_VLAN & 0xff, 0, 0 };

	memmove(f->head - VLAN_TAG_LEN, f->head, TPID_AT);
	shift(f, VLAN_TAG_LEN);
	memcpy(f->head + TPID_AT, f->popped ? f->popped_tag : plain, VLAN_TAG_LEN);
}

void vlan_shape(const struct vlan_policy *policy, struct frame *f)
{
	bool tagged = has_tag(f);

	if (policy && f->vlan == policy->vlan) {
		if (tagged && !(policy->has_trunks && has_two_tags(f)))
			pop(f);
	} else if (f->vlan != 0) {
		if (!tagged)
			push(f);
		set_vlan(f); /* a priority tag becomes one of the VLAN the frame belongs to */
	}
}
