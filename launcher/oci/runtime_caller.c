/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/oci/runtime_caller.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/whole_file.h"

#define CMDLINE_MAX (1U << 20)

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* The word's value if it is the option, or else NULL: `next` is the word behind it, or NULL. */
static const char *value_of(const char *word, const char *next)
{
	if (strcmp(word, "-n") == 0 || strcmp(word, "--name") == 0)
		return next;
	return strncmp(word, "--name=", 7) == 0 ? word + 7 : NULL;
}

static void take_name(struct runtime_caller *caller, const char *value)
{
	if (snprintf(caller->name, sizeof(caller->name), "%s", value) >= (int)sizeof(caller->name))
		caller->name[0] = '\0';
}

/* The words behind the first. */
static void parse_conmon(const char *word, const char *end, struct runtime_caller *caller)
{
	bool named = false;

	caller->engine = OCI_ENGINE_CRIO;
	while (word < end) {
		const char *next = word + strlen(word) + 1;
		const char *value = value_of(word, next < end ? next : NULL);

		if (value != NULL && !named) {
			named = true;
			take_name(caller, value);
		}
		if (strcmp(word, "--exit-command") == 0)
			caller->engine = OCI_ENGINE_PODMAN;
		/* A value is no option, whatever it says. */
		word = value == next ? next + strlen(next) + 1 : next;
	}
}

/* Docker and nerdctl have containerd's shims as well, and pass on annotations as they are. */
static bool is_of_kubelet(const char *word, const char *end)
{
	for (; word < end; word += strlen(word) + 1) {
		const char *next = word + strlen(word) + 1;

		if (strcmp(word, "-namespace") == 0)
			return next < end && strcmp(next, "k8s.io") == 0;
	}
	return false;
}

void runtime_caller_parse(const char *cmdline, size_t len, struct runtime_caller *caller)
{
	static const char shim[] = "containerd-shim";
	const char *end = cmdline + len, *program;

	*caller = (struct runtime_caller) { .engine = OCI_ENGINE_UNKNOWN };
	if (len == 0 || end[-1] != '\0')
		return;
	program = base_name(cmdline);
	if (strcmp(program, "conmon") == 0)
		parse_conmon(cmdline + strlen(cmdline) + 1, end, caller);
	else if (strcmp(program, "conmonrs") == 0)
		caller->engine = OCI_ENGINE_CRIO;
	else if (strncmp(program, shim, strlen(shim)) == 0 &&
		 is_of_kubelet(cmdline + strlen(cmdline) + 1, end))
		caller->engine = OCI_ENGINE_CONTAINERD;
}

void runtime_caller_find(struct runtime_caller *caller, struct oci_facts *facts)
{
	cleanup_free char *cmdline = NULL;
	char path[32];
	size_t len = 0;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)getppid());
	if (whole_file_read(path, CMDLINE_MAX, &cmdline, &len) < 0)
		len = 0;
	runtime_caller_parse(cmdline, len, caller);
	facts->engine = caller->engine;
	facts->container_name = caller->name[0] != '\0' ? caller->name : NULL;
}
