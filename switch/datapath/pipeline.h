/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What happens to a burst of frames between its ingress and its egress ports: learn the source,
 * find the destination, hand each egress the frames meant for it in the order they came. In a pod
 * (pod.h) other rules say what comes in and where it goes.
 */

#include "switch/datapath/fdb.h"
#include "switch/datapath/pod.h"
#include "switch/datapath/topology.h"

/* A worker's scratch space; zero-initialised. */
struct pipeline {
	struct fdb_cache cache;
	unsigned n_active;
	uint16_t active[PORT_MAX]; /* ids of ports with something in their list */
	uint8_t n_list[PORT_MAX];
	struct frame *list[PORT_MAX][BURST_MAX];
	struct pod_worker pod;
	unsigned n_answers;
	struct frame answer[BURST_MAX]; /* the switch's own: to questions of this burst */
};

/* Decides for n (<= BURST_MAX) frames that came from `ingress`, and transmits them. */
void pipeline_run(struct pipeline *pl, struct fdb *fdb, const struct topology *t,
	const struct rx_queue *ingress, struct frame *burst, unsigned n, unsigned worker,
	uint32_t now_s);
