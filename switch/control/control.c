/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/control/control.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "lib/log.h"
#include "lib/sd_notify.h"
#include "switch/control/apply.h"
#include "switch/control/methods.h"

/* ISO 8601 with milliseconds, UTC, into text[32]. */
static const char *timestamp(char *text)
{
	struct timespec now;
	struct tm tm;
	size_t len;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	len = strftime(text, 32, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + len, 32 - len, ".%03ldZ", now.tv_nsec / 1000000);
	return text;
}

static void on_event(void *ctx, const char *event, const char *port, const char *detail)
{
	struct control *c = ctx;
	char time[32];
	json_t *params = json_pack("{s:s, s:s, s:s*, s:s*}", "time", timestamp(time), "event",
		event, "port", port, "detail", detail);

	if (params)
		rpc_server_tell(c->server, "event", params);
	json_decref(params);
}

int control_start(
	struct control *c, struct sluiced_config *config, struct event_base *base, struct err *err)
{
	int ret = switch_start(&c->sw, config, base, err);

	if (ret < 0)
		return ret;
	c->server = rpc_server_new(base, c->sw.config.control_socket, control_methods, c, err);
	if (!c->server) {
		switch_stop(&c->sw);
		return -1;
	}
	c->sw.event_ctx = c;
	c->sw.on_event = on_event;
	return 0;
}

void control_stop(struct control *c)
{
	c->sw.on_event = NULL;
	rpc_server_free(c->server);
	switch_stop(&c->sw);
}

static void say_reloading(void)
{
	struct timespec now;
	char text[64];

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		(uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
	(void)sd_notify_send(text);
}

/* Whoever sent SIGHUP has only the log to read it in. */
static void refused(struct control *c, const struct err *err)
{
	log_error("config-refused", log_str("reason", err->text));
	on_event(c, "config-refused", NULL, err->text);
}

int control_reload(struct control *c, json_t *changes, struct err *err)
{
	struct sluiced_config config;
	int ret;

	say_reloading();
	ret = sluiced_config_load(&config, c->config_path, c->settings, err);
	if (ret == 0) {
		ret = switch_apply(&c->sw, &config, changes, err);
		sluiced_config_free(&config);
	}
	if (ret == 0)
		switch_event(&c->sw, "config-reloaded", NULL, c->config_path);
	else
		refused(c, err);
	(void)sd_notify_send("READY=1");
	return ret;
}
