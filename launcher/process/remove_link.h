/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Removes a network interface of this network namespace, whoever still holds it (rtnetlink(7),
 * RTM_DELLINK). Needs CAP_NET_ADMIN.
 *
 * Async-signal-safe: no allocation, little stack.
 *
 * Returns 0, also if there is none of that name, or negative errno.
 */
int remove_link(const char *name);
