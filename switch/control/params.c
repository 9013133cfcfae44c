/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/control/params.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct param *find(const struct param *known, const char *name)
{
	for (const struct param *p = known; p->name; p++)
		if (strcmp(p->name, name) == 0)
			return p;
	return NULL;
}

static int refuse_unknown(const struct param *known, const char *name, struct err *err)
{
	char list[128] = "none";
	size_t len = 0;

	for (const struct param *p = known; p->name && len < sizeof(list); p++)
		len += (size_t)snprintf(
			list + len, sizeof(list) - len, "%s%s", len ? ", " : "", p->name);
	return err_set(err, -EINVAL, "unknown parameter \"%.32s\" (takes %s)", name, list);
}

int params_check(const json_t *params, const struct param *known, struct err *err)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)params, name, value) {
		const struct param *p = find(known, name);

		if (!p)
			return refuse_unknown(known, name, err);
		if (p->type == PARAM_TEXT ? !json_is_string(value) : !json_is_integer(value))
			return err_set(err, -EINVAL, "%s: must be %s", name,
				p->type == PARAM_TEXT ? "text" : "an integer");
	}
	for (const struct param *p = known; p->name; p++)
		if (p->required && !json_object_get(params, p->name))
			return err_set(err, -EINVAL, "%s: missing", p->name);
	return 0;
}

const char *param_text(const json_t *params, const char *name)
{
	return json_string_value(json_object_get(params, name));
}

int param_mac(const json_t *params, const char *name, struct mac *mac, struct err *err)
{
	const char *text = param_text(params, name);

	if (mac_parse(text, mac) < 0 || mac_is_zero(mac) || mac_is_multicast(mac))
		return err_set(err, -EINVAL,
			"%s: \"%.32s\" is not a unicast address (aa:bb:cc:dd:ee:ff)", name, text);
	return 0;
}

int64_t param_int(const json_t *params, const char *name, int64_t otherwise)
{
	const json_t *value = json_object_get(params, name);

	return json_is_integer(value) ? json_integer_value(value) : otherwise;
}
