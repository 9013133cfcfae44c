/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* The machine's power button, as an input device: how a VMM asks a guest to turn itself off. */

struct event_base;

/* Of all the input devices there are now. A machine without button has none to watch. */
void power_button_watch(struct event_base *loop, void (*pressed)(void *owner), void *owner);
