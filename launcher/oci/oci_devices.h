/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Devices of the node: /dev/kvm and /dev/net/tun are what a VM is made with, and given where the
 * node has them. Others cannot be passed on to a guest: they are refused, and so is leave for all
 * of them, which is what engines make of a privileged container.
 */

#include <stdbool.h>

#include <json-c/json.h>

#include "lib/err.h"

/* `linux_part`: config.json's "linux"; NULL: none. -ENOTSUP, -EINVAL. */
int oci_devices_check(json_object *linux_part, struct err *err);

/* Adds them to linux.devices and linux.resources.devices. */
int oci_devices_add(json_object *linux_part, bool kvm, bool tun, struct err *err);
