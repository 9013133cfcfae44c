/* SPDX-License-Identifier: BSD-3-Clause */

/* sluice-vm status: what a running VM says of itself, and the agent in it of its guest. */

#include <stdio.h>
#include <string.h>

#include "launcher/cli/agent_status.h"
#include "launcher/cli/verb.h"
#include "launcher/cli/vm_client.h"
#include "lib/cleanup.h"
#include "lib/json_rpc_client.h"

#define AGENT_MS 1000 /* a guest that is stuck must not keep us from showing the rest */

/* "  pid     12": nested objects one level deeper, lists of text on a line. */
static void print_value(const char *key, const json_t *value, int depth);

static void print_object(const json_t *object, int depth)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)object, key, value)
		print_value(key, value, depth);
}

static void print_steps(const json_t *steps, int depth)
{
	const json_t *step;
	size_t i;

	json_array_foreach (steps, i, step)
		if (json_is_object(step))
			printf("%*s%-10s %8.1f ms\n", depth * 2, "",
				json_string_value(json_object_get(step, "name")),
				json_number_value(json_object_get(step, "ms")));
		else
			printf("%*s%s\n", depth * 2, "", json_string_value(step));
}

static void print_value(const char *key, const json_t *value, int depth)
{
	printf("%*s%s:", depth * 2, "", key);
	if (json_is_object(value)) {
		putchar('\n');
		print_object(value, depth + 1);
	} else if (json_is_array(value)) {
		putchar('\n');
		print_steps(value, depth + 1);
	} else if (json_is_integer(value)) {
		printf(" %lld\n", (long long)json_integer_value(value));
	} else {
		printf(" %s\n", json_string_value(value));
	}
}

/* NULL: there is none yet, or it does not answer. */
static json_t *ask_agent(const struct vm_client_options *o, const json_t *status, struct err *why)
{
	const char *state = json_string_value(json_object_get(status, "state"));
	json_t *agent = NULL;

	if (state == NULL || strcmp(state, "running") != 0)
		(void)err_set(why, 0, "the guest is not up");
	else
		(void)agent_status_get(o->paths.vsock, AGENT_MS, &agent, why);
	return agent;
}

/* ASCII: part of it is the guest's words, which a terminal must not take for orders. */
static void print_json(json_t *status, json_t *agent)
{
	json_object_set_new(status, "agent", agent != NULL ? agent : json_null());
	json_dumpf(status, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6) | JSON_ENSURE_ASCII);
	putchar('\n');
}

static void print_words(const json_t *status, json_t *agent, const struct err *why)
{
	print_object(status, 0);
	if (agent != NULL) {
		puts("agent:");
		agent_status_print(agent, stdout);
	} else {
		printf("agent: no answer: %s\n", why->text);
	}
	json_decref(agent);
}

enum verb_status status_verb(int argc, char **argv, struct err *err)
{
	struct vm_client_options o;
	struct err why = { "" };
	cleanup_close int fd = -1;
	json_t *status, *agent;

	if (vm_client_parse(argv + 1, VM_CLIENT_JSON, &o, err) < 0)
		return VERB_USAGE;
	if (o.help)
		return VERB_OK;
	if (vm_client_connect(&o, &fd, err) < 0 ||
		json_rpc_call(fd, "vm.status", NULL, &status, err) < 0)
		return VERB_FAILED;
	agent = ask_agent(&o, status, &why);
	if (o.json)
		print_json(status, agent);
	else
		print_words(status, agent, &why);
	json_decref(status);
	return VERB_OK;
}

void status_verb_man(FILE *out)
{
	vm_client_print_man(VM_CLIENT_JSON, out);
}
