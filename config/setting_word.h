/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A value that is written as a word. Lists end with a NULL name. */
struct setting_word {
	const char *name;
	int64_t value;
	bool host_affecting; /* as of a setting (setting_value.h), this value alone */
};
