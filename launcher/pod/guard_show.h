/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* The guard that is in force in this network namespace, for people and for programs. */

#include <jansson.h>

#include "lib/err.h"

/* What nft(8) prints for the table, behind a line that names the holder; "no guard\n" if there is
 * none. To be freed. -EPERM: needs CAP_NET_ADMIN. */
int guard_show_text(char **text, struct err *err);

/*
 * {"holder": null or {"netlink-port", "pid" and "program" if they can be seen}, "counters": {NAME:
 * {"packets", "bytes"}}, "nftables": [chains and their rules, as in libnftables-json(5)]}; null if
 * there is none.
 */
int guard_show_json(json_t **shown, struct err *err);
