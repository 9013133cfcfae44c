/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/roff.h"

#include <stdbool.h>
#include <stddef.h>

/* groff(7): characters that would mean something, or come out as another one. NULL: itself. */
static const char *escape(char c)
{
	switch (c) {
	case '\\':
		return "\\e";
	case '-':
		return "\\-"; /* to be found and copied as ASCII, and not broken at */
	case '"':
		return "\\(dq"; /* would end a macro's argument */
	case '\'':
		return "\\(aq";
	case '`':
		return "\\(ga";
	case '^':
		return "\\(ha";
	case '~':
		return "\\(ti";
	default:
		return NULL;
	}
}

void roff_text(const char *text, FILE *out)
{
	bool begins = true;

	for (; *text != '\0'; text++) {
		const char *escaped = escape(*text);

		if (begins && *text == '.')
			fputs("\\&", out);
		if (escaped != NULL)
			fputs(escaped, out);
		else
			fputc(*text, out);
		begins = *text == '\n';
	}
}

void roff_entry(const char *name, const char *unit, FILE *out)
{
	fputs(".TP\n\\fB", out);
	roff_text(name, out);
	fputs("\\fR", out);
	if (unit != NULL) {
		fputs(" \\fI", out);
		roff_text(unit, out);
		fputs("\\fR", out);
	}
	fputc('\n', out);
}

void roff_heading(const char *text, FILE *out)
{
	fputs(".SS ", out);
	roff_text(text, out);
	fputc('\n', out);
}
