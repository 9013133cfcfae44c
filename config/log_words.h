/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* What log-level and log-format may be, in every program's table. */

#include "config/setting_value.h"

extern const struct setting_word log_level_words[], log_format_words[];
