/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * libnftables with errors of one line, and with a socket that no program we start inherits.
 *
 * A table with flags owner lives as long as the netlink socket that made it, which is one that
 * libnftables opens: once for each context, without SOCK_CLOEXEC, and with no way to ask for its
 * descriptor. So nft_open() marks every NETLINK_NETFILTER socket of this process, of which none is
 * meant for a child. A child that never calls execve(2) keeps the socket all the same: the
 * launcher has none.
 *
 * Thread-safety: of the process. Nobody may fork and exec while nft_open() runs.
 */

#include "lib/err.h"

struct nft_ctx;

/* To be closed with nft_ctx_free() of libnftables. -EPROTONOSUPPORT: the kernel has no nftables. */
int nft_open(struct nft_ctx **ctx, struct err *err);

/* Carries out `text` as one transaction: all of it, or nothing and -EIO. */
int nft_run(struct nft_ctx *ctx, const char *text, struct err *err);
