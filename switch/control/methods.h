/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What can be asked over the control socket. Every result is an array of objects with snake_case
 * keys, named as iproute2 names them where it has the thing (ifname, operstate, stats64).
 */

#include "switch/control/rpc_server.h"

/* The context is a struct sluice_switch. */
extern const struct rpc_method switch_methods[];
