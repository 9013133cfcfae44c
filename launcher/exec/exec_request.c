/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/exec/exec_request.h"

#include <errno.h>
#include <string.h>

#include <event2/buffer.h>
#include <jansson.h>

#include "lib/cleanup.h"

static int put_spec(struct evbuffer *request, const struct process_spec *spec, struct err *err)
{
	json_t *object = process_spec_encode(spec);
	cleanup_free char *text = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;

	json_decref(object);
	if (text == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	if (strlen(text) > AGENT_WIRE_DATA_MAX)
		return err_set(err, -E2BIG, "what is said of the process is longer than %d bytes",
			AGENT_WIRE_DATA_MAX);
	return agent_wire_put(request, AGENT_START, text, strlen(text));
}

static int put_exec(struct evbuffer *request, const struct process_spec *spec, char *const *argv,
	char *const *env, struct err *err)
{
	int ret;

	if (argv[0] == NULL)
		return err_set(err, -EINVAL, "there is no command");
	ret = put_spec(request, spec, err);
	if (ret < 0)
		return ret;
	ret = agent_wire_put_strings(request, AGENT_ARGV, argv);
	if (ret < 0)
		return err_errno(err, -ret, "arguments");
	ret = agent_wire_put_strings(request, AGENT_ENV, env);
	return ret < 0 ? err_errno(err, -ret, "environment") : 0;
}

/* *request is handed over if `ret` is 0, and freed otherwise. */
static int hand_over(struct evbuffer *request, int ret, struct evbuffer **out)
{
	if (ret == 0)
		*out = request;
	else
		evbuffer_free(request);
	return ret;
}

int exec_request_start(const struct process_spec *spec, char *const *argv, char *const *env,
	struct evbuffer **out, struct err *err)
{
	struct evbuffer *request = evbuffer_new();

	if (request == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	return hand_over(request, put_exec(request, spec, argv, env, err), out);
}

int exec_request_attach(const struct agent_offsets *from, struct evbuffer **out, struct err *err)
{
	struct evbuffer *request = evbuffer_new();

	if (request == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	if (agent_wire_put_offsets(request, AGENT_ATTACH, from) < 0)
		return hand_over(request, err_set(err, -ENOMEM, "out of memory"), out);
	return hand_over(request, 0, out);
}
