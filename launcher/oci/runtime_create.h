/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * `create`, and `run`: a container that is to be a VM has its config.json converted before the real
 * runtime sees it; any other's is not touched.
 *
 * Killed at any moment, this leaves a config.json that is the old one or the new one, whole; what
 * else it may leave is in the bundle, and is made anew by the next call.
 */

#include "config/runtime_settings.h"
#include "launcher/oci/runtime_words.h"
#include "lib/err.h"

/* 0: the call is to be passed on. */
int runtime_create(const struct runtime_words *words, const struct runtime_settings *settings,
	struct err *err);
