/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "config/sysctls.h"
#include "lib/err.h"

/* Tells the kernel each of them. An error names the first that it has not, or does not take. */
int sysctl_apply(const struct sysctls *sysctls, struct err *err);
