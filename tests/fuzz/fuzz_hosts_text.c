/* SPDX-License-Identifier: BSD-3-Clause */

/* A pod's /etc/hosts: whatever the bytes, text for a guest's, which made again stays the same. */

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "launcher/pod/hosts_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ip_addr addr;
	const struct hosts_own own = { "web-0", &addr, 1 };
	char *text, *again;

	if (ip_addr_parse("10.1.0.2", &addr) < 0)
		abort();
	text = hosts_text((const char *)data, size, &own);
	if (text == NULL)
		abort();
	for (const char *c = text; *c != '\0'; c++)
		assert((*c >= 0x20 && *c <= 0x7e) || *c == '\t' || *c == '\n');
	again = hosts_text(text, strlen(text), &own);
	assert(again != NULL && strcmp(text, again) == 0);
	free(again);
	free(text);
	return 0;
}
