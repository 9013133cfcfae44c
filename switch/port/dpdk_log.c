/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/port/dpdk_log.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include <rte_log.h>

#include "lib/log.h"

#define LOG_LINE_MAX 256

static _Thread_local bool keeping;
static _Thread_local char kept[LOG_LINE_MAX];

/* The driver speaks before EAL sums up that it failed. */
static void keep_line(const char *line, size_t len)
{
	static const char eal[] = "EAL: ";

	if (kept[0] == '\0' || (strncmp(kept, eal, 5) == 0 && strncmp(line, eal, 5) != 0))
		memcpy(kept, line, len + 1);
}

static void take_line(const char *text, size_t len)
{
	char line[LOG_LINE_MAX];

	if (len == 0)
		return;
	if (len >= sizeof(line))
		len = sizeof(line) - 1;
	memcpy(line, text, len);
	line[len] = '\0';
	if (keeping)
		keep_line(line, len);
	else
		log_limited(LOG_LEVEL_WARN, "DPDK says", log_str("text", line));
}

static ssize_t write_lines(void *cookie, const char *text, size_t len)
{
	const char *end = text + len;

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *stop = newline ? newline : end;

		take_line(text, (size_t)(stop - text));
		text = stop + 1;
	}
	return (ssize_t)len;
}

int dpdk_log_start(struct err *err)
{
	static const cookie_io_functions_t functions = { .write = write_lines };
	FILE *file = fopencookie(NULL, "w", functions);

	if (!file)
		return err_errno(err, errno, "cannot take over DPDK's log");
	/* DPDK flushes behind each message: a message is one write. */
	setvbuf(file, NULL, _IOFBF, 4096);
	rte_openlog_stream(file);
	return 0;
}

void dpdk_log_keep(void)
{
	kept[0] = '\0';
	keeping = true;
}

const char *dpdk_log_kept(void)
{
	keeping = false;
	return kept;
}
