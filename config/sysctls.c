/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/sysctls.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

bool sysctls_is_key(const char *key)
{
	size_t len = strlen(key);
	char before = '.';

	for (const char *c = key; *c != '\0'; before = *c, c++) {
		if (!isalnum((unsigned char)*c) && strchr("_-./@:%", *c) == NULL)
			return false;
		if ((*c == '.' || *c == '/') && (before == '.' || before == '/'))
			return false;
	}
	return len > 0 && len <= SYSCTL_KEY_LEN_MAX && before != '.' && before != '/';
}

static int add(struct sysctls *sysctls, const char *key, const char *value)
{
	struct sysctl *item = &sysctls->item[sysctls->n];

	sysctls->n++;
	item->key = strdup(key);
	item->value = strdup(value);
	return item->key != NULL && item->value != NULL ? 0 : -ENOMEM;
}

static int decode(const json_t *object, struct sysctls *sysctls, struct err *err)
{
	const json_t *value;
	const char *key;

	json_object_foreach ((json_t *)object, key, value) {
		if (!sysctls_is_key(key))
			return err_set(err, -EINVAL,
				"sysctl: \"%.64s\" is not allowed (must be a name such as "
				"\"net.ipv4.ip_forward\")",
				key);
		if (!json_is_string(value) || json_string_length(value) > SYSCTL_VALUE_LEN_MAX)
			return err_set(err, -EINVAL, "sysctl.%s: must be text of at most %d bytes",
				key, SYSCTL_VALUE_LEN_MAX);
		if (add(sysctls, key, json_string_value(value)) < 0)
			return err_errno(err, ENOMEM, "sysctl");
	}
	return 0;
}

int sysctls_decode(const json_t *object, struct sysctls *sysctls, struct err *err)
{
	size_t n = json_object_size(object);
	int ret;

	*sysctls = (struct sysctls) { .n = 0 };
	if (n > SYSCTLS_MAX)
		return err_set(
			err, -EINVAL, "sysctl: has %zu entries (at most %d)", n, SYSCTLS_MAX);
	if (n == 0)
		return 0;
	sysctls->item = calloc(n, sizeof(*sysctls->item));
	if (sysctls->item == NULL)
		return err_errno(err, ENOMEM, "sysctl");
	ret = decode(object, sysctls, err);
	if (ret < 0)
		sysctls_free(sysctls);
	return ret;
}

json_t *sysctls_encode(const struct sysctls *sysctls)
{
	json_t *object = json_object();

	for (size_t i = 0; object != NULL && i < sysctls->n; i++)
		if (json_object_set_new(object, sysctls->item[i].key,
			    json_string(sysctls->item[i].value)) < 0) {
			json_decref(object);
			return NULL;
		}
	return object;
}

int sysctls_copy(const struct sysctls *from, struct sysctls *to)
{
	int ret = 0;

	*to = (struct sysctls) { .n = 0 };
	if (from->n == 0)
		return 0;
	to->item = calloc(from->n, sizeof(*to->item));
	if (to->item == NULL)
		return -ENOMEM;
	for (size_t i = 0; ret == 0 && i < from->n; i++)
		ret = add(to, from->item[i].key, from->item[i].value);
	if (ret < 0)
		sysctls_free(to);
	return ret;
}

void sysctls_free(struct sysctls *sysctls)
{
	for (size_t i = 0; i < sysctls->n; i++) {
		free(sysctls->item[i].key);
		free(sysctls->item[i].value);
	}
	free(sysctls->item);
	*sysctls = (struct sysctls) { .n = 0 };
}
