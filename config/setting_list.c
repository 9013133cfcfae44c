/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/setting_list.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "config/setting_allowed.h"
#include "config/setting_int.h"

#define N_WORDS_MAX 64 /* of the largest field, a set of 4096 */
#define ENTRY_MAX   32
#define TEXT_MAX    512 /* of a list of 64 entries, at most 7 bytes each */

/* The new value of the field, until it is known to be good. */
struct builder {
	const struct setting *row;
	size_t n; /* entries; what is counted for a set is only that there is one */
	uint64_t word[N_WORDS_MAX];
};

static void builder_init(struct builder *b, const struct setting *row)
{
	assert(row->size <= sizeof(b->word));
	assert(row->type == SETTING_LIST || row->max < row->size * 8);
	*b = (struct builder) { .row = row };
}

static void builder_store(const struct builder *b, void *target)
{
	memcpy((char *)target + b->row->offset, b->word, b->row->size);
	setting_int_store((char *)target + b->row->n_offset, 1, (int64_t)b->n);
}

static int add_value(struct builder *b, int64_t value, struct err *err)
{
	const struct setting *row = b->row;

	if (row->type == SETTING_SET) {
		b->word[value / 64] |= UINT64_C(1) << value % 64;
		b->n = 1;
		return 0;
	}
	if (b->n == row->size / row->item_size)
		return err_set(err, -EINVAL, "has more than %zu entries", b->n);
	setting_int_store((char *)b->word + b->n++ * row->item_size, row->item_size, value);
	return 0;
}

static int add_range(struct builder *b, int64_t first, int64_t last, struct err *err)
{
	for (int64_t value = first; value <= last; value++) {
		int ret;

		if (value < b->row->min || value > b->row->max)
			return setting_refuse_number(b->row, value, err);
		ret = add_value(b, value, err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* Reads digits at *text and moves it behind them; false: there are none. Stops to count where all
 * rows' ranges end. */
static bool take_number(const char **text, int64_t *value)
{
	const char *digits = *text;

	for (*value = 0; isdigit((unsigned char)**text); ++*text) {
		if (*value <= UINT32_MAX)
			*value = *value * 10 + (**text - '0');
	}
	return *text != digits;
}

/* One number, range or word. */
static int add_entry(struct builder *b, const char *text, struct err *err)
{
	const struct setting_word *word = setting_int_find(b->row, text);
	const char *rest = text;
	int64_t first, last;

	if (word != NULL)
		return add_value(b, word->value, err);
	if (!take_number(&rest, &first))
		return setting_refuse_text(b->row, text, err);
	last = first;
	if (*rest == '-') {
		rest++;
		if (!take_number(&rest, &last))
			return setting_refuse_text(b->row, text, err);
	}
	if (*rest != '\0' || last < first)
		return setting_refuse_text(b->row, text, err);
	return add_range(b, first, last, err);
}

static int add_text(struct builder *b, const char *text, struct err *err)
{
	for (;;) {
		size_t len = strcspn(text, ",");
		char entry[ENTRY_MAX];
		int ret;

		if (len >= sizeof(entry))
			return setting_refuse_text(b->row, text, err);
		memcpy(entry, text, len);
		entry[len] = '\0';
		ret = add_entry(b, entry, err);
		if (ret < 0 || text[len] == '\0')
			return ret;
		text += len + 1;
	}
}

static int add_array(struct builder *b, const json_t *array, struct err *err)
{
	const json_t *item;
	size_t i;

	if (json_array_size(array) == 0)
		return err_set(err, -EINVAL, "has no entries");
	json_array_foreach (array, i, item) {
		int ret;

		if (json_is_integer(item))
			ret = add_range(b, json_integer_value(item), json_integer_value(item), err);
		else if (json_is_string(item))
			ret = add_entry(b, json_string_value(item), err);
		else
			ret = setting_refuse_json(b->row, item, err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

int setting_list_set_text(
	const struct setting *row, const char *text, void *target, struct err *err)
{
	struct builder b;
	int ret;

	builder_init(&b, row);
	ret = add_text(&b, text, err);
	if (ret == 0)
		builder_store(&b, target);
	return ret;
}

int setting_list_set_json(
	const struct setting *row, const json_t *value, void *target, struct err *err)
{
	struct builder b;
	int ret;

	builder_init(&b, row);
	if (json_is_integer(value))
		ret = add_range(&b, json_integer_value(value), json_integer_value(value), err);
	else if (json_is_string(value))
		ret = add_text(&b, json_string_value(value), err);
	else if (json_is_array(value))
		ret = add_array(&b, value, err);
	else
		ret = setting_refuse_json(row, value, err);
	if (ret == 0)
		builder_store(&b, target);
	return ret;
}

static bool set_has(const struct setting *row, const void *target, uint32_t number)
{
	uint64_t word;

	memcpy(&word, (const char *)target + row->offset + number / 64 * sizeof(word),
		sizeof(word));
	return word >> number % 64 & 1;
}

static json_t *set_get_json(const struct setting *row, const void *target)
{
	json_t *array = json_array();
	uint32_t last;

	for (uint32_t first = row->min; first <= row->max; first = last + 1) {
		char range[ENTRY_MAX];

		last = first;
		if (!set_has(row, target, first))
			continue;
		while (last < row->max && set_has(row, target, last + 1))
			last++;
		snprintf(range, sizeof(range), "%" PRIu32 "-%" PRIu32, first, last);
		json_array_append_new(
			array, first == last ? json_integer(first) : json_string(range));
	}
	return array;
}

static json_t *list_get_text(const struct setting *row, const char *items, size_t n)
{
	char text[TEXT_MAX] = "";
	size_t len = 0;

	for (size_t i = 0; i < n && len < sizeof(text); i++) {
		uint32_t value = setting_int_load(items + i * row->item_size, row->item_size);
		const char *word = setting_int_word(row, value);
		char number[ENTRY_MAX];

		snprintf(number, sizeof(number), "%" PRIu32, value);
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i > 0 ? "," : "",
			word != NULL ? word : number);
	}
	return json_string(text);
}

static json_t *list_get_array(const struct setting *row, const char *items, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++) {
		uint32_t value = setting_int_load(items + i * row->item_size, row->item_size);
		const char *word = setting_int_word(row, value);

		json_array_append_new(
			array, word != NULL ? json_string(word) : json_integer(value));
	}
	return array;
}

json_t *setting_list_get_json(const struct setting *row, const void *target)
{
	const char *items = (const char *)target + row->offset;
	size_t n = setting_int_load((const char *)target + row->n_offset, 1);

	if (row->type == SETTING_SET)
		return set_get_json(row, target);
	return row->as_text ? list_get_text(row, items, n) : list_get_array(row, items, n);
}
