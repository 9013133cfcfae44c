/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Names of what limits a process. */

#include "config/setting_word.h"

extern const struct setting_word process_rlimit_words[]; /* RLIMIT_*: "RLIMIT_NOFILE" */

/* Numbers of linux/capability.h: "CAP_NET_RAW". They begin with 0 and leave none out. */
extern const struct setting_word process_capability_words[];
