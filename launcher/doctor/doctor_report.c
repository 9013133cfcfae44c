/* SPDX-License-Identifier: BSD-3-Clause */

/* Findings, and how they are told: of any program's doctor. */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include <jansson.h>

#include "launcher/doctor/doctor.h"

void doctor_note(struct doctor *d, enum doctor_level level, const char *name, const char *advice,
	const char *found, ...)
{
	struct doctor_finding *finding = &d->findings[d->n_findings];
	va_list args;

	d->failed |= level == DOCTOR_FAIL;
	if (d->n_findings == DOCTOR_FINDINGS_MAX)
		return;
	*finding = (struct doctor_finding) { .level = level, .name = name, .advice = advice };
	va_start(args, found);
	vsnprintf(finding->found, sizeof(finding->found), found, args);
	va_end(args);
	d->n_findings++;
}

const char *doctor_level_name(enum doctor_level level)
{
	static const char *const names[] = {
		[DOCTOR_OK] = "ok", [DOCTOR_WARN] = "warn", [DOCTOR_FAIL] = "fail"
	};

	return names[level];
}

static void print_text(const struct doctor *d)
{
	for (const struct doctor_finding *f = d->findings; f < d->findings + d->n_findings; f++)
		printf("%-4s  %-17s  %s%s%s\n", doctor_level_name(f->level), f->name, f->found,
			f->advice != NULL ? "; " : "", f->advice != NULL ? f->advice : "");
}

static int print_json(const struct doctor *d, struct err *err)
{
	json_t *findings = json_array();
	json_t *report;
	int ret;

	for (const struct doctor_finding *f = d->findings; f < d->findings + d->n_findings; f++)
		json_array_append_new(findings,
			json_pack("{s:s, s:s, s:s, s:s?}", "level", doctor_level_name(f->level),
				"name", f->name, "found", f->found, "advice", f->advice));
	ret = json_array_size(findings) == d->n_findings ? 0 : -1;
	report = json_pack("{s:b, s:o}", "ok", !d->failed, "findings", findings);
	if (ret == 0 && report != NULL)
		ret = json_dumpf(report, stdout, JSON_INDENT(2));
	json_decref(report);
	putchar('\n');
	return ret < 0 ? err_set(err, -EIO, "cannot write the findings as JSON") : 0;
}

int doctor_print(const struct doctor *d, bool json, struct err *err)
{
	int ret = 0;

	if (json)
		ret = print_json(d, err);
	else
		print_text(d);
	if (ret == 0 && (fflush(stdout) != 0 || ferror(stdout)))
		ret = err_errno(err, EIO, "cannot write to the standard output");
	return ret;
}
