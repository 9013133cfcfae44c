/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* What sluice-vm would say of a container.json. */

#include "lib/err.h"

int container_check(const char *text, struct err *err);
