/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What the switch says on a pod's network in its own name:
 *
 *   - where a guest's address is, when it appears or its MAC address changes: three times, a second
 *     apart (RFC 5227, section 2.3; RFC 4861, section 7.2.6), with the pod's MAC address;
 *   - questions for gateways that are not known, or not confirmed for POD_VOICE_AGAIN_S seconds.
 *     The kernel's own table does not help: it learns nothing from answers to its guest.
 *
 * Not on an uplink without link layer, and not towards a VMM (a vhost-user uplink): signalling it
 * could hold up the control thread.
 *
 * Thread-safety: control thread only.
 */

#include "lib/ip_addr.h"

struct sluice_switch;

#define POD_VOICE_TIMES   3
#define POD_VOICE_AGAIN_S 30
#define POD_VOICE_MAX     256 /* addresses that are being announced at a time */

struct pod_voice {
	unsigned n;
	struct {
		struct ip_addr ip;
		unsigned left; /* announcements */
	} address[POD_VOICE_MAX];
};

/* Says what is due, once a second. */
void pod_voice_tick(struct sluice_switch *sw);
