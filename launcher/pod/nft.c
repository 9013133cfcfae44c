/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/pod/nft.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <nftables/libnftables.h>

#include "lib/cleanup.h"

static bool is_netfilter_socket(int fd)
{
	int domain = 0, protocol = 0;
	socklen_t len = sizeof(int);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_NETLINK &&
	       getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == 0 &&
	       protocol == NETLINK_NETFILTER;
}

/* How many there are, or a negative errno. */
static int close_netfilter_sockets_on_exec(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int n = 0;

	if (dir == NULL)
		return -errno;
	while (n >= 0 && (entry = readdir(dir)) != NULL) {
		int fd = atoi(entry->d_name); /* . and .. are 0, at worst looked at in vain */

		if (!is_netfilter_socket(fd))
			continue;
		n = fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 ? n + 1 : -errno;
	}
	closedir(dir);
	return n;
}

/* Where libnftables cannot open its socket it ends the process, so try before. */
static int check_socket(struct err *err)
{
	cleanup_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

	if (fd < 0)
		return err_errno(err, errno, "cannot open a netfilter socket");
	return 0;
}

int nft_open(struct nft_ctx **out, struct err *err)
{
	struct nft_ctx *ctx;
	int ret = check_socket(err);

	if (ret < 0)
		return ret;
	ctx = nft_ctx_new(NFT_CTX_DEFAULT);
	if (ctx == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	ret = close_netfilter_sockets_on_exec();
	if (ret <= 0) {
		nft_ctx_free(ctx);
		return ret < 0 ? err_errno(err, -ret, "cannot read /proc/self/fd")
			       : err_set(err, -EIO, "cannot find the socket of libnftables");
	}
	if (nft_ctx_buffer_output(ctx) != 0 || nft_ctx_buffer_error(ctx) != 0) {
		nft_ctx_free(ctx);
		return err_set(err, -ENOMEM, "out of memory");
	}
	*out = ctx;
	return 0;
}

/* What it says is "internal:0:0-0: Error: Could not process rule: Operation not permitted", the
 * text in question and a line of carets. */
static int report(struct nft_ctx *ctx, struct err *err)
{
	static const char mark[] = "Error: ";
	const char *said = nft_ctx_get_error_buffer(ctx);
	const char *from = said != NULL ? strstr(said, mark) : NULL;

	if (from == NULL)
		return err_set(err, -EIO, "nftables refused, and did not say why");
	from += strlen(mark);
	return err_set(err, -EIO, "nftables: %.*s", (int)strcspn(from, "\n"), from);
}

int nft_run(struct nft_ctx *ctx, const char *text, struct err *err)
{
	return nft_run_cmd_from_buffer(ctx, text) == 0 ? 0 : report(ctx, err);
}
