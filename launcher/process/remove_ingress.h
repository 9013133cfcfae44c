/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Removes what tc(8) calls the ingress of an interface of this network namespace, with all its
 * filters (rtnetlink(7), RTM_DELQDISC): what comes in goes to the kernel's protocols again. Needs
 * CAP_NET_ADMIN.
 *
 * Async-signal-safe: no allocation, little stack.
 *
 * Returns 0, also if it has none or there is no such interface, or negative errno.
 */
int remove_ingress(const char *name);
