/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * config.json, process.json and the like: read strictly, and replaced at one stroke.
 *
 * What two readers could understand differently is refused: members of the same name, NUL in text,
 * what is no UTF-8, anything behind the value. json-c lets some of it pass.
 *
 * Thread-safety: none is needed; no state.
 */

#include <stddef.h>
#include <sys/types.h>

#include <json-c/json.h>

#include "lib/err.h"

#define OCI_FILE_MAX   (16U << 20) /* bytes */
#define OCI_FILE_DEPTH 32

/* A new reference. -EINVAL: not JSON, or not as it has to be. `text` ends with NUL. */
int oci_json_parse(const char *text, size_t len, json_object **out, struct err *err);

/* As oci_json_parse(), of a plain file. Messages begin with its path. */
int oci_file_read(const char *path, json_object **out, struct err *err);

/*
 * Replaces a file that is there: it keeps its owner and mode, and whoever reads it finds the old or
 * the new, whenever this program is killed. What a killed one leaves behind is PATH.sluice, which
 * the next one takes away.
 */
int oci_file_replace(const char *path, json_object *value, struct err *err);

/* Makes a file that is not there, of this mode. */
int oci_file_create(const char *path, mode_t mode, json_object *value, struct err *err);
