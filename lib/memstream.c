/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/memstream.h"

#include <stdbool.h>
#include <stdlib.h>

char *memstream_text(FILE *out, char **text)
{
	bool failed = ferror(out) != 0;

	if (fclose(out) == 0 && !failed)
		return *text;
	free(*text);
	*text = NULL;
	return NULL;
}
