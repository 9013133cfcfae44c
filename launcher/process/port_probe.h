/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Whether a server of this machine is there yet, of those that do not say so. */

#include <netinet/in.h>
#include <stdbool.h>

/* Something takes TCP connections at this address, which is one of our own: it answers at once. */
bool port_probe(const struct sockaddr_in *address);
