/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The agent as a machine's PID 1. In this order:
 *
 *   /dev and the console; the machine's files, which are taken away from the initramfs; the
 *   kernel's file systems; modules; the agent, which listens from here on: what fails before ends
 *   the machine, what fails later is what its clients are told
 *   the spec; host name; network; root; volumes; files of /etc; the workload
 *
 * Then it serves, until a client asks for the machine's end, the workload has ended and its client
 * knows, the power button is pressed, or a signal comes: SIGINT (Ctrl-Alt-Del), SIGTERM, SIGPWR.
 */
_Noreturn void init_run(void);
