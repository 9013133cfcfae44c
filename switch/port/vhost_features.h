/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The virtio-net features that a port offers, by its configuration, and what they mean for the
 * frames a guest can be sent (virtio 1.2, 5.1.3).
 *
 * Not offered on purpose: the control queue, which needs an answer to every command (a VMM that
 * knows several queue pairs has one of its own, UML does not: leave it one pair); packed rings
 * (UML names a base with the wrong wrap counter); the link status, which nobody changes.
 */

#include <stdint.h>

#include <jansson.h>

#include "config/sluiced_config.h"
#include "switch/port/vhost_user.h"

struct vhost_offer vhost_features_offer(const struct port_config *config, unsigned n_pairs);

/* EGRESS_ bits: what a guest that acknowledged these features takes as it is. */
unsigned vhost_features_caps(uint64_t acknowledged);

/* The names of those we know, as an array of strings. */
json_t *vhost_features_names(uint64_t acknowledged);
