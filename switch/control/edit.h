/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * How a method changes something: a copy of the running configuration is changed and applied, so
 * that it obeys the same rules as a file, and `config show` tells what has become of it. The file
 * itself is not written; a reload goes back to it.
 */

#include <jansson.h>

#include "config/config_edit.h"
#include "switch/control/control.h"

/* A copy to change, for edit_end(). -ENOMEM with *err set. */
int edit_begin(struct control *c, struct sluiced_config *next, struct err *err);

/*
 * Applies the edit if it went well (ret is 0) and gives it up otherwise; either way `next` is
 * freed. Returns what changed, or NULL with *err set.
 */
json_t *edit_end(struct control *c, struct sluiced_config *next, int ret, struct err *err);
