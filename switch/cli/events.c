/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/cli/command.h"
#include "switch/cli/field.h"

/* One line: time, event, port, detail; or how many events are missing. */
void event_print(const json_t *event, FILE *out)
{
	const char *detail = field_text(event, "detail", "");
	char count[NUMBER_TEXT_MAX];

	fprintf(out, "%-24s  %s  %s", field_text(event, "time", "-"),
		field_text(event, "event", "?"), field_text(event, "port", "-"));
	detail = field_number(event, "count", detail, count);
	fprintf(out, "%s%s\n", detail[0] != '\0' ? "  " : "", detail);
}
