/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* For a program that may be started with stdin, stdout or stderr closed: those are /dev/null from
 * here on, so that nothing else that is opened becomes one of them. */
void standard_streams_fill(void);
