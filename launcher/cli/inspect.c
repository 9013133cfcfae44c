/* SPDX-License-Identifier: BSD-3-Clause */

/* sluice-vm inspect: shows what the pod was given, and changes nothing. */

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>

#include "config/settings_man.h"
#include "launcher/cli/verb.h"
#include "launcher/pod/pod_network.h"
#include "launcher/pod/pod_network_json.h"
#include "launcher/pod/pod_network_text.h"

#define WAIT_DEFAULT_MS 10000
#define WAIT_MAX_S      3600.0

struct inspect_options {
	bool json;
	bool help;
	const char *interface; /* NULL: find out */
	unsigned wait_ms;
};

static int parse_wait(const char *text, unsigned *wait_ms, struct err *err)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end != '\0' || !(seconds >= 0) || seconds > WAIT_MAX_S)
		return err_set(err, -EINVAL,
			"--wait: \"%s\" is not a number of seconds: use 0 to %.0f", text,
			WAIT_MAX_S);
	*wait_ms = (unsigned)(seconds * 1000 + 0.5);
	return 0;
}

static int parse_flag(int flag, char **argv, struct inspect_options *opts, struct err *err)
{
	switch (flag) {
	case 'j':
		opts->json = true;
		return 0;
	case 'i':
		opts->interface = optarg;
		return 0;
	case 'w':
		return parse_wait(optarg, &opts->wait_ms, err);
	case 'h':
		opts->help = true;
		return 0;
	case ':':
		return err_set(err, -EINVAL, "%s: needs a value: see --help", argv[optind - 1]);
	default:
		return err_set(err, -EINVAL, "%s: unknown option or unexpected value: see --help",
			argv[optind - 1]);
	}
}

static int parse_options(int argc, char **argv, struct inspect_options *opts, struct err *err)
{
	static const struct option flags[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "interface", required_argument, NULL, 'i' },
		{ "wait", required_argument, NULL, 'w' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL },
	};
	int flag, ret = 0;

	*opts = (struct inspect_options) { .wait_ms = WAIT_DEFAULT_MS };
	opterr = 0;
	optind = 0; /* GNU: start over */
	while (ret == 0 && (flag = getopt_long(argc, argv, ":ji:w:h", flags, NULL)) != -1)
		ret = parse_flag(flag, argv, opts, err);
	if (ret == 0 && optind < argc && !opts->help)
		ret = err_set(err, -EINVAL, "%s: unexpected: see --help", argv[optind]);
	return ret;
}

static const struct option_text options[] = {
	{ "-j, --json", NULL, "print one JSON object, whose keys are those of ip -json" },
	{ "-i, --interface", "NAME", "the pod's interface (default: that of the default route)" },
	{ "-w, --wait", "SECONDS", "wait so long for its address (default 10; 0: do not wait)" },
	{ "-h, --help", NULL, "print this text" },
	{ NULL },
};

static void print_help(void)
{
	fputs("Usage: sluice-vm inspect [OPTION]...\n"
	      "Shows the network that this pod was given, and changes nothing.\n\n",
		stdout);
	option_text_print_help(options, stdout);
	fputs("\nAn interface without an address is shown with a warning.\n"
	      "\nExit status: 0 ok, 1 no such interface or the kernel could not be asked, 2 wrong\n"
	      "usage.\n",
		stdout);
}

/* On stderr, one line each: what a guest's configuration will lack. */
static void warn(const struct pod_network *net, unsigned wait_ms)
{
	char name[IFNAMSIZ];

	pod_network_ifname(net, net->pod_ifindex, name);
	switch (pod_network_address_state(net)) {
	case POD_ADDRESS_READY:
		break;
	case POD_ADDRESS_TENTATIVE:
		fprintf(stderr,
			"sluice-vm inspect: warning: %s has only addresses that did not pass "
			"duplicate address detection (waited %g s)\n",
			name, wait_ms / 1000.0);
		break;
	case POD_ADDRESS_NONE:
		fprintf(stderr,
			"sluice-vm inspect: warning: %s has no address (waited %g s): the guest "
			"has to find one itself\n",
			name, wait_ms / 1000.0);
		break;
	}
	if (net->resolv_conf.bad_line != 0)
		fprintf(stderr,
			"sluice-vm inspect: warning: " RESOLV_CONF_PATH
			": line %u is malformed, it is left out\n",
			net->resolv_conf.bad_line);
}

static int print_json(const struct pod_network *net, struct err *err)
{
	json_t *json = pod_network_encode(net);
	int ret = -1;

	if (json != NULL)
		ret = json_dumpf(json, stdout, JSON_INDENT(2));
	json_decref(json);
	if (ret < 0)
		return err_set(err, -EIO, "cannot write the pod's network as JSON");
	putchar('\n');
	return 0;
}

static int show(const struct pod_network *net, bool json, struct err *err)
{
	int ret = 0;

	if (json)
		ret = print_json(net, err);
	else
		pod_network_print(net, stdout);
	if (ret == 0 && (fflush(stdout) != 0 || ferror(stdout)))
		ret = err_errno(err, errno, "cannot write to the standard output");
	return ret;
}

enum verb_status inspect_verb(int argc, char **argv, struct err *err)
{
	struct inspect_options opts;
	struct pod_network net;
	int ret;

	if (parse_options(argc, argv, &opts, err) < 0)
		return VERB_USAGE;
	if (opts.help) {
		print_help();
		return VERB_OK;
	}
	if (pod_network_await(&net, opts.interface, opts.wait_ms, err) < 0)
		return VERB_FAILED;
	warn(&net, opts.wait_ms);
	ret = show(&net, opts.json, err);
	pod_network_free(&net);
	return ret < 0 ? VERB_FAILED : VERB_OK;
}

void inspect_verb_man(FILE *out)
{
	option_text_man(options, out);
}
