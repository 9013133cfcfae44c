/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The kernel says which netlink port owns a table; /proc/net/netlink says which socket (inode) has
 * that port, and /proc/PID/fd whose it is. A port is often the process's id, but in its own pid
 * namespace, and not always.
 */

#include "launcher/pod/guard_holder.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h> /* before the kernel's, which then leaves out what it has too */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

#include "launcher/pod/guard_rules.h"

/* --- the table ------------------------------------------------------------------------------- */

static int on_table(struct nl_msg *msg, void *arg)
{
	struct guard_holder *holder = arg;
	struct nlattr *attr =
		nlmsg_find_attr(nlmsg_hdr(msg), sizeof(struct nfgenmsg), NFTA_TABLE_OWNER);

	holder->exists = true;
	if (attr != NULL && nla_len(attr) >= (int)sizeof(uint32_t)) {
		holder->owned = true;
		holder->port = ntohl(nla_get_u32(attr));
	}
	return NL_OK;
}

static int ask(struct nl_sock *sock)
{
	const struct nfgenmsg family = { .nfgen_family = NFPROTO_NETDEV, .version = NFNETLINK_V0 };
	struct nl_msg *msg =
		nlmsg_alloc_simple(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE, NLM_F_REQUEST);
	int ret = -NLE_NOMEM;

	if (msg != NULL && nlmsg_append(msg, (void *)&family, sizeof(family), NLMSG_ALIGNTO) == 0 &&
		nla_put_string(msg, NFTA_TABLE_NAME, GUARD_TABLE) == 0)
		ret = nl_send_auto(sock, msg);
	nlmsg_free(msg);
	/* One answer: the table or an error. */
	return ret < 0 ? ret : nl_recvmsgs_default(sock);
}

static int find_table(struct guard_holder *holder, struct err *err)
{
	struct nl_sock *sock = nl_socket_alloc();
	int ret = -NLE_NOMEM;

	if (sock != NULL) {
		nl_socket_disable_auto_ack(sock);
		nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, on_table, holder);
		ret = nl_connect(sock, NETLINK_NETFILTER);
	}
	if (ret == 0)
		ret = ask(sock);
	nl_socket_free(sock);
	if (ret == -NLE_PERM)
		return err_set(err, -EPERM, "looking at the guard needs CAP_NET_ADMIN");
	if (ret < 0 && ret != -NLE_OBJ_NOTFOUND)
		return err_set(err, -EIO, "cannot look for the guard: %s", nl_geterror(ret));
	return 0;
}

/* --- the process ----------------------------------------------------------------------------- */

/* 0: none. */
static unsigned long find_inode(uint32_t port)
{
	FILE *file = fopen("/proc/net/netlink", "re");
	unsigned long found = 0;
	char line[256];

	while (file != NULL && found == 0 && fgets(line, sizeof(line), file) != NULL) {
		unsigned long inode;
		uint32_t line_port;
		int protocol;

		/* sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode */
		if (sscanf(line, "%*s %d %" SCNu32 " %*x %*d %*d %*d %*d %*u %lu", &protocol,
			    &line_port, &inode) == 3 &&
			protocol == NETLINK_NETFILTER && line_port == port)
			found = inode;
	}
	if (file != NULL)
		fclose(file);
	return found;
}

static bool has_socket(const char *pid, const char *socket)
{
	char path[300], target[64];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	dir = opendir(path);
	while (dir != NULL && !found && (entry = readdir(dir)) != NULL) {
		ssize_t len = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);

		target[len > 0 ? len : 0] = '\0';
		found = strcmp(target, socket) == 0;
	}
	if (dir != NULL)
		closedir(dir);
	return found;
}

static void note_process(struct guard_holder *holder, const char *pid)
{
	char path[300];
	FILE *file;

	holder->pid = atoi(pid);
	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	file = fopen(path, "re");
	if (file == NULL)
		return;
	if (fgets(holder->program, sizeof(holder->program), file) != NULL)
		holder->program[strcspn(holder->program, "\n")] = '\0';
	fclose(file);
}

static void find_process(struct guard_holder *holder)
{
	unsigned long inode = find_inode(holder->port);
	char socket[64];
	struct dirent *entry;
	DIR *dir = inode != 0 ? opendir("/proc") : NULL;

	snprintf(socket, sizeof(socket), "socket:[%lu]", inode);
	while (dir != NULL && holder->pid == 0 && (entry = readdir(dir)) != NULL)
		if (isdigit((unsigned char)entry->d_name[0]) && has_socket(entry->d_name, socket))
			note_process(holder, entry->d_name);
	if (dir != NULL)
		closedir(dir);
}

int guard_find_holder(struct guard_holder *holder, struct err *err)
{
	int ret;

	*holder = (struct guard_holder) { 0 };
	ret = find_table(holder, err);
	if (ret == 0 && holder->owned)
		find_process(holder);
	return ret;
}

char *guard_holder_format(const struct guard_holder *holder, char *text)
{
	if (!holder->owned)
		snprintf(text, GUARD_HOLDER_TEXT_MAX, "nobody (a table without owner)");
	else if (holder->pid == 0)
		snprintf(text, GUARD_HOLDER_TEXT_MAX,
			"a process that cannot be seen from here (netlink port %" PRIu32 ")",
			holder->port);
	else
		snprintf(text, GUARD_HOLDER_TEXT_MAX, "%s (pid %d)", holder->program,
			(int)holder->pid);
	return text;
}
