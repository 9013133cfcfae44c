/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What a VMM may give us to signal and be signalled by.
 *
 * Workers write to the call descriptor and wait for the kick descriptor, so neither should be able
 * to block them: an eventfd, non-blocking, or (UML's call descriptor) a unix socket. Files are
 * refused, their file system may never answer. A VMM can still make the eventfd block again behind
 * our back: virtqueue_signal() says what happens then.
 *
 * Nothing here asks a file system anything.
 */

#include <stdbool.h>

#include "lib/err.h"

bool vhost_signal_is_eventfd(int fd);

/*
 * Makes `fd` non-blocking if it is of a kind that will do. A unix socket does only if `is_socket`
 * is not NULL, which then says whether it is one. -EINVAL: neither; or fcntl()'s errno.
 */
int vhost_signal_check(int fd, bool *is_socket, struct err *err);
