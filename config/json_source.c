/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/json_source.h"

#include <errno.h>

int json_source_file(const char *path, bool required, json_t **root, struct err *err)
{
	json_error_t where;

	*root = json_load_file(path, JSON_REJECT_DUPLICATES, &where);
	if (*root != NULL)
		return 0;
	if (json_error_code(&where) == json_error_cannot_open_file)
		return !required && errno == ENOENT ? 0 : err_errno(err, errno, "%s", path);
	return err_set(err, -EINVAL, "%s:%d:%d: %s", path, where.line, where.column, where.text);
}

int json_source_text(
	const char *what, const char *text, size_t len, size_t max, json_t **root, struct err *err)
{
	json_error_t why;

	*root = NULL;
	if (len > max)
		return err_set(err, -EINVAL, "%s: has %zu bytes (at most %zu)", what, len, max);
	*root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
	return *root != NULL ? 0
			     : err_set(err, -EINVAL, "%s: line %d: %s", what, why.line, why.text);
}
