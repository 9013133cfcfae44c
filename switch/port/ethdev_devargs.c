/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/port/ethdev_devargs.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	enum ethdev_driver driver;
	const char *path_key;
	const char *queues_key;
} drivers[] = {
	{ "net_af_packet", ETHDEV_AF_PACKET, "iface", "qpairs" },
	{ "eth_af_packet", ETHDEV_AF_PACKET, "iface", "qpairs" },
	{ "net_vhost", ETHDEV_VHOST, "iface", "queues" },
	{ "eth_vhost", ETHDEV_VHOST, "iface", "queues" },
	{ "net_virtio_user", ETHDEV_VIRTIO_USER, "path", "queues" },
	{ "virtio_user", ETHDEV_VIRTIO_USER, "path", "queues" },
};

/* The value of `key` in "name,key=value,...", up to the next comma; false if it is not there. */
static bool find_value(const char *text, const char *key, char *out, size_t size)
{
	const size_t key_len = strlen(key);

	while ((text = strchr(text, ',')) != NULL) {
		text++;
		if (strncmp(text, key, key_len) == 0 && text[key_len] == '=') {
			text += key_len + 1;
			snprintf(out, size, "%.*s", (int)strcspn(text, ","), text);
			return true;
		}
	}
	return false;
}

static void add(struct ethdev_devargs *d, const char *key, unsigned value)
{
	size_t used = strlen(d->text);

	snprintf(d->text + used, sizeof(d->text) - used, ",%s=%u", key, value);
}

/* A ring's geometry is added as a whole or not at all: its numbers depend on each other. */
static void complete_af_packet(struct ethdev_devargs *d)
{
	static const char *const geometry[] = { "framesz", "blocksz", "framecnt" };
	char value[32];
	bool given = false;

	for (size_t i = 0; i < sizeof(geometry) / sizeof(geometry[0]); i++)
		given |= find_value(d->text, geometry[i], value, sizeof(value));
	if (!find_value(d->text, "qdisc_bypass", value, sizeof(value)))
		add(d, "qdisc_bypass", 0);
	if (given) {
		d->frame_size = find_value(d->text, "framesz", value, sizeof(value))
					? (uint32_t)strtoul(value, NULL, 10)
					: ETHDEV_AF_FRAME_PLAIN;
		return;
	}
	add(d, "framesz", ETHDEV_AF_FRAME);
	add(d, "blocksz", ETHDEV_AF_BLOCK);
	add(d, "framecnt", ETHDEV_AF_N_FRAMES);
	d->frame_size = ETHDEV_AF_FRAME;
}

static void complete(struct ethdev_devargs *d, unsigned n_queues)
{
	char value[32];

	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++) {
		if (strcmp(drivers[i].name, d->driver_name) != 0)
			continue;
		d->driver = drivers[i].driver;
		(void)find_value(d->text, drivers[i].path_key, d->path, sizeof(d->path));
		if (n_queues > 1 &&
			!find_value(d->text, drivers[i].queues_key, value, sizeof(value)))
			add(d, drivers[i].queues_key, n_queues);
		if (d->driver == ETHDEV_AF_PACKET)
			complete_af_packet(d);
	}
}

int ethdev_devargs_parse(
	struct ethdev_devargs *out, const char *text, unsigned n_queues, struct err *err)
{
	size_t len, stem;

	*out = (struct ethdev_devargs) { 0 };
	if (strncmp(text, "vdev:", 5) == 0)
		text += 5;
	len = strcspn(text, ",");
	if (len == 0 || len >= sizeof(out->name))
		return err_set(err, -EINVAL,
			"\"%s\" does not begin with a device's name of at most %zu characters",
			text, sizeof(out->name) - 1);
	memcpy(out->name, text, len);
	for (stem = len; stem > 0 && isdigit((unsigned char)text[stem - 1]);)
		stem--;
	memcpy(out->driver_name, text, stem);
	snprintf(out->text, sizeof(out->text), "%s", text);
	complete(out, n_queues);
	return 0;
}
