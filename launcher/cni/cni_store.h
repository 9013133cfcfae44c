/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Who has which address of a network: a file for each address that is taken, in a directory for
 * each network, with a line for the container's ID and one for the interface's name. The directory
 * is locked as long as it is open, and never removed.
 *
 * The plugin may be killed at any moment. A file without its last line's end was being written by
 * one that was, for whoever has the lock sees no other: it belongs to nobody, and is removed by the
 * next call that gives or takes back an address. One that is complete belongs to a container, if
 * its runtime has not heard of it: that one's DEL, which is due after an ADD that failed, or a GC
 * takes it back.
 *
 * Beside them is a file "last.SET" for each set of ranges, with the address that was given last.
 */

#include "launcher/cni/cni_addr.h"
#include "launcher/cni/cni_attachment.h"
#include "launcher/cni/cni_config.h"
#include "launcher/cni/cni_name.h"

struct cni_lease {
	struct ip_addr addr;
	char container_id[CNI_NAME_MAX + 1]; /* empty: nobody's */
	char ifname[CNI_IFNAME_MAX + 1];
};

struct cni_store {
	int dir;
	struct cni_lease *leases; /* by address */
	size_t n;
};

#define CNI_STORE_NONE ((struct cni_store) { .dir = -1 })

/* Makes the directory, if it is not there, opens and locks it, and reads what is in it. */
int cni_store_open(const struct cni_config *config, struct cni_store *store, struct err *err);

/* The same, but 1 if it is not there: then nothing is taken. */
int cni_store_open_existing(
	const struct cni_config *config, struct cni_store *store, struct err *err);

/* Of CNI_STORE_NONE too. */
void cni_store_close(struct cni_store *store);

#define cleanup_cni_store __attribute__((cleanup(cni_store_close)))

/* NULL: the address is free. */
const struct cni_lease *cni_store_find(const struct cni_store *store, const struct ip_addr *addr);

bool cni_lease_is_of(const struct cni_lease *lease, const struct cni_attachment *who);

/* Writes down that the attachment has the address, which nobody has. */
int cni_store_take(struct cni_store *store, const struct ip_addr *addr,
	const struct cni_attachment *who, struct err *err);

/* Removes those that are stale, or nobody's, and goes on after a failure: what cannot be removed
 * stays taken. Returns the first failure with one that is somebody's. */
int cni_store_release(struct cni_store *store,
	bool (*is_stale)(const struct cni_lease *lease, const void *context), const void *context,
	struct err *err);

/* The address that was given last of a set; false: none is known. */
bool cni_store_last(const struct cni_store *store, unsigned set, struct ip_addr *addr);

/* Nobody depends on it: that it cannot be written is no failure. */
void cni_store_set_last(const struct cni_store *store, unsigned set, const struct ip_addr *addr);
