/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest-agent/power_button.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <event2/event.h>
#include <linux/input.h>

#include "lib/cleanup.h"

#define DEVICES_MAX 32

/* For as long as the process: there is one loop. */
static struct {
	void (*pressed)(void *owner);
	void *owner;
} button;

static bool has_key(int fd, unsigned key)
{
	uint8_t keys[KEY_MAX / CHAR_BIT + 1] = { 0 };

	return ioctl(fd, EVIOCGBIT(EV_KEY, sizeof(keys)), keys) >= 0 &&
	       (keys[key / CHAR_BIT] & 1U << key % CHAR_BIT) != 0;
}

static void on_input(evutil_socket_t fd, short what, void *unused)
{
	struct input_event event;

	while (read(fd, &event, sizeof(event)) == sizeof(event))
		if (event.type == EV_KEY && event.code == KEY_POWER && event.value == 1)
			button.pressed(button.owner);
}

void power_button_watch(struct event_base *loop, void (*pressed)(void *owner), void *owner)
{
	button.pressed = pressed;
	button.owner = owner;
	for (int i = 0; i < DEVICES_MAX; i++) {
		char path[32];
		cleanup_close int fd = -1;
		struct event *event;

		snprintf(path, sizeof(path), "/dev/input/event%d", i);
		fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0 || !has_key(fd, KEY_POWER))
			continue;
		event = event_new(loop, fd, EV_READ | EV_PERSIST, on_input, NULL);
		if (event != NULL && event_add(event, NULL) == 0)
			(void)steal_fd(&fd);
	}
}
