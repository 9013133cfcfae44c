/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* /etc/resolv.conf for a guest, of what the pod's says. */

#include "launcher/pod/resolv_conf.h"

/*
 * The same nameservers, search list and options. In place of nameservers on the pod's loopback,
 * which no guest can reach, stands `relay`, an address that forwards to them; without a relay
 * (NULL) they are left out, and a comment in the file says so. To be freed; NULL: no memory.
 */
char *resolv_conf_text(const struct resolv_conf *conf, const struct ip_addr *relay);

/* Whether that needs a relay to be of use: a nameserver is on the loopback, or there is none, which
 * means the resolver on the pod's loopback as well. */
bool resolv_conf_needs_relay(const struct resolv_conf *conf);
