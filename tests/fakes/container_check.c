/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/fakes/container_check.h"

#include <errno.h>

#include <jansson.h>

#include "config/process_spec.h"

/* A file of its own: json-c's header cannot be beside jansson's. */
int container_check(const char *text, struct err *err)
{
	struct process_spec process;
	json_error_t why;
	json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &why);
	int ret;

	if (json == NULL)
		return err_set(err, -EINVAL, "%s", why.text);
	ret = process_spec_decode(json_object_get(json, "process"), "process.", &process, err);
	if (ret == 0)
		process_spec_free(&process);
	json_decref(json);
	return ret;
}
