/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * sluice-vsock: a virtual machine's vsock device, for as long as its VMM is connected. Exit status:
 * 0 when the VMM has gone or after SIGTERM, 1 if something could not be started or the VMM broke
 * the protocol, 2 if the command line is wrong.
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "config/vsock_config.h"
#include "lib/log.h"
#include "lib/nofile.h"
#include "lib/sd_notify.h"
#include "switch/vsock/vsock_device.h"

#define EXIT_USAGE 2

static void on_signal(evutil_socket_t signal, short what, void *arg)
{
	log_info("stopping", log_str("signal", strsignal(signal)));
	(void)event_base_loopbreak(arg);
}

static int run(const struct vsock_config *config, struct event_base *base, struct err *err)
{
	static struct vsock_device device;
	struct event *term = evsignal_new(base, SIGTERM, on_signal, base);
	struct event *interrupt = evsignal_new(base, SIGINT, on_signal, base);
	int ret;

	event_add(term, NULL);
	event_add(interrupt, NULL);
	ret = vsock_device_open(&device, config, base, err);
	if (ret == 0) {
		log_info("ready", log_str("device", config->device), log_str("host", config->host),
			log_int("connections", device.vsock.n_conns_max));
		(void)sd_notify_send("READY=1");
		event_base_dispatch(base);
		(void)sd_notify_send("STOPPING=1");
		if (device.failed)
			ret = err_set(err, -EPROTO, "%s", device.socket.why.text);
	}
	vsock_device_close(&device);
	event_free(interrupt);
	event_free(term);
	return ret;
}

static int start(const struct vsock_config *config)
{
	struct err err = { "" };
	struct event_base *base;
	int ret;

	log_configure(config->log_level, config->log_format);
	/* A peer that closes its end is an error of that write, no more. */
	signal(SIGPIPE, SIG_IGN);
	(void)nofile_raise(RLIM_INFINITY); /* each connection costs one */
	base = event_base_new();
	if (!base) {
		log_error("cannot make an event loop");
		return EXIT_FAILURE;
	}
	ret = run(config, base, &err);
	event_base_free(base);
	if (ret < 0)
		log_error("failed", log_str("reason", err.text));
	return ret < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct vsock_config config;
	struct err err = { "" };

	switch (vsock_config_parse(argc, argv, &config, &err)) {
	case VSOCK_CONFIG_RUN:
		return start(&config);
	case VSOCK_CONFIG_HELP:
		vsock_config_print_help(stdout);
		return EXIT_SUCCESS;
	case VSOCK_CONFIG_VERSION:
		printf("sluice-vsock %s\n", SLUICE_VERSION);
		return EXIT_SUCCESS;
	default:
		fprintf(stderr, "sluice-vsock: %s\n", err.text);
		return EXIT_USAGE;
	}
}
