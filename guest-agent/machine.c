/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest-agent/machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/agent_wire.h"
#include "lib/whole_file.h"

static int take(const char *path, size_t max, char **text, size_t *len, struct err *err)
{
	int ret = whole_file_read(path, max, text, len);

	if (ret == -ENOENT)
		return 0;
	if (ret < 0)
		return err_errno(err, -ret, "cannot read %s", path);
	if (unlink(path) < 0)
		return err_errno(err, errno, "cannot remove %s", path);
	return 0;
}

int machine_files_take(struct machine_files *files, struct err *err)
{
	int ret;

	*files = (struct machine_files) { 0 };
	ret = take(MACHINE_SPEC_PATH, MACHINE_SPEC_MAX, &files->spec, &files->spec_len, err);
	if (ret == 0)
		ret = take(MACHINE_ARGV_PATH, AGENT_WIRE_STRINGS_MAX, &files->argv,
			&files->argv_len, err);
	if (ret == 0)
		ret = take(MACHINE_ENV_PATH, AGENT_WIRE_STRINGS_MAX, &files->env, &files->env_len,
			err);
	return ret;
}

void machine_files_free(struct machine_files *files)
{
	free(files->spec);
	free(files->argv);
	free(files->env);
	*files = (struct machine_files) { 0 };
}

int machine_files_keep(const struct machine_files *files, struct err *err)
{
	int ret;

	if (files->spec == NULL)
		return 0;
	ret = whole_file_write(MACHINE_SPEC_PATH, 0600, files->spec, files->spec_len);
	return ret < 0 ? err_errno(err, -ret, "cannot write " MACHINE_SPEC_PATH) : 0;
}

/* Pointers into one copy of the text, which follows them; NULL behind the last. */
static int decode_strings(
	const char *text, size_t len, const char *path, char ***strings, struct err *err)
{
	size_t n = 0;
	char **list, *at;

	if (len > 0 && text[len - 1] != '\0')
		return err_set(err, -EINVAL, "%s: the last string has no end", path);
	for (size_t i = 0; i < len; i++)
		n += text[i] == '\0';
	list = malloc((n + 1) * sizeof(*list) + len);
	if (list == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	at = (char *)&list[n + 1];
	if (len > 0)
		memcpy(at, text, len);
	for (size_t i = 0; i < n; i++) {
		list[i] = at;
		at += strlen(at) + 1;
	}
	list[n] = NULL;
	*strings = list;
	return 0;
}

int machine_decode(const struct machine_files *files, struct machine *machine, struct err *err)
{
	int ret;

	*machine = (struct machine) { .argv = NULL };
	if (files->spec == NULL)
		return err_set(
			err, -ENOENT, "the initramfs has no machine spec (" MACHINE_SPEC_PATH ")");
	ret = machine_spec_parse(files->spec, files->spec_len, &machine->spec, err);
	if (ret < 0)
		return err_wrap(err, ret, "machine spec");
	if (files->argv_len > 0)
		ret = decode_strings(
			files->argv, files->argv_len, MACHINE_ARGV_PATH, &machine->argv, err);
	if (ret == 0)
		ret = decode_strings(
			files->env, files->env_len, MACHINE_ENV_PATH, &machine->env, err);
	if (ret < 0)
		machine_free(machine);
	return ret;
}

void machine_free(struct machine *machine)
{
	free(machine->argv);
	free(machine->env);
	machine_spec_free(&machine->spec);
	*machine = (struct machine) { .argv = NULL };
}
