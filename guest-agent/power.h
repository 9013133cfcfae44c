/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The machine's end, as PID 1 brings it about: every process is killed, what is written is brought
 * to where it belongs, file systems are unmounted or, if that fails, made read-only, and the
 * machine is turned off. What a server that no longer answers keeps waiting is given up after a
 * time.
 *
 * A VMM whose machines cannot turn themselves off, only reset themselves, says so by the word
 * POWER_RESET_WORD on the kernel's command line.
 */

#define POWER_RESET_WORD "sluice.poweroff=reset"
#define POWER_END_S      3     /* without any process ending */
#define POWER_SETTLE_MS  10000 /* without anything being written */

_Noreturn void power_off(void);
