/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* A snapshot of the pod's network for people, in the manner of ip(8): no format to rely on. */

#include <stdio.h>

#include "launcher/pod/pod_network.h"

/* Of a snapshot with a choice, whose interface is marked. */
void pod_network_print(const struct pod_network *net, FILE *out);
