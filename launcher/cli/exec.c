/* SPDX-License-Identifier: BSD-3-Clause */

/* sluice-vm exec: becomes sluice-exec, the static program that knows no environment. */

#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "launcher/cli/verb.h"
#include "launcher/exec/exec_options.h"
#include "launcher/process/programs.h"

enum verb_status exec_verb(int argc, char **argv, struct err *err)
{
	char path[PATH_MAX];

	if (programs_find("sluice-exec", path, err) < 0)
		return VERB_NOT_RUN;
	argv[0] = (char *)"sluice-vm exec"; /* its messages are ours */
	execv(path, argv);
	(void)err_errno(err, errno, "cannot execute %s", path);
	return VERB_NOT_RUN;
}

void exec_verb_man(FILE *out)
{
	exec_options_print_man(out);
}
