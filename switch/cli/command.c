/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/cli/command.h"

#include <errno.h>
#include <string.h>

#include "config/roff.h"
#include "lib/cleanup.h"
#include "lib/json_rpc_client.h"
#include "lib/unix_socket.h"

#define NAME                                                                                       \
	{                                                                                          \
		"NAME", "name"                                                                     \
	}
#define ANY_NAME                                                                                   \
	{                                                                                          \
		"NAME", "name", .optional = true                                                   \
	}
#define MAC                                                                                        \
	{                                                                                          \
		"MAC", "mac"                                                                       \
	}
#define IP                                                                                         \
	{                                                                                          \
		"IP", "ip"                                                                         \
	}
#define VLAN                                                                                       \
	{                                                                                          \
		"N", "vlan", ARGUMENT_NUMBER, .keyed = true                                        \
	}

#define NAMES_HINT "\"sluicectl port list\" shows the names there are"

static const struct command commands[] = {
	{ "port", "list", "port.list", .print = port_list_print, .repeatable = true,
		.help = "one line for each port" },
	{ "port", "show", "port.show", { ANY_NAME }, .print = port_show_print, .repeatable = true,
		.hint = NAMES_HINT,
		.help = "a port in detail: why it is down and what to do, peer, features, queues" },
	{ "port", "stats", "port.stats", { ANY_NAME }, .print = port_stats_print,
		.repeatable = true, .hint = NAMES_HINT,
		.help = "counters, and every reason for which frames were dropped" },
	{ "port", "add", "port.add", { NAME, { "KEY=VALUE...", .type = ARGUMENT_SETTINGS } },
		.done = "port {name} added",
		.help = "a new port: kind=packet interface=eth1, and more keys as in the file" },
	{ "port", "del", "port.del", { NAME }, .done = "port {name} removed", .hint = NAMES_HINT,
		.help = "take a port away" },
	{ "port", "set", "port.set", { NAME, { "KEY=VALUE...", .type = ARGUMENT_CHANGES } },
		.done = "port {name} changed",
		.help = "change a port: vlan=7 trunks=100-199,5; vlan=none takes one back" },

	{ "fdb", "show", "fdb.show", .print = fdb_show_print, .repeatable = true,
		.help = "the known addresses, and where they are" },
	{ "fdb", "add", "fdb.add", { MAC, { "PORT", "port" }, VLAN },
		.done = "{mac} is always at port {port}[ in VLAN {vlan}]",
		.help = "an address that is always behind that port" },
	{ "fdb", "del", "fdb.del", { MAC, VLAN }, .done = "{mac} forgotten[ in VLAN {vlan}]",
		.hint = "\"sluicectl fdb show\" shows the addresses there are",
		.help = "forget an address" },
	{ "fdb", "flush", "fdb.flush", { { "PORT", "port", .optional = true } },
		.done = "what was learned[ at port {port}] is forgotten", .hint = NAMES_HINT,
		.help = "forget the addresses that were learned, everywhere or at a port" },

	{ "neighbour", "show", "neighbour.show", .print = neighbour_show_print, .repeatable = true,
		.help = "a pod's gateways and stations, as guests are told of them" },
	{ "neighbour", "add", "neighbour.add", { IP, MAC }, .done = "{ip} is always at {mac}",
		.help = "a station behind the uplink that is always at that address" },
	{ "neighbour", "del", "neighbour.del", { IP }, .done = "{ip} is not static any more",
		.hint = "\"sluicectl neighbour show\" shows them; those of the pod's kernel are "
			"changed there (ip neighbour)",
		.help = "take one back" },
	{ "binding", "show", "binding.show", .print = binding_show_print, .repeatable = true,
		.help = "which guest of a pod has which IP address" },

	{ "worker", "show", "worker.show", .print = worker_show_print, .repeatable = true,
		.help = "polling threads, how busy they are and which queues they own" },
	{ "worker", "assign", "worker.assign",
		{ { "PORT", "port" }, { "QUEUE", "queue", ARGUMENT_NUMBER },
			{ "WORKER", "worker", ARGUMENT_NUMBER } },
		.done = "queue {queue} of port {port} is polled by worker {worker}",
		.hint = "\"sluicectl worker show\" shows workers and queues",
		.help = "have a worker poll a queue" },

	{ "config", "show", "config.show", .print = config_show_print,
		.help = "what is in effect, as a configuration file" },
	{ "config", "check", "config.check", { { "FILE", "text", ARGUMENT_FILE } },
		.print = config_changes_print,
		.help = "what FILE would change, or its first mistake; changes nothing" },
	{ "config", "reload", "config.reload", .print = config_changes_print,
		.help = "read the configuration file again and apply it" },

	{ "log", "show", "log.show", .print = log_show_print, .help = "what is logged" },
	{ "log", "set", "log.set", { { "LEVEL", "level" } }, .done = "log level is {level}",
		.help = "log that and what is more severe: error, warn, info, debug, off" },

	{ "events", NULL, "events", .print_event = event_print,
		.help = "what happens, line by line, until interrupted" },
	{ "version", NULL, "version", .print = version_print, .repeatable = true,
		.help = "versions of the client and sluiced" },
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

char *command_text(const struct command *command, char text[COMMAND_TEXT_MAX])
{
	snprintf(text, COMMAND_TEXT_MAX, "%s%s%s", command->noun, command->verb != NULL ? " " : "",
		command->verb != NULL ? command->verb : "");
	return text;
}

/* What could have been said: the verbs of `noun`, or all nouns if it is NULL. */
static void list_words(const char *noun, char *text, size_t size)
{
	const char *last = "";
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < N_COMMANDS && len < size; i++) {
		const char *word = noun != NULL ? commands[i].verb : commands[i].noun;

		if ((noun != NULL && strcmp(commands[i].noun, noun) != 0) ||
			strcmp(word, last) == 0)
			continue;
		len += (size_t)snprintf(text + len, size - len, "%s%s", len > 0 ? ", " : "", word);
		last = word;
	}
}

static int no_command(char *const *words, size_t n, struct err *err)
{
	const char *noun = NULL;
	char allowed[128];

	for (size_t i = 0; n > 0 && i < N_COMMANDS; i++) {
		if (strcmp(commands[i].noun, words[0]) == 0)
			noun = words[0];
	}
	list_words(noun, allowed, sizeof(allowed));
	if (n == 0)
		return err_set(
			err, -EINVAL, "no command given: use one of %s (see --help)", allowed);
	if (noun == NULL)
		return err_set(err, -EINVAL, "%s: unknown command: use one of %s (see --help)",
			words[0], allowed);
	if (n == 1)
		return err_set(
			err, -EINVAL, "%s: incomplete command: use one of %s", noun, allowed);
	return err_set(
		err, -EINVAL, "%s %s: unknown command: use one of %s", noun, words[1], allowed);
}

static const struct command *command_find(char *const *words, size_t n, size_t *n_own)
{
	for (const struct command *c = commands; c < commands + N_COMMANDS; c++) {
		*n_own = c->verb != NULL ? 2 : 1;
		if (n >= *n_own && strcmp(c->noun, words[0]) == 0 &&
			(*n_own == 1 || strcmp(c->verb, words[1]) == 0))
			return c;
	}
	return NULL;
}

#define USAGE_MAX 64

static char *usage_of(const struct command *command, char text[USAGE_MAX])
{
	size_t len = strlen(command_text(command, text));

	if (command->arguments[0].name != NULL)
		text[len++] = ' ';
	arguments_usage(command->arguments, COMMAND_ARGUMENTS_MAX, text + len, USAGE_MAX - len);
	return text;
}

int request_parse(struct request *req, char *const *words, size_t n, struct err *err)
{
	char usage[USAGE_MAX];
	struct err cause = { 0 };
	size_t n_own;
	int ret;

	*req = (struct request) { .command = command_find(words, n, &n_own) };
	if (req->command == NULL)
		return no_command(words, n, err);
	ret = arguments_parse(req->command->arguments, COMMAND_ARGUMENTS_MAX, words + n_own,
		n - n_own, &req->params, &cause);
	if (ret == -EINVAL)
		return err_set(err, ret, "%s (usage: sluicectl %s)", cause.text,
			usage_of(req->command, usage));
	return ret < 0 ? err_set(err, ret, "%s", cause.text) : 0;
}

void request_free(struct request *req)
{
	json_decref(req->params);
	req->params = NULL;
}

/* NULL: the message says enough. */
static const char *hint_for(const struct command *command, int error)
{
	switch (-error) {
	case ENOENT:
	case ECONNREFUSED:
		return "is sluiced running? (-s PATH names another socket)";
	case EACCES:
	case EPERM:
		return "run as root or as a member of the socket's group";
	case ETIMEDOUT:
	case EAGAIN:
		return "sluiced is busy or stopped, see its log";
	case EREMOTEIO:
		return command->hint;
	case EMSGSIZE:
		return NULL;
	default:
		return "see the log of sluiced";
	}
}

static void print_json(const json_t *value, FILE *out)
{
	json_dumpf(value, out, JSON_COMPACT);
	fputc('\n', out);
}

/* Written, or why not: a full disk is no success. */
static int flush(FILE *out, struct err *err)
{
	return fflush(out) != 0 || ferror(out) ? err_errno(err, EIO, "cannot write the answer") : 0;
}

static void print_answer(const struct request *req, const json_t *answer, bool json, FILE *out)
{
	if (json)
		print_json(answer, out);
	else if (req->command->done != NULL)
		done_print(req->command->done, req->params, out);
	else
		req->command->print(answer, out);
}

/* Ends only with an error. */
static int follow(const struct request *req, struct json_rpc_client *client, bool json, FILE *out,
	struct err *err)
{
	int ret;

	do {
		json_t *event;

		ret = json_rpc_client_next(client, "event", &event, err);
		if (ret < 0)
			return ret;
		if (json)
			print_json(event, out);
		else
			req->command->print_event(event, out);
		json_decref(event);
		ret = flush(out, err);
	} while (ret == 0);
	return ret;
}

static int ask(const struct request *req, struct json_rpc_client *client, bool json, FILE *out,
	struct err *err)
{
	json_t *answer = NULL;
	int ret = json_rpc_client_call(client, req->command->method, req->params, &answer, err);

	if (ret < 0)
		return ret;
	if (!json_is_array(answer)) {
		ret = err_set(
			err, -EPROTO, "the answer to %s is not an array", req->command->method);
	} else if (req->command->print_event == NULL) {
		print_answer(req, answer, json, out);
		ret = flush(out, err);
	}
	json_decref(answer);
	if (ret == 0 && req->command->print_event != NULL)
		ret = follow(req, client, json, out, err);
	return ret;
}

int request_run(
	const struct request *req, const char *socket_path, bool json, FILE *out, struct err *err)
{
	cleanup_close int fd = unix_connect(socket_path, err);
	struct json_rpc_client client;
	const char *hint;
	struct err cause;
	int ret = fd;

	if (fd >= 0) {
		json_rpc_client_init(&client, fd);
		ret = ask(req, &client, json, out, err);
		json_rpc_client_free(&client);
	}
	if (ret >= 0 || ferror(out))
		return ret;
	cause = *err;
	hint = hint_for(req->command, ret);
	return err_set(
		err, ret, "%s%s%s", cause.text, hint != NULL ? ": " : "", hint != NULL ? hint : "");
}

void command_print_help(FILE *out)
{
	for (size_t i = 0; i < N_COMMANDS; i++) {
		char usage[USAGE_MAX];

		if (i > 0 && commands[i].verb != NULL &&
			strcmp(commands[i].noun, commands[i - 1].noun) != 0)
			fputc('\n', out);
		else if (i > 0 && commands[i].verb == NULL && commands[i - 1].verb != NULL)
			fputc('\n', out);
		fprintf(out, "  %-32s %s\n", usage_of(&commands[i], usage), commands[i].help);
	}
}

void command_print_man(FILE *out)
{
	for (size_t i = 0; i < N_COMMANDS; i++) {
		char name[COMMAND_TEXT_MAX], usage[USAGE_MAX];
		size_t len = strlen(command_text(&commands[i], name));

		usage_of(&commands[i], usage);
		roff_entry(name, usage[len] != '\0' ? usage + len + 1 : NULL, out);
		roff_text(commands[i].help, out);
		fputs(".\n", out);
	}
}
