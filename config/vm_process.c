/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/vm_process.h"

#include <errno.h>
#include <string.h>

#include "config/process_text.h"

static int take_umask(const struct vm_settings *s, struct process_spec *spec, struct err *err)
{
	int ret;

	if (s->umask[0] == '\0')
		return 0;
	ret = process_text_umask(s->umask, &spec->umask, err);
	spec->has_umask = true;
	return ret < 0 ? err_wrap(err, ret, "umask") : 0;
}

static int take_ulimit(const struct vm_settings *s, struct process_spec *spec, struct err *err)
{
	int ret;

	if (s->ulimit[0] == '\0')
		return 0;
	ret = process_text_rlimits(s->ulimit, spec, err);
	return ret < 0 ? err_wrap(err, ret, "ulimit") : 0;
}

static int take_names(const struct vm_settings *s, struct process_spec *spec, struct err *err)
{
	spec->cwd = strdup(s->cwd);
	spec->user = strdup(s->user);
	spec->groups = s->group_add[0] != '\0' ? strdup(s->group_add) : NULL;
	if (spec->cwd == NULL || spec->user == NULL ||
		(s->group_add[0] != '\0' && spec->groups == NULL))
		return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

int vm_process_make(const struct vm_settings *s, struct process_spec *spec, struct err *err)
{
	int ret;

	*spec = (struct process_spec) { .terminal = s->tty,
		.has_no_new_privileges = s->no_new_privileges,
		.no_new_privileges = s->no_new_privileges };
	ret = take_names(s, spec, err);
	if (ret == 0)
		ret = take_umask(s, spec, err);
	if (ret == 0)
		ret = take_ulimit(s, spec, err);
	if (ret == 0)
		ret = process_text_capabilities(s->cap_add, s->cap_drop, spec, err);
	if (ret < 0)
		process_spec_free(spec);
	return ret;
}
