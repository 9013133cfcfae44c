/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/log_words.h"

#include <stddef.h>

#include "lib/log.h"

const struct setting_word log_level_words[] = {
	{ "error", LOG_LEVEL_ERROR },
	{ "warn", LOG_LEVEL_WARN },
	{ "info", LOG_LEVEL_INFO },
	{ "debug", LOG_LEVEL_DEBUG },
	{ "off", LOG_LEVEL_OFF },
	{ NULL },
};

const struct setting_word log_format_words[] = {
	{ "text", LOG_FORMAT_TEXT },
	{ "json", LOG_FORMAT_JSON },
	{ NULL },
};
