/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Looks at what `sluice-vm run` would need here, with these settings, and says of each thing what
 * it found and what could be done about it. Nothing is changed: nothing is created, mounted,
 * locked or waited for.
 *
 * A failure is what `run` would end with; a warning is what it could do without, or what may turn
 * out badly.
 */

#include <stdbool.h>
#include <stddef.h>

#include "config/vm_settings.h"
#include "launcher/run/volume.h"
#include "lib/err.h"

#define DOCTOR_FINDINGS_MAX 64

enum doctor_level { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL };

struct doctor_finding {
	enum doctor_level level;
	const char *name;         /* "nftables"; static */
	char found[ERR_TEXT_MAX]; /* one line */
	const char *advice;       /* static; NULL: there is nothing to do, or `found` says it */
};

struct doctor {
	const struct vm_settings *settings; /* borrowed, as they are */
	const struct volumes *volumes;
	struct doctor_finding findings[DOCTOR_FINDINGS_MAX];
	size_t n_findings;
	bool failed;      /* one of them is a failure */
	bool has_address; /* the pod's interface: its kernel answers there */
	bool has_relay;   /* names are resolved by one (dns_relay.h) */
};

/* All that there is to look at; findings are in the order in which `run` would come upon it. */
void doctor_examine(
	struct doctor *d, const struct vm_settings *settings, const struct volumes *volumes);

/* "ok", "warn", "fail". */
const char *doctor_level_name(enum doctor_level level);

/* A line for each finding, or one JSON object, on stdout. -EIO: they cannot be written. */
int doctor_print(const struct doctor *d, bool json, struct err *err);

/* What examinations say; `found` is a format. */
void doctor_note(struct doctor *d, enum doctor_level level, const char *name, const char *advice,
	const char *found, ...) __attribute__((format(printf, 5, 6)));

/* Whether the guest is to reach services of the pod: when the network has been looked at. */
bool doctor_needs_host_port(const struct doctor *d);

/* Whether the guest is to have one (vm_tap.h). */
bool doctor_needs_tap(const struct doctor *d);

/* Parts of doctor_examine(). */
void doctor_examine_command(struct doctor *d);
void doctor_examine_pod(struct doctor *d);
void doctor_examine_network(struct doctor *d);
void doctor_examine_machine(struct doctor *d);
void doctor_examine_storage(struct doctor *d);
void doctor_examine_programs(struct doctor *d);
