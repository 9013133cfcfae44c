/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* How an engine learns why a call failed: from the file that it named with --log, in the form that
 * it asked for, as runc writes it; and everybody else from stderr. */

#include "launcher/oci/runtime_words.h"

/* `text` is one line. What cannot be written is not. */
void runtime_log_failure(const struct runtime_words *words, const char *text);
