/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/setting_value.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/setting_addr.h"
#include "config/setting_allowed.h"
#include "config/setting_int.h"
#include "config/setting_list.h"
#include "lib/ip_addr.h"
#include "lib/mac.h"

static void *field_of(const struct setting *row, void *target)
{
	return (char *)target + row->offset;
}

static bool is_name(const char *text)
{
	for (; *text != '\0'; text++) {
		if (!isalnum((unsigned char)*text) && strchr("._-", *text) == NULL)
			return false;
	}
	return true;
}

/* Text in a file is UTF-8 by the nature of JSON; what comes from elsewhere must be as well, so that
 * it can be written to one. */
static bool is_utf8(const char *text)
{
	json_t *string = json_string(text);

	json_decref(string);
	return string != NULL;
}

static bool is_printable(const char *text)
{
	for (const char *c = text; *c != '\0'; c++) {
		if (iscntrl((unsigned char)*c))
			return false;
	}
	return is_utf8(text);
}

static char *heap_text(const struct setting *row, const void *target)
{
	char *text;

	memcpy(&text, (const char *)target + row->offset, sizeof(text));
	return text;
}

static int store_on_heap(const struct setting *row, const char *text, void *target, struct err *err)
{
	char *copy = strdup(text);

	assert(row->size == sizeof(copy));
	if (copy == NULL)
		return err_errno(err, ENOMEM, "cannot keep it");
	free(heap_text(row, target));
	memcpy(field_of(row, target), &copy, sizeof(copy));
	return 0;
}

static bool is_acceptable(const struct setting *row, const char *text)
{
	size_t len = strlen(text);

	if (len > setting_len_max(row))
		return false;
	if (row->type == SETTING_TEXT)
		return is_utf8(text);
	if (len == 0 || !is_printable(text))
		return false;
	return (row->type != SETTING_NAME || is_name(text)) &&
	       (row->type != SETTING_PATH || text[0] == '/');
}

static int set_string(const struct setting *row, const char *text, void *target, struct err *err)
{
	char *field = field_of(row, target);
	size_t len = strlen(text);

	if (!is_acceptable(row, text))
		return setting_refuse_text(row, text, err);
	if (row->heap)
		return store_on_heap(row, text, target, err);
	memcpy(field, text, len);
	memset(field + len, 0, row->size - len);
	return 0;
}

static int set_mac(const struct setting *row, const char *text, void *target, struct err *err)
{
	struct mac mac;

	if (mac_parse(text, &mac) < 0)
		return setting_refuse_text(row, text, err);
	if (mac_is_multicast(&mac) || mac_is_zero(&mac))
		return err_set(err, -EINVAL, "\"%s\" is %s (must be a unicast address)", text,
			mac_is_zero(&mac) ? "zero" : "multicast");
	memcpy(field_of(row, target), &mac, sizeof(mac));
	return 0;
}

static int set_ip(const struct setting *row, const char *text, void *target, struct err *err)
{
	struct ip_addr addr;

	if (ip_addr_parse(text, &addr) < 0 || ip_addr_is_unspecified(&addr))
		return setting_refuse_text(row, text, err);
	memcpy(field_of(row, target), &addr, sizeof(addr));
	return 0;
}

static int set_int(const struct setting *row, int64_t value, void *target, struct err *err)
{
	if (value < row->min || value > row->max)
		return setting_refuse_number(row, value, err);
	setting_int_store(field_of(row, target), row->size, value);
	return 0;
}

static int set_word(const struct setting *row, const char *text, void *target, struct err *err)
{
	const struct setting_word *word = setting_int_find(row, text);

	if (word == NULL)
		return setting_refuse_text(row, text, err);
	setting_int_store(field_of(row, target), row->size, word->value);
	return 0;
}

static int set_bool(const struct setting *row, bool value, void *target)
{
	assert(row->size == sizeof(value));
	memcpy(field_of(row, target), &value, sizeof(value));
	return 0;
}

/* What text and JSON strings have in common: the types that are written as words. */
static int set_wordlike(const struct setting *row, const char *text, void *target, struct err *err)
{
	switch (row->type) {
	case SETTING_STRING:
	case SETTING_NAME:
	case SETTING_PATH:
	case SETTING_TEXT:
		return set_string(row, text, target, err);
	case SETTING_MAC:
		return set_mac(row, text, target, err);
	case SETTING_IP:
		return set_ip(row, text, target, err);
	case SETTING_U32:
	case SETTING_ENUM:
		return set_word(row, text, target, err);
	case SETTING_LIST:
	case SETTING_SET:
		return setting_list_set_text(row, text, target, err);
	case SETTING_ADDRS:
		return setting_addr_set_text(row, text, target, err);
	case SETTING_BOOL:
	case SETTING_ARRAY:
	case SETTING_OBJECT:
		break;
	}
	return setting_refuse_text(row, text, err);
}

int setting_set_json(const struct setting *row, const json_t *value, void *target, struct err *err)
{
	if (row->type == SETTING_LIST || row->type == SETTING_SET)
		return setting_list_set_json(row, value, target, err);
	if (row->type == SETTING_ADDRS)
		return setting_addr_set_json(row, value, target, err);
	if (json_is_string(value))
		return set_wordlike(row, json_string_value(value), target, err);
	if (json_is_integer(value) && row->type == SETTING_U32)
		return set_int(row, json_integer_value(value), target, err);
	if (json_is_boolean(value) && row->type == SETTING_BOOL)
		return set_bool(row, json_is_true(value), target);
	if (json_is_array(value) && row->type == SETTING_ARRAY)
		return 0;
	if (json_is_object(value) && row->type == SETTING_OBJECT)
		return 0;
	return setting_refuse_json(row, value, err);
}

static bool is_number(const char *text)
{
	return text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
}

int setting_set_text(const struct setting *row, const char *text, void *target, struct err *err)
{
	if (row->type == SETTING_BOOL && strcmp(text, "true") == 0)
		return set_bool(row, true, target);
	if (row->type == SETTING_BOOL && strcmp(text, "false") == 0)
		return set_bool(row, false, target);
	if (row->type == SETTING_U32 && is_number(text)) {
		errno = 0;
		long long value = strtoll(text, NULL, 10);

		return errno == 0 ? set_int(row, value, target, err)
				  : setting_refuse_text(row, text, err);
	}
	return set_wordlike(row, text, target, err);
}

static json_t *get_int(const struct setting *row, const void *field)
{
	uint32_t value = setting_int_load(field, row->size);
	const char *word = setting_int_word(row, value);

	return word != NULL ? json_string(word) : json_integer(value);
}

static json_t *get_mac(const void *field)
{
	char text[MAC_TEXT_MAX];
	struct mac mac;

	memcpy(&mac, field, sizeof(mac));
	return json_string(mac_format(&mac, text));
}

static json_t *get_ip(const void *field)
{
	char text[IP_ADDR_TEXT_MAX];
	struct ip_addr addr;

	memcpy(&addr, field, sizeof(addr));
	return json_string(ip_addr_format(&addr, text));
}

json_t *setting_get_json(const struct setting *row, const void *target)
{
	const char *field = (const char *)target + row->offset;

	switch (row->type) {
	case SETTING_STRING:
	case SETTING_NAME:
	case SETTING_PATH:
	case SETTING_TEXT:
		return json_string(row->heap ? heap_text(row, target) : field);
	case SETTING_BOOL:
		return json_boolean(*(const bool *)field);
	case SETTING_U32:
	case SETTING_ENUM:
		return get_int(row, field);
	case SETTING_MAC:
		return get_mac(field);
	case SETTING_IP:
		return get_ip(field);
	case SETTING_LIST:
	case SETTING_SET:
		return setting_list_get_json(row, target);
	case SETTING_ADDRS:
		return setting_addr_get_json(row, target);
	case SETTING_ARRAY:
	case SETTING_OBJECT:
		break;
	}
	assert(false);
	return NULL;
}

static bool has_count(const struct setting *row)
{
	return row->type == SETTING_LIST || row->type == SETTING_SET || row->type == SETTING_ADDRS;
}

bool setting_is_zero(const struct setting *row, const void *target)
{
	const char *field = (const char *)target + row->offset;

	if (has_count(row))
		return ((const char *)target)[row->n_offset] == 0;
	if (row->type == SETTING_IP) {
		struct ip_addr addr;

		memcpy(&addr, field, sizeof(addr));
		return ip_addr_is_unspecified(&addr);
	}
	for (size_t i = 0; i < row->size; i++) {
		if (field[i] != 0)
			return false;
	}
	return true;
}

void setting_reset(const struct setting *row, void *target)
{
	int ret = 0;

	if (row->heap)
		free(heap_text(row, target));
	memset(field_of(row, target), 0, row->size);
	if (has_count(row))
		((char *)target)[row->n_offset] = 0;
	if (row->preset != NULL)
		ret = setting_set_text(row, row->preset, target, NULL);
	assert(ret == 0);
	(void)ret;
}

json_t *setting_text_to_json(const struct setting *row, const char *text)
{
	if (row->type == SETTING_BOOL && strcmp(text, "true") == 0)
		return json_true();
	if (row->type == SETTING_BOOL && strcmp(text, "false") == 0)
		return json_false();
	if (row->type == SETTING_U32 && is_number(text) && strlen(text) < 19)
		return json_integer(strtoll(text, NULL, 10));
	return json_string(text);
}
