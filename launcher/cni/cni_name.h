/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Names that come from a runtime and end up in paths and files: what passes here has no '/', no
 * blank and no line's end, is neither "." nor "..", and fits into a path's part.
 */

#include "lib/err.h"

#define CNI_NAME_MAX   200 /* of a container or network: leaves room for more in a file's name */
#define CNI_IFNAME_MAX 15

/* A container's ID or a network's name: a letter or digit, then those, '_', '.' and '-'. -EINVAL.
 */
int cni_name_check(const char *name, struct err *err);

/* An interface's: as the kernel wants it, of printable ASCII. -EINVAL. */
int cni_name_check_interface(const char *name, struct err *err);
