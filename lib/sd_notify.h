/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The service manager's notification protocol, sd_notify(3): one datagram to $NOTIFY_SOCKET.
 * Nothing happens, and 0 is returned, where that variable is not set.
 */

/* `state` is lines of VARIABLE=value, such as "READY=1\nSTATUS=…". */
int sd_notify_send(const char *state);
