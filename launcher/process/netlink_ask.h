/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stddef.h>

/*
 * Sends one request of rtnetlink(7), complete and with NLM_F_ACK, and returns what the kernel says
 * to it: 0 or negative errno.
 *
 * Async-signal-safe: no allocation, little stack.
 */
int netlink_ask(const void *request, size_t len);
