/* SPDX-License-Identifier: BSD-3-Clause */

/* What a guest's agent answers to a port-forward: whatever the bytes, one of three things, and a
 * reason that can be printed. */

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "launcher/forward/guest_dial.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = { "" };
	int ret = guest_dial_answer((const char *)data, size, &err);

	assert(ret == 0 || ret == -ECONNREFUSED || ret == -EPROTO);
	assert((ret == 0) == (size == 2 && memcmp(data, "OK", 2) == 0));
	for (const char *c = err.text; *c != '\0'; c++)
		assert(isprint((unsigned char)*c));
	return 0;
}
