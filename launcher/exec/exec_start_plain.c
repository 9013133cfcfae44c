/* SPDX-License-Identifier: BSD-3-Clause */

/* Machines that exec_start.c does not know, and programs that are not static (sanitizers). */

#include "launcher/exec/exec_start.h"

#include <unistd.h>

char *const *exec_start_environ(void)
{
	return environ;
}
