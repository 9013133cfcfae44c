/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/oci/runtime_option.h"

#include <errno.h>
#include <string.h>

#define BOTH (RUNTIME_CREATE | RUNTIME_EXEC)

static const struct runtime_option options[] = {
	{ "cgroup-manager", '\0', true, RUNTIME_GLOBAL },
	{ "criu", '\0', true, RUNTIME_GLOBAL },
	{ "debug", '\0', false, RUNTIME_GLOBAL },
	{ "help", 'h', false, RUNTIME_GLOBAL | BOTH },
	{ "log", '\0', true, RUNTIME_GLOBAL, RUNTIME_OPTION_LOG },
	{ "log-format", '\0', true, RUNTIME_GLOBAL, RUNTIME_OPTION_LOG_FORMAT },
	{ "log-level", '\0', true, RUNTIME_GLOBAL },
	{ "root", '\0', true, RUNTIME_GLOBAL },
	{ "rootless", '\0', true, RUNTIME_GLOBAL },
	{ "systemd-cgroup", '\0', false, RUNTIME_GLOBAL },
	{ "version", 'v', false, RUNTIME_GLOBAL },

	{ "bundle", 'b', true, RUNTIME_CREATE | RUNTIME_CHECKPOINT, RUNTIME_OPTION_BUNDLE },
	{ "config", 'f', true, RUNTIME_CREATE, RUNTIME_OPTION_CONFIG },
	{ "keep", '\0', false, RUNTIME_CREATE },
	{ "no-new-keyring", '\0', false, RUNTIME_CREATE },
	{ "no-pivot", '\0', false, RUNTIME_CREATE },
	{ "no-subreaper", '\0', false, RUNTIME_CREATE },

	{ "additional-gids", 'g', true, RUNTIME_EXEC, RUNTIME_OPTION_GROUPS },
	{ "apparmor", '\0', true, RUNTIME_EXEC },
	{ "cap", 'c', true, RUNTIME_EXEC, RUNTIME_OPTION_CAP },
	{ "cgroup", '\0', true, RUNTIME_EXEC },
	{ "cwd", '\0', true, RUNTIME_EXEC, RUNTIME_OPTION_CWD },
	{ "env", 'e', true, RUNTIME_EXEC, RUNTIME_OPTION_ENV },
	{ "ignore-paused", '\0', false, RUNTIME_EXEC },
	{ "no-new-privs", '\0', false, RUNTIME_EXEC },
	{ "process", 'p', true, RUNTIME_EXEC, RUNTIME_OPTION_PROCESS },
	{ "process-label", '\0', true, RUNTIME_EXEC },
	{ "tty", 't', false, RUNTIME_EXEC, RUNTIME_OPTION_TTY },
	{ "user", 'u', true, RUNTIME_EXEC, RUNTIME_OPTION_USER },

	{ "memory", '\0', true, RUNTIME_UPDATE, RUNTIME_OPTION_MEMORY },
	{ "memory-swap", '\0', true, RUNTIME_UPDATE, RUNTIME_OPTION_MEMORY },
	{ "resources", 'r', true, RUNTIME_UPDATE, RUNTIME_OPTION_RESOURCES },
	{ "blkio-weight", '\0', true, RUNTIME_UPDATE },
	{ "cpu-burst", '\0', true, RUNTIME_UPDATE },
	{ "cpu-idle", '\0', true, RUNTIME_UPDATE },
	{ "cpu-period", '\0', true, RUNTIME_UPDATE },
	{ "cpu-quota", '\0', true, RUNTIME_UPDATE },
	{ "cpu-rt-period", '\0', true, RUNTIME_UPDATE },
	{ "cpu-rt-runtime", '\0', true, RUNTIME_UPDATE },
	{ "cpu-share", '\0', true, RUNTIME_UPDATE },
	{ "cpuset-cpus", '\0', true, RUNTIME_UPDATE },
	{ "cpuset-mems", '\0', true, RUNTIME_UPDATE },
	{ "kernel-memory", '\0', true, RUNTIME_UPDATE },
	{ "kernel-memory-tcp", '\0', true, RUNTIME_UPDATE },
	{ "l3-cache-schema", '\0', true, RUNTIME_UPDATE },
	{ "mem-bw-schema", '\0', true, RUNTIME_UPDATE },
	{ "memory-reservation", '\0', true, RUNTIME_UPDATE },
	{ "pids-limit", '\0', true, RUNTIME_UPDATE },

	{ "empty-ns", '\0', true, RUNTIME_CHECKPOINT },
	{ "image-path", '\0', true, RUNTIME_CHECKPOINT },
	{ "lsm-mount-context", '\0', true, RUNTIME_CHECKPOINT },
	{ "lsm-profile", '\0', true, RUNTIME_CHECKPOINT },
	{ "manage-cgroups-mode", '\0', true, RUNTIME_CHECKPOINT },
	{ "page-server", '\0', true, RUNTIME_CHECKPOINT },
	{ "parent-path", '\0', true, RUNTIME_CHECKPOINT },
	{ "status-fd", '\0', true, RUNTIME_CHECKPOINT },
	{ "work-path", '\0', true, RUNTIME_CHECKPOINT },

	{ "console-socket", '\0', true, BOTH | RUNTIME_CHECKPOINT },
	{ "detach", 'd', false, BOTH | RUNTIME_CHECKPOINT },
	{ "pid-file", '\0', true, BOTH | RUNTIME_CHECKPOINT },
	{ "preserve-fds", '\0', true, BOTH },
};

static const struct runtime_option *find(const char *name, size_t len, unsigned scope)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		const struct runtime_option *option = &options[i];

		if ((option->scope & scope) == 0)
			continue;
		if (len == strlen(option->name) && strncmp(name, option->name, len) == 0)
			return option;
		if (len == 1 && name[0] == option->letter)
			return option;
	}
	return NULL;
}

int runtime_option_read(char *const *words, enum runtime_option_scope scope,
	struct runtime_option_word *word, struct err *err)
{
	bool is_long = strncmp(words[0], "--", 2) == 0;
	const char *name = words[0] + (is_long ? 2 : 1);
	size_t len = strcspn(name, "=");
	const struct runtime_option *option = find(name, len, scope);

	*word = (struct runtime_option_word) { .option = option, .n_words = 1 };
	if (name[len] == '=')
		word->value = name + len + 1;
	if (option == NULL && !is_long && len > 1) {
		option = find(name, 1, scope);
		if (option == NULL || !option->has_value)
			return 0;
		word->option = option;
		word->value = name + 1;
	}
	if (option == NULL || !option->has_value || word->value != NULL)
		return 0;
	if (words[1] == NULL)
		return err_set(err, -EINVAL, "%.64s: needs a value", words[0]);
	word->value = words[1];
	word->n_words = 2;
	return 0;
}
