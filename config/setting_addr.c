/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/setting_addr.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "config/setting_allowed.h"
#include "lib/ip_addr.h"

#define N_ADDRS_MAX 16

/* The new value of the field, until it is known to be good. */
struct builder {
	const struct setting *row;
	size_t n;
	struct ip_addr addr[N_ADDRS_MAX];
};

static size_t n_max(const struct setting *row)
{
	assert(row->size <= sizeof(((struct builder *)NULL)->addr));
	return row->size / sizeof(struct ip_addr);
}

static void store(const struct builder *b, void *target)
{
	memcpy((char *)target + b->row->offset, b->addr, b->row->size);
	((char *)target)[b->row->n_offset] = (char)b->n;
}

static int add(struct builder *b, const char *text, struct err *err)
{
	struct ip_addr addr;

	if (ip_addr_parse(text, &addr) < 0)
		return setting_refuse_text(b->row, text, err);
	if (!ip_addr_is_host(&addr))
		return err_set(err, -EINVAL, "\"%s\" is no address that a host can have", text);
	for (size_t i = 0; i < b->n; i++)
		if (ip_addr_equal(&b->addr[i], &addr))
			return err_set(err, -EINVAL, "\"%s\" is there twice", text);
	if (b->n == n_max(b->row))
		return err_set(err, -EINVAL, "has more than %zu entries", b->n);
	b->addr[b->n++] = addr;
	return 0;
}

int setting_addr_set_text(
	const struct setting *row, const char *text, void *target, struct err *err)
{
	struct builder b = { .row = row };

	for (;;) {
		size_t len = strcspn(text, ",");
		char entry[IP_ADDR_TEXT_MAX];
		int ret;

		if (len >= sizeof(entry))
			return setting_refuse_text(row, text, err);
		memcpy(entry, text, len);
		entry[len] = '\0';
		ret = add(&b, entry, err);
		if (ret < 0)
			return ret;
		if (text[len] == '\0')
			break;
		text += len + 1;
	}
	store(&b, target);
	return 0;
}

int setting_addr_set_json(
	const struct setting *row, const json_t *value, void *target, struct err *err)
{
	struct builder b = { .row = row };
	const json_t *item;
	size_t i;

	if (json_is_string(value))
		return setting_addr_set_text(row, json_string_value(value), target, err);
	if (!json_is_array(value))
		return setting_refuse_json(row, value, err);
	json_array_foreach (value, i, item) {
		int ret = json_is_string(item) ? add(&b, json_string_value(item), err)
					       : setting_refuse_json(row, item, err);

		if (ret < 0)
			return ret;
	}
	store(&b, target);
	return 0;
}

json_t *setting_addr_get_json(const struct setting *row, const void *target)
{
	const char *base = target;
	size_t n = (unsigned char)base[row->n_offset];
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++) {
		char text[IP_ADDR_TEXT_MAX];
		struct ip_addr addr;

		memcpy(&addr, base + row->offset + i * sizeof(addr), sizeof(addr));
		json_array_append_new(array, json_string(ip_addr_format(&addr, text)));
	}
	return array;
}
