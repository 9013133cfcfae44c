/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/cli/command.h"

#include <errno.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json_rpc_client.h"
#include "lib/unix_socket.h"

static const struct command commands[] = {
	{ "port", "list", "port.list", false, port_list_print, "one line for each port" },
	{ "port", "show", "port.show", true, port_show_print,
		"a port in detail: why it is down and what to do, peer, features, queues" },
	{ "port", "stats", "port.stats", true, port_stats_print,
		"counters, and every reason for which frames were dropped" },
	{ "fdb", "show", "fdb.show", false, fdb_show_print,
		"the addresses that were learned, and where" },
	{ "worker", "show", "worker.show", false, worker_show_print,
		"polling threads, how busy they are and which queues they own" },
	{ "version", NULL, "version", false, version_print, "versions of the client and sluiced" },
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

static const struct command *no_command(char *const *words, size_t n, struct err *err)
{
	const char *noun = NULL;
	char allowed[128];

	for (size_t i = 0; n > 0 && i < N_COMMANDS; i++) {
		if (strcmp(commands[i].noun, words[0]) == 0)
			noun = words[0];
	}
	list_words(noun, allowed, sizeof(allowed));
	if (n == 0)
		err_set(err, -EINVAL, "no command given: use one of %s (see --help)", allowed);
	else if (noun == NULL)
		err_set(err, -EINVAL, "%s: unknown command: use one of %s (see --help)", words[0],
			allowed);
	else if (n == 1)
		err_set(err, -EINVAL, "%s: incomplete command: use one of %s", noun, allowed);
	else
		err_set(err, -EINVAL, "%s %s: unknown command: use one of %s", noun, words[1],
			allowed);
	return NULL;
}

const struct command *command_find(char *const *words, size_t n, const char **name, struct err *err)
{
	for (const struct command *c = commands; c < commands + N_COMMANDS; c++) {
		size_t n_own = c->verb != NULL ? 2 : 1;
		char text[COMMAND_TEXT_MAX];

		if (n < n_own || strcmp(c->noun, words[0]) != 0 ||
			(n_own == 2 && strcmp(c->verb, words[1]) != 0))
			continue;
		*name = c->takes_name && n > n_own ? words[n_own] : NULL;
		if (n <= n_own + c->takes_name)
			return c;
		err_set(err, -EINVAL, "%s: unexpected argument \"%s\": takes %s",
			command_text(c, text), words[n_own + c->takes_name],
			c->takes_name ? "at most one NAME" : "none");
		return NULL;
	}
	return no_command(words, n, err);
}

static const char *hint_for(int error, const char *name)
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
		return name != NULL ? "\"sluicectl port list\" shows the names there are"
				    : "see the log of sluiced";
	default:
		return "see the log of sluiced";
	}
}

static int ask(const struct command *command, const char *name, const char *socket_path,
	json_t **answer, struct err *err)
{
	cleanup_close int fd = unix_connect(socket_path, err);
	json_t *params;
	int ret;

	if (fd < 0)
		return fd;
	params = name != NULL ? json_pack("{s:s}", "name", name) : json_object();
	if (params == NULL)
		return err_set(err, -EREMOTEIO, "\"%.40s\" is not UTF-8", name != NULL ? name : "");
	ret = json_rpc_call(fd, command->method, params, answer, err);
	json_decref(params);
	if (ret == 0 && !json_is_array(*answer)) {
		json_decref(*answer);
		ret = err_set(err, -EPROTO, "the answer to %s is not an array", command->method);
	}
	return ret;
}

int command_run(const struct command *command, const char *name, const char *socket_path, bool json,
	FILE *out, struct err *err)
{
	json_t *answer = NULL;
	int ret = ask(command, name, socket_path, &answer, err);

	if (ret < 0) {
		struct err cause = *err;

		return err_set(err, ret, "%s: %s", cause.text, hint_for(ret, name));
	}
	if (!json) {
		command->print(answer, out);
	} else {
		json_dumpf(answer, out, JSON_COMPACT);
		fputc('\n', out);
	}
	json_decref(answer);
	if (fflush(out) != 0 || ferror(out))
		return err_errno(err, EIO, "cannot write the answer");
	return 0;
}

void command_print_help(FILE *out)
{
	for (size_t i = 0; i < N_COMMANDS; i++) {
		char text[COMMAND_TEXT_MAX];
		char usage[COMMAND_TEXT_MAX + 8];

		snprintf(usage, sizeof(usage), "%s%s", command_text(&commands[i], text),
			commands[i].takes_name ? " [NAME]" : "");
		fprintf(out, "  %-18s %s\n", usage, commands[i].help);
	}
}
