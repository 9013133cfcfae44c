/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* The mounts of a machine spec, in their order, in the guest's root. */

#include <jansson.h>

#include "config/machine_spec.h"
#include "lib/err.h"

/*
 * One that fails is an error which names its destination; unless it is optional: then it is told on
 * the console. `report`, an array, gets an object for each that was tried: destination, kind,
 * source, and error if it failed.
 */
int volumes_mount(
	const struct machine_mount *mounts, size_t n_mounts, json_t *report, struct err *err);
