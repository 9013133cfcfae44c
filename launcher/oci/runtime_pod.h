/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Whether a container's pod has a VM already (launcher/pod/pod_lock.h), as the node sees it before
 * the container is there. Only a look: a VM that starts after it is refused when it takes the lock.
 */

#include <json-c/json.h>

#include "lib/err.h"

/* -EBUSY: it has one. What cannot be found out is left to the lock. */
int runtime_pod_check(json_object *config, struct err *err);
