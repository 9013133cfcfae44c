/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * How fast this machine's time stamp counter counts, in kHz. What a guest reads whose processor is
 * emulated is that counter. Measured in 10 ms, once: later calls tell what came of it.
 *
 * Thread-safety: main thread.
 */
unsigned tsc_khz(void);
