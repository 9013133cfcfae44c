/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/process/environment.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char **environment_with(char *variable)
{
	size_t name_len = strcspn(variable, "=") + 1;
	size_t n = 0;
	char **env;

	for (char **from = environ; *from != NULL; from++)
		n++;
	env = calloc(n + 2, sizeof(*env));
	if (env == NULL)
		return NULL;
	n = 0;
	for (char **from = environ; *from != NULL; from++)
		if (strncmp(*from, variable, name_len) != 0)
			env[n++] = *from;
	env[n] = variable;
	return env;
}
