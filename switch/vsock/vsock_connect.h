/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* The line by which a client of the host asks for a port of the guest's: `CONNECT <port>\n`, as
 * Firecracker's vsock and Cloud Hypervisor's take it. */

#include <stdint.h>
#include <sys/types.h>

#define VSOCK_CONNECT_MAX 32 /* bytes, newline included; none is that long */

/*
 * Looks for the line at the front of `len` bytes. Returns its length and stores the port; 0: it has
 * not come to its end; -EPROTO: it is something else.
 */
ssize_t vsock_connect_parse(const char *text, size_t len, uint32_t *port);
