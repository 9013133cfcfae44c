/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/datapath/frame.h"

#define VLAN_TAGS_MAX 2
#define VLAN_ID_MASK  0x0fff

/* Takes the first `taken` segments out of the list. */
static void forget_segments(struct frame *f, unsigned taken)
{
	f->n_segs -= taken;
	memmove(f->seg, f->seg + taken, f->n_segs * sizeof(f->seg[0]));
}

bool frame_pull(struct frame *f, unsigned len)
{
	unsigned taken = 0;

	if (len <= f->head_len)
		return true;
	if (len > f->len || len > FRAME_HEAD_MAX)
		return false;

	while (f->head_len < len) {
		struct iovec *seg = &f->seg[taken];
		size_t part = len - f->head_len;

		if (part > seg->iov_len)
			part = seg->iov_len;
		memcpy(f->head + f->head_len, seg->iov_base, part);
		f->head_len += part;
		seg->iov_base = (char *)seg->iov_base + part;
		seg->iov_len -= part;
		taken += seg->iov_len == 0;
	}
	if (taken)
		forget_segments(f, taken);
	return true;
}

bool frame_read_l2(const struct frame *f, unsigned offset, struct frame_l2 *l2)
{
	unsigned end = offset + ETH_HEADER_LEN;
	uint16_t ethertype;

	if (f->head_len < end)
		return false;
	l2->vlan = 0;
	ethertype = frame_be16(f, end - 2);
	for (unsigned tags = 0; tags < VLAN_TAGS_MAX; tags++) {
		if (ethertype != ETHERTYPE_VLAN && ethertype != ETHERTYPE_QINQ)
			break;
		if (f->head_len < end + VLAN_TAG_LEN)
			return false;
		if (tags == 0)
			l2->vlan = frame_be16(f, end) & VLAN_ID_MASK;
		end += VLAN_TAG_LEN;
		ethertype = frame_be16(f, end - 2);
	}
	l2->l3_offset = (uint16_t)end;
	l2->ethertype = ethertype;
	return true;
}

bool frame_parse_l2(struct frame *f)
{
	struct frame_l2 l2;

	if (!frame_read_l2(f, 0, &l2))
		return false;
	f->l3_offset = l2.l3_offset;
	f->ethertype = l2.ethertype;
	f->vlan = l2.vlan;
	f->popped = false;
	return true;
}

unsigned frame_slice(
	const struct frame *f, uint32_t offset, uint32_t len, struct iovec *out, unsigned n_out)
{
	size_t skip = offset - f->head_len;
	unsigned n = 0;

	for (unsigned i = 0; i < f->n_segs && len; i++) {
		const struct iovec *seg = &f->seg[i];
		size_t part;

		if (skip >= seg->iov_len) {
			skip -= seg->iov_len;
			continue;
		}
		if (n == n_out)
			return 0;
		part = seg->iov_len - skip;
		if (part > len)
			part = len;
		out[n++] = (struct iovec) { (char *)seg->iov_base + skip, part };
		len -= part;
		skip = 0;
	}
	return n;
}
