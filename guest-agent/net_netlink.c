/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest-agent/net_netlink.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netlink/errno.h>
#include <netlink/socket.h>

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

#define REASON_MAX 128

static int refuse(int nl_error, struct err *err)
{
	return err_set(
		err, nl_error == -NLE_NOMEM ? -ENOMEM : -EIO, "netlink: %s", nl_geterror(nl_error));
}

/* Older kernels have neither: then there is no text, and more of the request in the answer. */
static void ask_for_reasons(struct nl_sock *sock)
{
	int on = 1, fd = nl_socket_get_fd(sock);

	(void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
}

static int listen_to(struct nl_sock *sock, int group)
{
	int ret = nl_socket_set_nonblocking(sock);

	nl_socket_disable_seq_check(sock);
	return ret < 0 ? ret : nl_socket_add_membership(sock, group);
}

int net_netlink_open(struct nl_sock **sock, int group, struct err *err)
{
	int ret;

	*sock = nl_socket_alloc();
	if (*sock == NULL)
		return refuse(-NLE_NOMEM, err);
	ret = nl_connect(*sock, NETLINK_ROUTE);
	if (ret == 0 && group != 0)
		ret = listen_to(*sock, group);
	if (ret < 0) {
		nl_socket_free(*sock);
		*sock = NULL;
		return refuse(ret, err);
	}
	ask_for_reasons(*sock);
	nl_socket_enable_msg_peek(*sock);
	return 0;
}

struct answer {
	bool done;
	int error; /* negative errno */
	char reason[REASON_MAX];
};

static int on_ack(struct nl_msg *msg, void *arg)
{
	struct answer *answer = arg;

	answer->done = true;
	return NL_STOP;
}

/* `error` is the payload of a message whose attributes may have the kernel's words. */
static int on_error(struct sockaddr_nl *from, struct nlmsgerr *error, void *arg)
{
	struct nlmsghdr *message = (struct nlmsghdr *)((char *)error - NLMSG_HDRLEN);
	struct answer *answer = arg;
	size_t skip = sizeof(*error);
	struct nlattr *text;

	answer->done = true;
	answer->error = error->error;
	if ((message->nlmsg_flags & NLM_F_CAPPED) == 0)
		skip += error->msg.nlmsg_len - NLMSG_HDRLEN;
	if ((message->nlmsg_flags & NLM_F_ACK_TLVS) == 0 || !nlmsg_valid_hdr(message, (int)skip))
		return NL_STOP;
	text = nlmsg_find_attr(message, (int)skip, NLMSGERR_ATTR_MSG);
	if (text != NULL)
		(void)nla_strlcpy(answer->reason, text, sizeof(answer->reason));
	return NL_STOP;
}

static int receive_answer(struct nl_sock *sock, struct answer *answer)
{
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
	int ret = 0;

	if (cb == NULL)
		return -NLE_NOMEM;
	nl_cb_set(cb, NL_CB_ACK, NL_CB_CUSTOM, on_ack, answer);
	nl_cb_err(cb, NL_CB_CUSTOM, on_error, answer);
	while (!answer->done && ret >= 0)
		ret = nl_recvmsgs(sock, cb);
	nl_cb_put(cb);
	return answer->done ? 0 : ret;
}

int net_netlink_request(struct nl_sock *sock, struct nl_msg *msg, struct err *err)
{
	struct answer answer = { .done = false };
	int ret;

	if (msg == NULL)
		return refuse(-NLE_NOMEM, err);
	ret = nl_send_auto(sock, msg);
	nlmsg_free(msg);
	if (ret >= 0)
		ret = receive_answer(sock, &answer);
	if (ret < 0)
		return refuse(ret, err);
	if (answer.error == 0)
		return 0;
	if (answer.reason[0] == '\0')
		return err_set(err, answer.error, "%s", strerrordesc_np(-answer.error));
	return err_set(err, answer.error, "%s (%s)", strerrordesc_np(-answer.error), answer.reason);
}

struct list {
	int family;
	net_netlink_fn fn;
	void *arg;
	int error; /* of fn */
};

/* A kernel that lacks the family asked for may send the lists of all others instead; every header
 * begins with it. */
static int on_entry(struct nl_msg *msg, void *arg)
{
	struct nlmsghdr *message = nlmsg_hdr(msg);
	struct list *list = arg;

	if (!nlmsg_valid_hdr(message, sizeof(struct rtgenmsg)) || list->error < 0)
		return NL_SKIP;
	if (list->family != AF_UNSPEC &&
		((struct rtgenmsg *)nlmsg_data(message))->rtgen_family != list->family)
		return NL_SKIP;
	list->error = list->fn(list->arg, message);
	return NL_OK;
}

static int receive_list(struct nl_sock *sock, struct list *list)
{
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
	int ret;

	if (cb == NULL)
		return -NLE_NOMEM;
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_entry, list);
	ret = nl_recvmsgs(sock, cb);
	nl_cb_put(cb);
	return ret;
}

int net_netlink_dump(
	struct nl_sock *sock, int type, int family, net_netlink_fn fn, void *arg, struct err *err)
{
	struct list list = { .family = family, .fn = fn, .arg = arg };
	struct rtgenmsg header = { .rtgen_family = (unsigned char)family };
	int ret = nl_send_simple(sock, type, NLM_F_DUMP, &header, sizeof(header));

	if (ret >= 0)
		ret = receive_list(sock, &list);
	if (ret == -NLE_AF_NOSUPPORT || ret == -NLE_OPNOTSUPP)
		return 0;
	if (ret == -NLE_DUMP_INTR)
		return -EAGAIN;
	if (ret < 0)
		return refuse(ret, err);
	return list.error < 0 ? err_set(err, list.error, "%s", strerrordesc_np(-list.error)) : 0;
}

struct nl_msg *net_netlink_filled(struct nl_msg *msg, int ret)
{
	if (ret >= 0)
		return msg;
	nlmsg_free(msg);
	return NULL;
}

int net_netlink_put_ip(struct nl_msg *msg, int attr, const struct ip_addr *addr)
{
	if (ip_addr_is_v4(addr))
		return nla_put(msg, attr, 4, addr->byte + 12);
	return nla_put(msg, attr, 16, addr->byte);
}
