/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The VM's own control socket (vm_paths.h), JSON-RPC 2.0 as lib/rpc_server.h:
 *
 *   vm.status {}            -> { name, pid, state, vmm: { kind, pid, state }, root, guest: { mac,
 *                                addresses }, switch: { pid, starts, socket }, vsock: { pid },
 *                                ports: { of port_mirror_status(), shared: { connections,
 *                                refused } },
 *                                steps: [ { name, ms } ], workload: { pid } }
 *                              state: "starting", "running", "stopping"
 *   vm.stop { grace-s }     -> {}  vm_halt.h; it has ended when the socket is closed
 */

#include "launcher/run/vm.h"
#include "lib/rpc_server.h"

/* To be freed with rpc_server_free(). */
int vm_control_start(struct vm *vm, struct rpc_server **out, struct err *err);
