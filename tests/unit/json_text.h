/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <jansson.h>

/* The text's value, a new reference; one that is not JSON fails the test. */
json_t *json_text(const char *text);
