/* SPDX-License-Identifier: BSD-3-Clause */
#include "json_text.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

json_t *json_text(const char *text)
{
	json_error_t why;
	json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &why);

	if (json == NULL)
		fail_msg("%s: %s", text, why.text);
	return json;
}
