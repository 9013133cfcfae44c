/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Unpacks a kernel (bzimage.h) by the library of its format. What is behind the packed data is left
 * alone: the kernel's build puts a length there.
 */

#include <stdint.h>

#include "launcher/image/bzimage.h"

/*
 * Writes what is packed in `image` to `fd`. -EBADMSG: the data is damaged, or ends early; -EFBIG:
 * it is more than `room` bytes; -ENOTSUP: the packing is none that is known here; or as write(2).
 */
int unpack(const struct bzimage *image, int fd, uint64_t room);
