/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * sluiced: read the configuration, start in order, say READY, run until told to stop, stop in
 * reverse. Exit status: 0 after an orderly stop, 1 if something could not be started, 2 if the
 * command line or the configuration is wrong (nothing was started then).
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "config/sluiced_config.h"
#include "config/sluiced_options.h"
#include "lib/log.h"
#include "lib/nofile.h"
#include "lib/sd_notify.h"
#include "switch/control/eal.h"
#include "switch/control/control.h"
#include "switch/control/telemetry.h"

#define EXIT_USAGE 2

/* DPDK's heap: the forwarding database takes about 100 bytes an address, the rest is slack. */
static unsigned heap_mb(const struct sluiced_config *config)
{
	return 16 + config->fdb_size / 4096;
}

static void on_signal(evutil_socket_t signal, short what, void *arg)
{
	log_info("stopping", log_str("signal", strsignal(signal)));
	(void)event_base_loopexit(arg, NULL);
}

static void on_hangup(evutil_socket_t signal, short what, void *arg)
{
	struct err err = { "" };

	(void)control_reload(arg, NULL, &err); /* which says how it went */
}

static int run(
	struct control *c, struct sluiced_config *config, struct event_base *base, struct err *err)
{
	struct event *term = evsignal_new(base, SIGTERM, on_signal, base);
	struct event *interrupt = evsignal_new(base, SIGINT, on_signal, base);
	struct event *hangup = evsignal_new(base, SIGHUP, on_hangup, c);
	int ret;

	/* From here on a signal means an orderly stop, also while we start. */
	event_add(term, NULL);
	event_add(interrupt, NULL);
	ret = control_start(c, config, base, err);
	if (ret == 0) {
		event_add(hangup, NULL);
		log_info("ready", log_str("control_socket", c->sw.config.control_socket),
			log_int("ports", c->sw.n_ports));
		(void)sd_notify_send("READY=1\nSTATUS=forwarding");
		event_base_dispatch(base);
		(void)sd_notify_send("STOPPING=1");
		control_stop(c);
	}
	event_free(hangup);
	event_free(interrupt);
	event_free(term);
	return ret;
}

static int start(struct sluiced_config *config, const struct sluiced_options *opts)
{
	static struct control control;
	struct err err = { "" };
	struct event_base *base;
	int ret;

	log_configure(config->log_level, config->log_format);
	/* A peer that closes its end of a pipe or socket is an error of that write, no more. */
	signal(SIGPIPE, SIG_IGN);
	(void)nofile_raise(RLIM_INFINITY); /* each guest costs some */
	base = event_base_new();
	if (!base) {
		log_error("cannot make an event loop");
		return EXIT_FAILURE;
	}
	ret = eal_start(heap_mb(config), config->telemetry, &err);
	if (ret == 0) {
		control.config_path = opts->config_path;
		control.settings = opts->settings;
		ret = config->telemetry ? telemetry_start(&err) : 0;
		if (ret == 0)
			ret = run(&control, config, base, &err);
		eal_stop();
	}
	event_base_free(base);
	if (ret < 0)
		log_error("cannot start", log_str("reason", err.text));
	return ret < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* A wrong command line or configuration: one line, nothing started. */
static int refuse(const struct err *err)
{
	fprintf(stderr, "sluiced: %s\n", err->text);
	return EXIT_USAGE;
}

static int load_and_start(const struct sluiced_options *opts)
{
	struct sluiced_config config;
	struct err err = { "" };
	int ret;

	if (sluiced_config_load(&config, opts->config_path, opts->settings, &err) < 0)
		return refuse(&err);
	if (opts->action == SLUICED_CHECK) {
		printf("%s: good, %zu ports\n", opts->config_path, config.n_ports);
		ret = EXIT_SUCCESS;
	} else {
		ret = start(&config, opts);
	}
	sluiced_config_free(&config);
	return ret;
}

int main(int argc, char **argv)
{
	struct sluiced_options opts;
	struct err err = { "" };

	if (sluiced_options_parse(argc, argv, &opts, &err) < 0)
		return refuse(&err);
	switch (opts.action) {
	case SLUICED_HELP:
		sluiced_options_print_help(stdout);
		return EXIT_SUCCESS;
	case SLUICED_VERSION:
		printf("sluiced %s\n", SLUICE_VERSION);
		return EXIT_SUCCESS;
	default:
		return load_and_start(&opts);
	}
}
