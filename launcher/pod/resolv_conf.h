/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What /etc/resolv.conf says, read as resolv.conf(5) and glibc's resolver do, so that a guest's
 * resolver can be told the same:
 *
 *  - a keyword starts its line and white space follows it; `;` and `#` in the first column begin a
 *    comment; other keywords (sortlist, those of other systems) are none of ours and passed over;
 *  - the first three nameserver lines count. An IPv6 one may carry a scope (fe80::1%eth0);
 *  - `search` has all its names, `domain` is a search list of one, the last of either wins;
 *  - options add up over lines; of one said twice, the last counts.
 *
 * A container cannot be trusted with its file, and the names in it end up in another one: what is
 * not printable ASCII is refused line by line.
 */

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"
#include "lib/ip_addr.h"

#define RESOLV_CONF_PATH "/etc/resolv.conf"

#define RESOLV_CONF_NAMESERVERS 3           /* MAXNS of <resolv.h> */
#define RESOLV_CONF_OPTIONS_MAX 64          /* glibc knows fifteen */
#define RESOLV_CONF_SIZE_MAX    (64 * 1024) /* of a file; Kubernetes allows 2048 bytes of search */

struct resolv_nameserver {
	struct ip_addr addr;
	char scope[IFNAMSIZ]; /* an interface's name or number; empty if none was given */
};

struct resolv_conf {
	struct resolv_nameserver nameservers[RESOLV_CONF_NAMESERVERS];
	size_t n_nameservers;
	char **search;
	size_t n_search;
	char **options; /* as written ("ndots:5", "edns0"), known to us or not */
	size_t n_options;
	unsigned ndots;     /* 1 unless said otherwise, at most 15 */
	unsigned timeout_s; /* 5, at most 30 */
	unsigned attempts;  /* 2, at most 5 */
	unsigned bad_line;  /* the first that was passed over because it is malformed; 0: none */
};

/* Of `size` bytes. Owned by the caller until resolv_conf_free(). -ENOMEM is the only error, and
 * leaves nothing to free. */
int resolv_conf_decode(struct resolv_conf *conf, const char *text, size_t size);

/*
 * Of a file. One that does not exist is an empty one, which stands for the resolver on this very
 * machine. -EFBIG past RESOLV_CONF_SIZE_MAX, or the error of reading it.
 */
int resolv_conf_read(struct resolv_conf *conf, const char *path, struct err *err);

/* Leaves an empty one. */
void resolv_conf_free(struct resolv_conf *conf);

/* Lives in the pod, where no guest can reach it: Docker's 127.0.0.11. */
bool resolv_nameserver_is_loopback(const struct resolv_nameserver *ns);

/*
 * 169.254.0.0/16 or fe80::/10. Of the former a pod reaches what it has a route to (NodeLocal
 * DNSCache is 169.254.20.10, behind the default gateway); the latter are neighbours on the link.
 */
bool resolv_nameserver_is_link_local(const struct resolv_nameserver *ns);
