/* SPDX-License-Identifier: BSD-3-Clause */

/* sluice-vm stop: an orderly end, waited for. */

#include <errno.h>
#include <poll.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "launcher/cli/verb.h"
#include "launcher/cli/vm_client.h"
#include "lib/cleanup.h"
#include "lib/json_rpc_client.h"

/* The process that is the VM's, or -1 if its number does not mean it here: see await_end(). */
static int open_peer(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || peer.pid == 0)
		return -1;
	return pidfd_open(peer.pid, 0);
}

/* The VM holds its end of the connection until there is no machine; its process then still has
 * to clean up, and another VM of that name would find it in its way. */
static void await_end(int fd, int process)
{
	struct pollfd ends[] = { { .fd = fd, .events = POLLRDHUP },
		{ .fd = process, .events = POLLIN } };

	for (int i = 0; i < 2; i++)
		while (ends[i].fd >= 0 && poll(&ends[i], 1, -1) < 0 && errno == EINTR)
			;
}

enum verb_status stop_verb(int argc, char **argv, struct err *err)
{
	struct vm_client_options o;
	cleanup_close int fd = -1, process = -1;
	json_t *params, *result;
	int ret;

	if (vm_client_parse(argv + 1, VM_CLIENT_GRACE, &o, err) < 0)
		return VERB_USAGE;
	if (o.help)
		return VERB_OK;
	if (vm_client_connect(&o, &fd, err) < 0)
		return VERB_FAILED;
	process = open_peer(fd);
	params = json_pack("{s:I}", "grace-s", (json_int_t)o.grace_s);
	ret = json_rpc_call(fd, "vm.stop", params, &result, err);
	json_decref(params);
	if (ret < 0)
		return VERB_FAILED;
	json_decref(result);
	await_end(fd, process);
	return VERB_OK;
}

void stop_verb_man(FILE *out)
{
	vm_client_print_man(VM_CLIENT_GRACE, out);
}
