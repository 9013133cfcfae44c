/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * sluice-vm guard hold|show.
 *
 * hold: set up what pod_guard.h is about; say so; wait for SIGTERM or SIGINT, and guard the
 * interface anew if it is made anew, or the kernel's ports if SIGHUP says that their file has
 * changed; the same backwards.
 */

#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <netlink/netlink.h>

#include "config/l4_ports.h"
#include "config/settings.h"
#include "config/settings_man.h"
#include "launcher/cli/verb.h"
#include "launcher/pod/guard_show.h"
#include "launcher/pod/host_link.h"
#include "launcher/pod/link_news.h"
#include "launcher/pod/pod_guard.h"
#include "lib/cleanup.h"
#include "lib/sd_notify.h"

/* --- options --------------------------------------------------------------------------------- */

struct hold_options {
	char interface[IF_NAMESIZE];
	uint32_t mode; /* enum guard_mode */
	char kernel_ports[L4_PORTS_TEXT_MAX];
	char kernel_ports_file[PATH_MAX];
	struct ip_addr identity[1];
	struct ip_addr service[GUARD_SERVICES_MAX];
	uint8_t n_identities, n_services;
	bool lab, outside_guard, host_port;
};

static const struct setting_word modes[] = {
	{ "exclusive", GUARD_EXCLUSIVE },
	{ "shared", GUARD_SHARED },
	{ "off", GUARD_OFF },
	{ NULL },
};

#define FIELD(member) SETTING_FIELD(struct hold_options, member)

static const struct setting rows[] = {
	{ "interface", SETTING_NAME, FIELD(interface), .preset = "eth0", .unit = "NAME",
		.help = "what the CNI gave the pod" },
	{ "mode", SETTING_ENUM, FIELD(mode), .preset = "exclusive", .words = modes,
		.help = "what of its traffic the pod's kernel does not see" },
	{ "kernel-ports", SETTING_STRING, FIELD(kernel_ports), .unit = "LIST",
		.help = "what the pod's kernel keeps in shared mode: tcp/80,udp/53-60" },
	{ "kernel-ports-file", SETTING_PATH, FIELD(kernel_ports_file), .unit = "PATH",
		.help = "where that is written instead; read again on SIGHUP" },
	{ "identity", SETTING_ADDRS,
		SETTING_ADDRS_FIELD(struct hold_options, identity, n_identities),
		.preset = HOST_LINK_IDENTITY, .unit = "IP",
		.help = "the pod's address for its guests" },
	{ "service", SETTING_ADDRS, SETTING_ADDRS_FIELD(struct hold_options, service, n_services),
		.preset = HOST_LINK_SERVICE, .unit = "IP[,IP]",
		.help = "the guests' addresses towards it" },
	{ "lab", SETTING_BOOL, FIELD(lab), .preset = "false",
		.help = "also in the machine's own network namespace" },
	{ "outside-guard", SETTING_BOOL, FIELD(outside_guard), .preset = "false",
		.help = "a guard is in place that cannot be seen from here: set none" },
	{ "host-port", SETTING_BOOL, FIELD(host_port), .preset = "false",
		.help = "create " HOST_LINK_NAME ", with the identity address, and remove it" },
};

static const struct settings table = SETTINGS(rows, NULL);

static int read_ports(
	const struct hold_options *options, struct l4_ports *kernel_ports, struct err *err)
{
	int ret;

	if (options->kernel_ports_file[0] != '\0') {
		ret = l4_ports_read(options->kernel_ports_file, kernel_ports, err);
		return ret < 0 ? err_wrap(err, ret, "--kernel-ports-file") : 0;
	}
	if (options->kernel_ports[0] == '\0')
		return 0;
	ret = l4_ports_parse(options->kernel_ports, kernel_ports, err);
	return ret < 0 ? err_wrap(err, ret, "--kernel-ports") : 0;
}

static int make_plan(
	char **words, struct hold_options *options, struct guard_plan *plan, struct err *err)
{
	int ret;

	settings_apply_defaults(&table, 0, options);
	ret = settings_from_args(&table, words, options, err);
	if (ret < 0)
		return ret;
	plan->mode = options->mode;
	plan->identity = options->identity[0];
	plan->n_services = options->n_services;
	plan->host_port = options->host_port;
	memcpy(plan->service, options->service, sizeof(plan->service));
	memcpy(plan->interface, options->interface, sizeof(plan->interface));
	if (plan->mode != GUARD_SHARED &&
		(options->kernel_ports[0] != '\0' || options->kernel_ports_file[0] != '\0'))
		return err_set(err, -EINVAL, "--kernel-ports: is for --mode shared");
	if (options->kernel_ports[0] != '\0' && options->kernel_ports_file[0] != '\0')
		return err_set(err, -EINVAL, "--kernel-ports or --kernel-ports-file, not both");
	return read_ports(options, &plan->kernel_ports, err);
}

/* --- hold ------------------------------------------------------------------------------------ */

/* After SIGHUP: what is wrong with the new list is said, and the old one stays. */
static void change_ports(struct pod_guard *pg, const struct hold_options *options)
{
	char text[L4_PORTS_TEXT_MAX];
	struct err err = { "" };
	struct l4_ports ports = { 0 };
	int ret;

	if (options->kernel_ports_file[0] == '\0')
		return;
	ret = read_ports(options, &ports, &err);
	if (ret == 0)
		ret = pod_guard_set_ports(pg, &ports, &err);
	if (ret < 0) {
		fprintf(stderr, "sluice-vm guard: %s\n", err.text);
		return;
	}
	l4_ports_format(&ports, text);
	printf("%s: the pod's kernel keeps %s\n", pg->plan.interface,
		text[0] != '\0' ? text : "no port");
	fflush(stdout);
}

/* Takes one signal; false: it is time to end. */
static bool goes_on(int signals, struct pod_guard *pg, const struct hold_options *options)
{
	struct signalfd_siginfo signal;

	if (read(signals, &signal, sizeof(signal)) != sizeof(signal) || signal.ssi_signo != SIGHUP)
		return false;
	change_ports(pg, options);
	return true;
}

/* Until a signal of those in `signals` (signalfd(2)) ends it, or until the guard cannot be kept. */
static int keep(struct pod_guard *pg, const struct hold_options *options, int signals,
	struct nl_sock *news, struct err *err)
{
	struct pollfd fds[] = { { .fd = signals, .events = POLLIN },
		{ .fd = nl_socket_get_fd(news), .events = POLLIN } };
	int ret = 0;

	while (ret == 0) {
		if (poll(fds, 2, -1) < 0) {
			if (errno == EINTR)
				continue;
			return err_errno(err, errno, "poll");
		}
		if (fds[0].revents != 0 && !goes_on(signals, pg, options))
			return 0;
		link_news_drain(news);
		ret = pod_guard_keep_up(pg, err);
	}
	return ret;
}

static int hold_until(int signals, struct nl_sock *news, const struct hold_options *options,
	const struct guard_plan *plan, struct err *err)
{
	const struct pod_guard_options how = { options->lab, options->outside_guard };
	struct pod_guard pg;
	int ret = pod_guard_start(&pg, plan, &how, err);
	int undone;

	if (ret < 0)
		return ret;
	printf("%s %s\n", plan->interface, pod_guard_describe(&pg));
	fflush(stdout);
	(void)sd_notify_send("READY=1");
	ret = keep(&pg, options, signals, news, err);
	(void)sd_notify_send("STOPPING=1");
	undone = pod_guard_stop(&pg, ret < 0 ? NULL : err);
	return ret < 0 ? ret : undone;
}

static int hold(const struct hold_options *options, const struct guard_plan *plan, struct err *err)
{
	cleanup_close int signals = -1;
	struct nl_sock *news;
	sigset_t heard;
	int ret;

	/* From here on a signal waits until we listen: an end is orderly, also while we start. */
	sigemptyset(&heard);
	sigaddset(&heard, SIGTERM);
	sigaddset(&heard, SIGINT);
	sigaddset(&heard, SIGHUP);
	sigprocmask(SIG_BLOCK, &heard, NULL);
	signals = signalfd(-1, &heard, SFD_CLOEXEC);
	if (signals < 0)
		return err_errno(err, errno, "cannot wait for signals");
	/* Before we look: what changes from then on is news. */
	ret = link_news_open(&news, err);
	if (ret < 0)
		return ret;
	ret = hold_until(signals, news, options, plan, err);
	nl_socket_free(news);
	return ret;
}

static enum verb_status hold_verb(char **words, struct err *err)
{
	struct hold_options options = { 0 };
	struct guard_plan plan = { 0 };

	if (words[0] != NULL && strcmp(words[0], "--help") == 0) {
		settings_print_help(&table, "--", stdout);
		return VERB_OK;
	}
	if (make_plan(words, &options, &plan, err) < 0)
		return VERB_USAGE;
	return hold(&options, &plan, err) < 0 ? VERB_FAILED : VERB_OK;
}

/* --- show ------------------------------------------------------------------------------------ */

static enum verb_status show_text(struct err *err)
{
	cleanup_free char *text = NULL;

	if (guard_show_text(&text, err) < 0)
		return VERB_FAILED;
	fputs(text, stdout);
	return VERB_OK;
}

static enum verb_status show_json(struct err *err)
{
	json_t *shown;

	if (guard_show_json(&shown, err) < 0)
		return VERB_FAILED;
	json_dumpf(shown, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
	putchar('\n');
	json_decref(shown);
	return VERB_OK;
}

static enum verb_status show_verb(char **words, struct err *err)
{
	bool json = words[0] != NULL && strcmp(words[0], "--json") == 0;

	if (words[json] != NULL) {
		(void)err_set(err, -EINVAL, "show: does not know \"%s\"", words[json]);
		return VERB_USAGE;
	}
	return json ? show_json(err) : show_text(err);
}

enum verb_status guard_verb(int argc, char **argv, struct err *err)
{
	if (argc >= 2 && strcmp(argv[1], "hold") == 0)
		return hold_verb(argv + 2, err);
	if (argc >= 2 && strcmp(argv[1], "show") == 0)
		return show_verb(argv + 2, err);
	(void)err_set(err, -EINVAL, "hold or show?");
	return VERB_USAGE;
}

void guard_verb_man(FILE *out)
{
	settings_man(&table, 0, "--", out);
}
