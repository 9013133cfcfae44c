/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/oci/runtime_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <json-c/json.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/whole_file.h"

#define TIME_MAX     32
#define LINE_MAX_LEN (8 * ERR_TEXT_MAX)

static void write_time(char *text)
{
	time_t now = time(NULL);
	struct tm utc;

	gmtime_r(&now, &utc);
	strftime(text, TIME_MAX, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

/* Text in quotes is quoted alike in JSON and in the other form. Returns the line's length. */
static int format_line(const struct runtime_words *words, const char *text, char *line)
{
	json_object *message = json_object_new_string(text);
	const char *quoted =
		json_object_to_json_string_ext(message, JSON_C_TO_STRING_NOSLASHESCAPE);
	char now[TIME_MAX];
	int len;

	write_time(now);
	if (words->log_json)
		len = snprintf(line, LINE_MAX_LEN,
			"{\"level\":\"error\",\"msg\":%s,\"time\":\"%s\"}\n", quoted, now);
	else
		len = snprintf(line, LINE_MAX_LEN, "time=\"%s\" level=error msg=%s\n", now, quoted);
	json_object_put(message);
	return len < LINE_MAX_LEN ? len : 0;
}

void runtime_log_failure(const struct runtime_words *words, const char *text)
{
	char line[LINE_MAX_LEN];

	dprintf(STDERR_FILENO, "sluice-runtime: %s\n", text);
	if (words->log != NULL) {
		/* Nobody may read a pipe's other end. */
		cleanup_close int fd = open(
			words->log, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0644);

		if (fd >= 0)
			(void)whole_file_write_fd(fd, line, (size_t)format_line(words, text, line));
	}
}
