/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * sluice-runtime: an OCI runtime that makes VMs of the containers that ask for it, and has another
 * one do all the work. Engines call it as they would call that one, some calls with next to no
 * environment: nothing of it is read here.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/runtime_settings.h"
#include "launcher/oci/runtime_create.h"
#include "launcher/oci/runtime_exec.h"
#include "launcher/oci/runtime_help.h"
#include "launcher/oci/runtime_log.h"
#include "launcher/oci/runtime_pass.h"
#include "launcher/oci/runtime_update.h"
#include "launcher/oci/runtime_words.h"
#include "lib/standard_streams.h"

static bool is_create(const struct runtime_words *words)
{
	return words->verb != NULL &&
	       (strcmp(words->verb, "create") == 0 || strcmp(words->verb, "run") == 0);
}

static bool is_exec(const struct runtime_words *words)
{
	return words->verb != NULL && strcmp(words->verb, "exec") == 0;
}

/* Settings that cannot be read stop what depends on them; containers can be ended all the same. */
static int act(const struct runtime_words *words, char **argv, struct err *err)
{
	struct runtime_settings settings;
	struct exec_line line = { .argv = NULL };
	int ret = runtime_settings_load(NULL, &settings, err);

	if (!is_create(words) && !is_exec(words) && !runtime_update_is_meant(words))
		return runtime_pass(&settings, argv, err);
	if (ret == 0)
		ret = runtime_pass_check(&settings, err);
	if (ret == 0 && is_create(words))
		ret = runtime_create(words, &settings, err);
	else if (ret == 0 && runtime_update_is_meant(words))
		ret = runtime_update(words, &settings, argv, err);
	else if (ret == 0)
		ret = runtime_exec(words, &settings, argv, &line, err);
	if (ret == 0)
		ret = runtime_pass(&settings, line.argv != NULL ? line.argv : argv, err);
	free(line.argv);
	return ret;
}

int main(int argc, char **argv)
{
	struct runtime_words words = { .verb = NULL };
	struct err err = { "" };

	standard_streams_fill();
	if (argc < 1 || runtime_help_is_meant(argc, argv))
		return runtime_help(argc, argv);
	if (runtime_words_parse(argc, argv, &words, &err) == 0)
		(void)act(&words, argv, &err);
	runtime_log_failure(&words, err.text);
	return EXIT_FAILURE;
}
