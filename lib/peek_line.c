/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/peek_line.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

int peek_line(int sock, char *line, size_t size, size_t *len)
{
	char *end = line + *len;
	ssize_t n = recv(sock, end, size - *len, MSG_PEEK);
	const char *newline;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return -ECONNRESET;
	newline = memchr(end, '\n', (size_t)n);
	if (newline != NULL)
		n = newline + 1 - end;
	/* The same bytes again. */
	n = recv(sock, end, (size_t)n, 0);
	*len += n > 0 ? (size_t)n : 0;
	if (newline == NULL && *len == size)
		return -EMSGSIZE;
	return newline != NULL;
}
