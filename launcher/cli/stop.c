/* SPDX-License-Identifier: BSD-3-Clause */

/* sluice-vm stop: an orderly end, waited for. */

#include <errno.h>
#include <unistd.h>

#include "launcher/cli/verb.h"
#include "launcher/cli/vm_client.h"
#include "lib/cleanup.h"
#include "lib/json_rpc_client.h"

/* The VM holds its end of the connection for as long as there is a VM. */
static void await_end(int fd)
{
	char byte;

	while (read(fd, &byte, 1) > 0 || errno == EINTR)
		errno = 0;
}

enum verb_status stop_verb(int argc, char **argv, struct err *err)
{
	struct vm_client_options o;
	cleanup_close int fd = -1;
	json_t *params, *result;
	int ret;

	if (vm_client_parse(argv + 1, VM_CLIENT_GRACE, &o, err) < 0)
		return VERB_USAGE;
	if (o.help)
		return VERB_OK;
	if (vm_client_connect(&o, &fd, err) < 0)
		return VERB_FAILED;
	params = json_pack("{s:I}", "grace-s", (json_int_t)o.grace_s);
	ret = json_rpc_call(fd, "vm.stop", params, &result, err);
	json_decref(params);
	if (ret < 0)
		return VERB_FAILED;
	json_decref(result);
	await_end(fd);
	return VERB_OK;
}

void stop_verb_man(FILE *out)
{
	vm_client_print_man(VM_CLIENT_GRACE, out);
}
