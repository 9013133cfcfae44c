/* SPDX-License-Identifier: BSD-3-Clause */

/* What a guest's agent answers to `sluice-vm status`: it is asked once at most, and whatever is
 * printed is text. */

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <event2/buffer.h>

#include "launcher/cli/agent_status.h"
#include "lib/agent_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void print(const json_t *status)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert(out != NULL);
	agent_status_print(status, out);
	fclose(out);
	for (size_t i = 0; i < size; i++)
		assert(text[i] == '\n' || isprint((unsigned char)text[i]));
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct evbuffer *in = evbuffer_new(), *out = evbuffer_new();
	struct err err = { "" };
	json_t *status = NULL;
	bool greeted = false;
	int ret;

	evbuffer_add(in, data, size);
	ret = agent_status_take(in, out, &greeted, &status, &err);
	assert(ret == 0 || ret == 1 || ret == -EPROTO);
	assert((ret == 1) == (status != NULL));
	assert(evbuffer_get_length(out) <= AGENT_WIRE_HEADER_LEN);
	if (status != NULL)
		print(status);
	json_decref(status);
	evbuffer_free(in);
	evbuffer_free(out);
	return 0;
}
