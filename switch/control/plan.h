/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* What has to be done to get from the running configuration to another: see apply.h. */

#include <jansson.h>

#include "switch/control/switch.h"

enum step_kind { STEP_KEEP, STEP_SET, STEP_REPLACE, STEP_ADD, STEP_REMOVE };

/* One port's. */
struct step {
	enum step_kind kind;
	const struct port_config *from; /* NULL: STEP_ADD */
	const struct port_config *to;   /* NULL: STEP_REMOVE */
	struct port *old;               /* NULL: none, or closed by now */
	struct port *new;               /* NULL: none, or not open yet; old, where that is kept */
	bool late;                      /* claims what another port must give up first */
	bool vlans_differ;
};

struct plan {
	const struct sluiced_config *from, *to;
	bool spread; /* the number of workers differs */
	size_t n;
	struct step *step; /* the ports of `to` in their order, then those to be removed */
};

/*
 * -EBUSY with *err set if something differs that cannot change while the switch runs. Refers to
 * both configurations. Free with plan_free().
 */
int plan_make(struct plan *plan, const struct sluice_switch *sw, const struct sluiced_config *to,
	struct err *err);

void plan_free(struct plan *plan);

/* Appends what differs to an array, as objects {what, name}. */
void plan_describe(const struct plan *plan, json_t *changes);
