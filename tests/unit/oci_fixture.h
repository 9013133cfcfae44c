/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* A node to convert containers for, and config.json as short texts. */

#include <json-c/json.h>

#include "launcher/oci/oci_config.h"

/* As sluice-runtime has them where nothing is set, without /dev/kvm; static, made anew. */
struct oci_facts *oci_fixture(struct runtime_settings **settings);

/* The text's value, with ' for "; a new reference. One that is not JSON fails the test. */
json_object *oci_text(const char *text);

/*
 * The smallest container that becomes a VM, with what `changes` (as for oci_text()) has in its
 * place, member by member: in an object that both have, of that object.
 */
json_object *oci_container(const char *changes);

/* Decides upon and converts what oci_container() makes of it; container.json, a new reference.
 * A refusal fails the test. */
json_object *oci_converted(
	const char *changes, const struct oci_facts *facts, json_object **config);

/* Expects that to be refused, by one line with these words in it. */
void oci_refused(const char *changes, const struct oci_facts *facts, int code, const char *words);

/* The value at a path of keys and numbers ("process/args/0"), borrowed; NULL: there is none. */
json_object *oci_at(json_object *tree, const char *path);

/* The same as text; "" if there is none. */
const char *oci_text_at(json_object *tree, const char *path);

/* The mount at a destination in a converted config, borrowed; NULL: there is none. */
json_object *oci_mount_at(json_object *config, const char *destination);

/* Expects this text at that path. */
void oci_expect(json_object *tree, const char *path, const char *text);
