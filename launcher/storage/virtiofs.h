/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A virtio-fs device with all that it takes: a socket for the VMM to connect to, virtiofsd behind
 * it, and for a VMM that asks the device for its configuration (UML) the relay between them.
 *
 * Both serve one connection; the device lives as long as the VM. If one of them ends, so does the
 * other, and the owner is told once.
 *
 * Thread-safety: main thread.
 */

#include "launcher/storage/virtiofsd.h"

struct virtiofs_plan {
	const char *socket; /* mode 0600; removed again by virtiofs_stop() */
	const char *tag;    /* the relay's: what the guest mounts */
	bool relay;
	const char *relay_program; /* absolute, or looked up in PATH */
	const char *virtiofsd;     /* NULL: the usual */
	const struct share *share;
	enum virtiofsd_cache cache;
	int log; /* gets their stderr; -1: none */
	struct keeper *keeper;
	/* Called by the event loop, not after virtiofs_stop(): `what` says who ended and how,
	 * "virtiofsd: exit status 1". */
	void (*ended)(void *owner, const char *what);
	void *owner;
};

struct virtiofs;

/* *plan is borrowed for the call; the VMM can connect when it returns 0. */
int virtiofs_start(struct event_base *loop, const struct virtiofs_plan *plan, struct virtiofs **out,
	struct err *err);

/* Kills what runs of it. May be NULL. */
void virtiofs_stop(struct virtiofs *fs);
