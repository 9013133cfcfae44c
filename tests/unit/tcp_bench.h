/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* TCP sockets on loopback, for tests of what leads to them and from them. */

#include <stdbool.h>
#include <stdint.h>

/* cmocka's set-up of a group: a network of its own, in which nobody else has a port. Needs root. */
int tcp_own_network(void **state);

/* Listens on `address` ("127.0.0.1", "::1", "::"); *port 0: one that is free. Blocking. */
int tcp_listen(const char *address, uint16_t *port);

/* The same of ::, for IPv6 alone. */
int tcp_listen_v6_only(uint16_t *port);

/* A port of 127.0.0.1 that is bound and not listened on: whoever connects is refused. */
int tcp_bind(uint16_t *port);

/* A blocking connection that gives up after some seconds; negative errno. */
int tcp_connect(const char *address, uint16_t port);

/* Whether somebody listens there; nobody is connected to. */
bool tcp_is_taken(const char *address, uint16_t port);

/* How many descriptors this process has. */
unsigned tcp_n_fds(void);
