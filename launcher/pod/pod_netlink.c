/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/pod/pod_read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/netlink.h>
#include <netlink/errno.h>
#include <netlink/socket.h>

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

/*
 * As much as the kernel writes at a time: fewer pieces, fewer changes in between. A single message
 * may still be larger (an interface with many virtual functions), so each is looked at first.
 */
#define PIECE_SIZE (32 * 1024)

/* Room for the header of any request: struct ifinfomsg, of 16 bytes, is the largest. */
#define HEADER_MAX 32

int pod_errno_of(int nl_error)
{
	switch (abs(nl_error)) {
	case NLE_SUCCESS:
		return 0;
	case NLE_NOMEM:
		return -ENOMEM;
	case NLE_PERM:
	case NLE_NOACCESS:
		return -EPERM;
	case NLE_AF_NOSUPPORT:
		return -EAFNOSUPPORT;
	case NLE_OPNOTSUPP:
		return -EOPNOTSUPP;
	case NLE_DUMP_INTR:
		return -EAGAIN;
	default:
		return -EIO;
	}
}

/*
 * The kernel then checks requests to the letter (4.20) instead of guessing what an old program may
 * have meant. An older one says ENOPROTOOPT, and its guesses are right for what we ask.
 */
static void ask_strictly(struct nl_sock *sock)
{
	int on = 1;

	(void)setsockopt(
		nl_socket_get_fd(sock), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
}

static int join(struct nl_sock *sock, const int *groups)
{
	int ret = nl_socket_set_nonblocking(sock);

	nl_socket_disable_seq_check(sock);
	for (; ret == 0 && *groups != 0; groups++)
		ret = nl_socket_add_membership(sock, *groups);
	return ret;
}

int pod_netlink_open(struct nl_sock **sock, const int *groups, struct err *err)
{
	int ret;

	*sock = nl_socket_alloc();
	if (*sock == NULL)
		return err_errno(err, ENOMEM, "cannot ask the kernel by netlink");
	ret = nl_connect(*sock, NETLINK_ROUTE);
	if (ret == 0 && groups != NULL)
		ret = join(*sock, groups);
	if (ret < 0) {
		nl_socket_free(*sock);
		*sock = NULL;
		return err_set(err, pod_errno_of(ret), "cannot ask the kernel by netlink: %s",
			nl_geterror(ret));
	}
	if (groups == NULL) {
		ask_strictly(*sock);
		(void)nl_socket_set_msg_buf_size(*sock, PIECE_SIZE);
		nl_socket_enable_msg_peek(*sock);
	}
	return 0;
}

struct reader {
	const struct pod_dump *dump;
	struct pod_network *net;
	int error; /* of dump->add */
};

/* A kernel that lacks the family asked for may send the lists of all others instead. */
static int on_message(struct nl_msg *msg, void *arg)
{
	struct reader *r = arg;
	struct nlmsghdr *message = nlmsg_hdr(msg);
	const uint8_t *family = nlmsg_data(message);

	if (!nlmsg_valid_hdr(message, (int)r->dump->header_size) || r->error < 0)
		return NL_SKIP;
	if (r->dump->family != AF_UNSPEC && *family != r->dump->family)
		return NL_SKIP;
	r->error = r->dump->add(r->net, message);
	return NL_OK;
}

static int receive(struct nl_sock *sock, struct reader *r)
{
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
	int ret;

	if (cb == NULL)
		return -NLE_NOMEM;
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_message, r);
	ret = nl_recvmsgs(sock, cb);
	nl_cb_put(cb);
	return ret;
}

int pod_netlink_dump(
	struct nl_sock *sock, const struct pod_dump *dump, struct pod_network *net, struct err *err)
{
	struct reader r = { .dump = dump, .net = net };
	uint8_t header[HEADER_MAX] = { (uint8_t)dump->family };
	int ret;

	ret = nl_send_simple(sock, dump->type, NLM_F_DUMP, header, dump->header_size);
	if (ret >= 0)
		ret = receive(sock, &r);
	if (ret == -NLE_AF_NOSUPPORT || ret == -NLE_OPNOTSUPP)
		return 0;
	if (ret < 0)
		return err_set(err, pod_errno_of(ret), "cannot list the pod's %s: %s", dump->what,
			nl_geterror(ret));
	return r.error < 0 ? err_errno(err, -r.error, "cannot list the pod's %s", dump->what) : 0;
}

struct ip_addr pod_ip_of(const void *bytes, size_t len)
{
	static const struct ip_addr none;

	return len == 4 ? ip_addr_v4(bytes) : len == 16 ? ip_addr_v6(bytes) : none;
}

struct ip_addr pod_ip_of_attr(const struct nlattr *attr)
{
	return attr != NULL ? pod_ip_of(nla_data(attr), (size_t)nla_len(attr)) : pod_ip_of(NULL, 0);
}

bool pod_mac_of_attr(const struct nlattr *attr, struct mac *mac)
{
	if (attr == NULL || nla_len(attr) != sizeof(*mac))
		return false;
	memcpy(mac, nla_data(attr), sizeof(*mac));
	return true;
}

uint32_t pod_u32_of_attr(const struct nlattr *attr)
{
	return attr != NULL ? nla_get_u32(attr) : 0;
}

/* Sizes are powers of two. */
void *pod_append_(void **items, size_t *n, size_t size)
{
	void *grown = *items;

	if ((*n & (*n - 1)) == 0)
		grown = reallocarray(*items, *n == 0 ? 1 : *n * 2, size);
	if (grown == NULL)
		return NULL;
	*items = grown;
	return memset((char *)grown + (*n)++ * size, 0, size);
}
