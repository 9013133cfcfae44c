/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/vsock/vsock_connect.h"

#include <errno.h>
#include <string.h>

static const char word[] = "CONNECT ";
#define WORD_LEN (sizeof(word) - 1)

ssize_t vsock_connect_parse(const char *text, size_t len, uint32_t *port)
{
	size_t at = WORD_LEN;
	uint64_t value = 0;

	if (memcmp(text, word, len < WORD_LEN ? len : WORD_LEN) != 0)
		return -EPROTO;
	for (; at < len && text[at] >= '0' && text[at] <= '9'; at++) {
		value = value * 10 + (uint64_t)(text[at] - '0');
		if (value >= UINT32_MAX) /* which stands for any port */
			return -EPROTO;
	}
	if (at >= len)
		return len < VSOCK_CONNECT_MAX ? 0 : -EPROTO;
	if (text[at] != '\n' || at == WORD_LEN)
		return -EPROTO;
	*port = (uint32_t)value;
	return (ssize_t)at + 1;
}
