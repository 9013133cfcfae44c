/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* A JSON array of objects, and the array of structs on the heap that it stands for. */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

#define JSON_AT_MAX 128 /* an object's path in messages: "network.routes[3].nexthops[0]." */

/*
 * Decodes into *item, which is zeroed; `at` ends with '.'. What it left there on failure is freed
 * by the owner of the array.
 */
typedef int (*json_item_decode_fn)(
	const json_t *object, const char *at, void *item, struct err *err);

/* A new reference; NULL: no memory. */
typedef json_t *(*json_item_encode_fn)(const void *item);

struct json_items {
	const char *key; /* of the object that has the array */
	size_t n_max;
	size_t size; /* of one struct */
	json_item_decode_fn decode;
	json_item_encode_fn encode;
};

/* Of object[key]; one that is not there is empty. *items and *n are the caller's to free, also on
 * failure. */
int json_items_decode(const struct json_items *kind, const json_t *object, const char *at,
	void **items, size_t *n, struct err *err);

/* A new reference; NULL: no memory. */
json_t *json_items_encode(const struct json_items *kind, const void *items, size_t n);

/* Adds it to the object, of which the caller drops the reference if this is false. */
bool json_items_put(json_t *object, const struct json_items *kind, const void *items, size_t n);
