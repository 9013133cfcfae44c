/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest-agent/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "guest-agent/agent_private.h"
#include "lib/cleanup.h"

#define MOUNTS_MAX 512

/* mountinfo writes spaces and the like as three octal digits behind a backslash. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from != '\0'; to++) {
		unsigned value;

		if (from[0] == '\\' && sscanf(from + 1, "%3o", &value) == 1) {
			*to = (char)value;
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

/* Paths are bytes; what is not UTF-8 cannot be said in JSON. */
static json_t *text_value(char *text)
{
	json_t *value;

	unescape(text);
	value = json_string(text);
	return value != NULL ? value : json_string("?");
}

/* proc_pid_mountinfo(5): "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw" */
static json_t *parse_mount(char *line)
{
	char *save = NULL, *destination = NULL, *kind, *source;
	char *word = strtok_r(line, " \n", &save);

	for (int i = 0; word != NULL && strcmp(word, "-") != 0; i++) {
		if (i == 4)
			destination = word;
		word = strtok_r(NULL, " \n", &save);
	}
	kind = word != NULL ? strtok_r(NULL, " \n", &save) : NULL;
	source = kind != NULL ? strtok_r(NULL, " \n", &save) : NULL;
	if (destination == NULL || source == NULL)
		return NULL;
	return json_pack("{s:o, s:o, s:o}", "destination", text_value(destination), "kind",
		text_value(kind), "source", text_value(source));
}

json_t *status_mounts(const char *mountinfo_path)
{
	json_t *rows = json_array();
	FILE *file = fopen(mountinfo_path, "re");
	cleanup_free char *line = NULL;
	size_t size = 0;

	while (file != NULL && getline(&line, &size, file) > 0) {
		json_t *row = parse_mount(line);

		if (row != NULL && json_array_size(rows) < MOUNTS_MAX)
			json_array_append_new(rows, row);
		else
			json_decref(row);
	}
	if (file != NULL)
		fclose(file);
	return rows;
}

static json_t *workload_status(const struct workload *workload)
{
	json_t *object = json_pack("{s:s}", "state", workload_state_name(workload->state));

	if (workload->state == WORKLOAD_ENDED)
		json_object_set_new(object, workload->ex.signalled ? "signal" : "code",
			json_integer(workload->ex.value));
	if (workload->state == WORKLOAD_NONE)
		json_object_set_new(object, "reason", json_string(workload->why));
	return object;
}

static json_t *mounts(const struct agent *agent)
{
	char path[64] = "/proc/self/mountinfo";

	if (agent->workload.state == WORKLOAD_RUNNING)
		snprintf(path, sizeof(path), "/proc/%d/mountinfo",
			(int)process_pid(agent->workload.process));
	return status_mounts(path);
}

static json_int_t uptime_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (json_int_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static json_t *compose(const struct agent *agent)
{
	json_t *status = json_pack("{s:s, s:I, s:o, s:i, s:i, s:i}", "version", SLUICE_VERSION,
		"uptimeMs", uptime_ms(), "workload", workload_status(&agent->workload), "processes",
		(int)agent->host.n_processes, "clients", (int)agent->clients.n, "forwards",
		(int)forwards_count(agent->forwards));
	json_t *more = agent->plan.status != NULL ? agent->plan.status(agent->plan.owner) : NULL;

	json_object_set_new(status, "mounts", mounts(agent));
	json_object_set_new(status, "addresses", status_addresses());
	json_object_set_new(status, "listening", status_listening());
	if (more != NULL)
		json_object_update_missing(status, more);
	json_decref(more);
	return status;
}

char *status_text(const struct agent *agent)
{
	static const char *const expendable[] = { "mounts", "listening", "addresses" };
	json_t *status = compose(agent);
	char *text = json_dumps(status, JSON_COMPACT);

	for (size_t i = 0; i < sizeof(expendable) / sizeof(expendable[0]); i++) {
		if (text == NULL || strlen(text) <= AGENT_WIRE_DATA_MAX)
			break;
		json_object_del(status, expendable[i]);
		json_object_set_new(status, "truncated", json_true());
		free(text);
		text = json_dumps(status, JSON_COMPACT);
	}
	json_decref(status);
	if (text != NULL && strlen(text) > AGENT_WIRE_DATA_MAX)
		free(steal_ptr(&text));
	return text;
}
