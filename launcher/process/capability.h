/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>

/* Whether this process has it now, by its number: CAP_NET_ADMIN (<linux/capability.h>). */
bool capability_held(unsigned number);
