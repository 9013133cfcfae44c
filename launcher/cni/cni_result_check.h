/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Whether JSON is a result as the specification has it, in a version of it. What a result may have
 * besides is not looked at. Messages begin with `at`: "prevResult.ips[0].address: ...". */

#include <jansson.h>

#include "launcher/cni/cni_version.h"
#include "lib/err.h"

/* -EINVAL; -EPROTONOSUPPORT: it says that it is of another version. */
int cni_result_check(
	const json_t *result, enum cni_version version, const char *at, struct err *err);

/* The same of its part `dns`, which a configuration has as well. -EINVAL. */
int cni_result_check_dns(const json_t *dns, const char *at, struct err *err);
