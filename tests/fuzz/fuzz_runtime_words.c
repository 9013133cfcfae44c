/* SPDX-License-Identifier: BSD-3-Clause */

/* The command line of a runtime, words that end with NUL each: what is found is in it, and the
 * command of an exec comes out as it went in. The same bytes are a command line of conmon's. */

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "launcher/oci/exec_words.h"
#include "launcher/oci/runtime_caller.h"
#include "launcher/oci/runtime_words.h"

#define WORDS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Splits text that ends with NUL. */
static int split(char *text, size_t len, char **argv)
{
	int argc = 0;

	for (char *at = text; at < text + len && argc < WORDS_MAX; at += strlen(at) + 1)
		argv[argc++] = at;
	argv[argc] = NULL;
	return argc;
}

static void check_word(const char *word, const char *text, size_t len)
{
	/* An empty value may be the very end. */
	assert(word == NULL || (word >= text && word <= text + len));
}

static void check_exec(const struct runtime_words *words, char **argv, int argc)
{
	static const struct runtime_settings settings = { .exec_in_container = true };
	static struct exec_line line = { .client = "/client" };
	struct err err = { "" };
	size_t at = 0, n_command = (size_t)argc - words->id_at - 1, n = 0;
	int ret = exec_words_convert(words, argv, &settings, &line, &err);

	if (ret != 0) {
		assert(line.argv == NULL && (ret == 1 || err.text[0] != '\0'));
		return;
	}
	while (line.argv[n] != NULL)
		n++;
	while (at < n && strcmp(line.argv[at], "/client") != 0)
		at++;
	assert(n_command > 0 && n > at + n_command);
	assert(strcmp(line.argv[n - n_command - 1], "--") == 0);
	for (size_t i = 0; i < n_command; i++)
		assert(line.argv[n - n_command + i] == argv[words->id_at + 1 + i]);
	free(line.argv);
}

static void check_line(char *text, size_t len)
{
	char *argv[WORDS_MAX + 1];
	struct runtime_words words;
	struct err err = { "" };
	int argc = split(text, len, argv);

	if (runtime_words_parse(argc, argv, &words, &err) < 0) {
		assert(err.text[0] != '\0');
		return;
	}
	check_word(words.verb, text, len);
	check_word(words.bundle, text, len);
	check_word(words.process, text, len);
	check_word(words.id, text, len);
	check_word(words.log, text, len);
	assert(words.verb == NULL || argv[words.n_global] == words.verb);
	assert(words.id == NULL || argv[words.id_at] == words.id);
	if (words.id != NULL && strcmp(words.verb, "exec") == 0)
		check_exec(&words, argv, argc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct runtime_caller caller;
	char *text = malloc(size + 1);

	if (text == NULL)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	runtime_caller_parse(text, size, &caller);
	assert(memchr(caller.name, '\0', sizeof(caller.name)) != NULL);
	assert(caller.name[0] == '\0' || caller.engine == OCI_ENGINE_PODMAN ||
		caller.engine == OCI_ENGINE_CRIO);
	check_line(text, size);
	free(text);
	return 0;
}
