/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Who a process is to be, by /etc/passwd and /etc/group of the root it runs in. The files are read
 * as they are: no name service, which a static program would not find in somebody else's root.
 */

#include <stddef.h>
#include <sys/types.h>

#include "config/process_spec.h"
#include "lib/err.h"

struct guest_user {
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	size_t n_groups;
	char *home; /* never NULL: "/" of a user that has no entry */
};

/*
 * The spec's user is "1000", "www", "1000:1000", "www:adm", or "" (NULL) for root. A number need
 * not be in a file; one that is gets what its entry says, as a name does: the entry's group, unless
 * one is named, and then also the groups that have it as a member. The spec's other groups are
 * added. The calling process is in the root already. -ENOENT: there is no such user or group; *err
 * names it.
 */
int guest_user_find(const struct process_spec *spec, struct guest_user *user, struct err *err);

void guest_user_free(struct guest_user *user);
