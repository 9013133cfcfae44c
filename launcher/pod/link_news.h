/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Word from the kernel that some interface of this network namespace has come, gone or changed. It
 * says no more than that: whoever cares looks.
 */

#include "lib/err.h"

struct nl_sock;

/* A socket that becomes readable, for nl_socket_get_fd(); to be closed with nl_socket_free(). */
int link_news_open(struct nl_sock **sock, struct err *err);

/* Takes in all there is, so that the socket is readable once there is more. Loses nothing: where
 * the kernel had no room for its messages, that is news too. */
void link_news_drain(struct nl_sock *sock);
