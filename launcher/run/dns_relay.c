/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/run/dns_relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "launcher/pod/resolv_conf_text.h"
#include "launcher/process/backoff.h"
#include "launcher/process/capability.h"
#include "launcher/process/loop.h"
#include "launcher/process/port_probe.h"
#include "lib/cleanup.h"
#include "lib/log.h"

#define PORT 53

#define READY_MS     5000
#define ASK_EVERY_MS 10

#define OPTION_MAX  (IP_ADDR_TEXT_MAX + IFNAMSIZ + 32)
#define N_FIXED_MAX 16
#define N_WORDS_MAX (N_FIXED_MAX + RESOLV_CONF_NAMESERVERS)

struct dns_relay {
	struct event_base *loop;
	struct child *child; /* NULL: it does not run */
	struct event *again; /* when it is started again */
	struct backoff backoff;
	bool ready; /* it has been */
	struct sockaddr_in address;
	char listen[OPTION_MAX];
	char servers[RESOLV_CONF_NAMESERVERS][OPTION_MAX];
	size_t n_servers;
	int log;
	struct keeper *keeper;
	char how[64]; /* it ended */
};

bool dns_relay_is_needed(const struct resolv_conf *conf)
{
	return conf->n_nameservers > 0 && resolv_conf_needs_relay(conf);
}

/* --- the program ----------------------------------------------------------------------------- */

/* Its parent-death signal is lost with the change: it is this process and its keeper that end it.
 */
static bool can_change_user(void)
{
	return capability_held(CAP_SETUID) && capability_held(CAP_SETGID) &&
	       capability_held(CAP_KILL) && getpwnam("nobody") != NULL;
}

static void put_words(struct dns_relay *relay, const char **argv)
{
	static const char *const fixed[] = { DNS_RELAY_PROGRAM, "--keep-in-foreground",
		"--conf-file=/dev/null", "--pid-file=", "--log-facility=-", "--no-hosts",
		"--no-resolv", "--cache-size=0", "--bind-interfaces" };
	size_t n = 0;

	for (; n < sizeof(fixed) / sizeof(fixed[0]); n++)
		argv[n] = fixed[n];
	/* Without a user and group it changes neither. */
	argv[n++] = can_change_user() ? "--user=nobody" : "--user=";
	argv[n++] = "--group=";
	argv[n++] = relay->listen;
	for (size_t i = 0; i < relay->n_servers; i++)
		argv[n++] = relay->servers[i];
	argv[n] = NULL;
}

static void on_ended(void *owner, struct child *child, int status);

static int run(struct dns_relay *relay, struct err *err)
{
	const char *argv[N_WORDS_MAX + 1];
	const struct child_plan plan = { .name = DNS_RELAY_PROGRAM,
		.program = DNS_RELAY_PROGRAM,
		.argv = (char *const *)argv,
		.capabilities = CAPABILITY(CAP_NET_BIND_SERVICE) | CAPABILITY(CAP_SETGID) |
				CAPABILITY(CAP_SETUID),
		.in = -1,
		.out = relay->log,
		.err = relay->log,
		.keeper = relay->keeper,
		.ended = on_ended,
		.owner = relay };

	put_words(relay, argv);
	backoff_begun(&relay->backoff, loop_now_ms());
	return child_start(relay->loop, &plan, &relay->child, err);
}

/* --- its end --------------------------------------------------------------------------------- */

static void try_again_later(struct dns_relay *relay)
{
	unsigned wait_ms = backoff_ended(&relay->backoff, loop_now_ms());

	log_info("dns-relay", log_int("again-ms", wait_ms));
	(void)loop_set_timer(relay->again, wait_ms);
}

static void on_ended(void *owner, struct child *child, int status)
{
	struct dns_relay *relay = owner;

	child_describe_status(status, relay->how);
	child_kill(steal_ptr(&relay->child));
	if (!relay->ready)
		return;
	log_warn("dns-relay-ended", log_str("how", relay->how));
	try_again_later(relay);
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
	struct dns_relay *relay = arg;
	struct err err = { "" };

	if (run(relay, &err) == 0)
		return;
	log_error("dns-relay", log_str("reason", err.text));
	try_again_later(relay);
}

/* --- its beginning --------------------------------------------------------------------------- */

static void put_server(struct dns_relay *relay, const struct resolv_nameserver *ns)
{
	char text[IP_ADDR_TEXT_MAX];

	snprintf(relay->servers[relay->n_servers++], OPTION_MAX, "--server=%s%s%s",
		ip_addr_format(&ns->addr, text), ns->scope[0] != '\0' ? "%" : "", ns->scope);
}

static int take_plan(struct dns_relay *relay, const struct dns_relay_plan *plan, struct err *err)
{
	relay->address = (struct sockaddr_in) { .sin_family = AF_INET, .sin_port = htons(PORT) };
	if (inet_pton(AF_INET, plan->address, &relay->address.sin_addr) != 1)
		return err_set(err, -EINVAL, "\"%s\" is no IPv4 address", plan->address);
	snprintf(relay->listen, sizeof(relay->listen), "--listen-address=%s", plan->address);
	for (size_t i = 0; i < plan->conf->n_nameservers; i++)
		if (resolv_nameserver_is_loopback(&plan->conf->nameservers[i]))
			put_server(relay, &plan->conf->nameservers[i]);
	relay->log = plan->log;
	relay->keeper = plan->keeper;
	relay->again = evtimer_new(relay->loop, on_again, relay);
	return relay->again != NULL ? 0 : err_set(err, -ENOMEM, "out of memory");
}

static bool has_ended(const void *arg)
{
	const struct dns_relay *relay = arg;

	return relay->child == NULL;
}

static int await(struct dns_relay *relay, struct err *err)
{
	for (int ms = 0; ms < READY_MS; ms += ASK_EVERY_MS) {
		if (loop_until(relay->loop, ASK_EVERY_MS, has_ended, relay) == 0)
			return err_set(err, -EIO,
				DNS_RELAY_PROGRAM " ended: %s: the log has its words", relay->how);
		relay->ready = port_probe(&relay->address);
		if (relay->ready)
			return 0;
	}
	return err_set(
		err, -ETIMEDOUT, DNS_RELAY_PROGRAM " did not answer in %d s", READY_MS / 1000);
}

static int start(struct dns_relay *relay, const struct dns_relay_plan *plan, struct err *err)
{
	int ret = take_plan(relay, plan, err);

	if (ret < 0)
		return ret;
	if (port_probe(&relay->address)) {
		log_info("dns-relay", log_str("not-started", "a server of the pod listens there"));
		return 0;
	}
	ret = run(relay, err);
	return ret < 0 ? ret : await(relay, err);
}

int dns_relay_start(struct event_base *loop, const struct dns_relay_plan *plan,
	struct dns_relay **out, struct err *err)
{
	struct dns_relay *relay = calloc(1, sizeof(*relay));
	int ret;

	if (relay == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	relay->loop = loop;
	ret = start(relay, plan, err);
	if (ret == 0)
		*out = relay;
	else
		dns_relay_stop(relay);
	return ret;
}

void dns_relay_stop(struct dns_relay *relay)
{
	if (relay == NULL)
		return;
	child_kill(relay->child);
	if (relay->again != NULL)
		event_free(relay->again);
	free(relay);
}
