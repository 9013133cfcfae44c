/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * sluice-vm guard hold|show.
 *
 * hold: look whether a guard is needed, may be set and can be; create the host port, if asked for,
 * then the guard, which has chains on it; say so; wait for SIGTERM or SIGINT, and guard the
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
#include "launcher/cli/verb.h"
#include "launcher/pod/guard.h"
#include "launcher/pod/guard_check.h"
#include "launcher/pod/guard_holder.h"
#include "launcher/pod/guard_show.h"
#include "launcher/pod/host_link.h"
#include "launcher/pod/link_news.h"
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

/* --- what may be done ------------------------------------------------------------------------ */

/* What there is to work with. */
struct situation {
	struct guard_interface uplink;
	bool may_set; /* CAP_NET_ADMIN, and a kernel with nftables */
};

/* Where no guard can be set (for the reason in *err, whose code is `reason`), it is well if none is
 * needed. */
static int do_without(const struct hold_options *options, const struct situation *found, int reason,
	struct err *err)
{
	if (options->host_port)
		return reason == -EPERM ? err_set(err, reason, "--host-port needs CAP_NET_ADMIN")
					: reason;
	if (options->mode == GUARD_OFF || options->outside_guard || !found->uplink.has_address)
		return 0;
	if (reason != -EPERM)
		return reason;
	return err_set(err, reason,
		"without CAP_NET_ADMIN there is no guard, and the pod's kernel would reset the "
		"VM's "
		"connections: grant it, or set a guard from outside and say --outside-guard");
}

/* 0: go on, with a guard or, if may_set is false, without. */
static int look_around(const struct hold_options *options, struct situation *found, struct err *err)
{
	char who[GUARD_HOLDER_TEXT_MAX];
	struct guard_holder holder;
	int ret = guard_look_at_interface(options->interface, &found->uplink, err);

	if (ret == 0 && options->mode == GUARD_SHARED)
		ret = guard_check_ephemeral_ports(err);
	if (ret < 0)
		return ret;
	ret = guard_find_holder(&holder, err);
	found->may_set = ret == 0;
	if (ret < 0)
		return do_without(options, found, ret, err);
	if (holder.owned)
		return err_set(err, -EBUSY, "there is a guard, held by %s",
			guard_holder_format(&holder, who));
	return options->lab ? 0 : guard_check_namespace(err);
}

/* --- hold ------------------------------------------------------------------------------------ */

/* What was done, and is to be undone. */
struct held {
	struct guard *guard;
	bool host_port;
};

static int set_up(struct held *held, const struct hold_options *options,
	const struct guard_plan *plan, unsigned mtu, struct err *err)
{
	const struct host_link link = { .identity = plan->identity,
		.service = plan->service,
		.n_services = plan->n_services,
		.mtu = mtu };
	int ret;

	if (options->host_port) {
		ret = host_link_create(&link, err);
		if (ret < 0)
			return ret;
		held->host_port = true;
	}
	return options->outside_guard ? 0 : guard_hold(plan, false, &held->guard, err);
}

static int tear_down(struct held *held, struct err *err)
{
	guard_release(held->guard);
	return held->host_port ? host_link_remove(err) : 0;
}

static const char *describe(const struct held *held, const struct hold_options *options)
{
	if (options->mode == GUARD_OFF)
		return "is not guarded (--mode off)";
	if (options->outside_guard)
		return "is guarded from outside (--outside-guard)";
	if (held->guard == NULL)
		return "has no address and so needs no guard";
	if (!guard_is_owned(held->guard))
		return "is guarded, and would still be if this process were killed (old kernel)";
	return "is guarded for as long as this process lives";
}

/* After news: the interface may be another by the same name, or have another MAC. If it has just
 * gone again, there will be news of that. */
static int keep_up(
	struct held *held, struct guard_plan *plan, struct guard_interface *uplink, struct err *err)
{
	struct guard_interface now;
	int ret;

	if (held->guard == NULL || guard_look_at_interface(plan->interface, &now, NULL) < 0 ||
		(now.ifindex == uplink->ifindex &&
			memcmp(&now.mac, &uplink->mac, sizeof(now.mac)) == 0))
		return 0;
	plan->pod_mac = now.mac;
	ret = guard_update(held->guard, plan, err);
	if (ret == 0)
		*uplink = now;
	return if_nametoindex(plan->interface) == 0 ? 0 : ret;
}

/* After SIGHUP: what is wrong with the new list is said, and the old one stays. */
static void change_ports(
	struct held *held, const struct hold_options *options, struct guard_plan *plan)
{
	struct guard_plan changed = *plan;
	char text[L4_PORTS_TEXT_MAX];
	struct err err = { 0 };
	int ret;

	if (options->kernel_ports_file[0] == '\0' || held->guard == NULL)
		return;
	ret = read_ports(options, &changed.kernel_ports, &err);
	if (ret == 0)
		ret = guard_update(held->guard, &changed, &err);
	if (ret < 0) {
		fprintf(stderr, "sluice-vm guard: %s\n", err.text);
		return;
	}
	*plan = changed;
	l4_ports_format(&plan->kernel_ports, text);
	printf("%s: the pod's kernel keeps %s\n", plan->interface,
		text[0] != '\0' ? text : "no port");
	fflush(stdout);
}

/* Takes one signal; false: it is time to end. */
static bool goes_on(
	int signals, struct held *held, const struct hold_options *options, struct guard_plan *plan)
{
	struct signalfd_siginfo signal;

	if (read(signals, &signal, sizeof(signal)) != sizeof(signal) || signal.ssi_signo != SIGHUP)
		return false;
	change_ports(held, options, plan);
	return true;
}

/* Until a signal of those in `signals` (signalfd(2)) ends it, or until the guard cannot be kept. */
static int keep(struct held *held, const struct hold_options *options, struct guard_plan *plan,
	struct guard_interface *uplink, int signals, struct nl_sock *news, struct err *err)
{
	struct pollfd fds[] = { { .fd = signals, .events = POLLIN },
		{ .fd = nl_socket_get_fd(news), .events = POLLIN } };
	int ret = 0;

	while (ret == 0) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return err_errno(err, errno, "poll");
		if (fds[0].revents != 0 && !goes_on(signals, held, options, plan))
			return 0;
		link_news_drain(news);
		ret = keep_up(held, plan, uplink, err);
	}
	return ret;
}

static int hold_until(int signals, struct nl_sock *news, const struct hold_options *options,
	struct guard_plan *plan, struct err *err)
{
	struct situation found = { 0 };
	struct held held = { 0 };
	int ret = look_around(options, &found, err);
	int undone;

	plan->pod_mac = found.uplink.mac;
	if (ret == 0 && found.may_set)
		ret = set_up(&held, options, plan, found.uplink.mtu, err);
	if (ret == 0) {
		printf("%s %s\n", plan->interface, describe(&held, options));
		fflush(stdout);
		(void)sd_notify_send("READY=1");
		ret = keep(&held, options, plan, &found.uplink, signals, news, err);
		(void)sd_notify_send("STOPPING=1");
	}
	undone = tear_down(&held, ret < 0 ? NULL : err);
	return ret < 0 ? ret : undone;
}

static int hold(const struct hold_options *options, struct guard_plan *plan, struct err *err)
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
