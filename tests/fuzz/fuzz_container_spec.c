/* SPDX-License-Identifier: BSD-3-Clause */

/* The decoder of what sluice-runtime says of a container: whatever the bytes, a sound spec or one
 * line; and its settings, which are a layer of the VM's. */

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "config/container_spec.h"
#include "config/vm_settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(const struct err *err)
{
	assert(err->text[0] != '\0' && strchr(err->text, '\n') == NULL);
}

static void check_volumes(const struct container_spec *spec)
{
	assert(spec->n_volumes <= MACHINE_MOUNTS_MAX);
	for (size_t i = 0; i < spec->n_volumes; i++) {
		const struct machine_mount *volume = &spec->volumes[i];

		assert(volume->destination[0] == '/' && volume->source == NULL);
		assert(volume->kind == MACHINE_VIRTIOFS || volume->kind == MACHINE_NFS ||
			volume->kind == MACHINE_TMPFS);
	}
}

static void check_vectors(const struct container_spec *spec)
{
	assert(spec->args[0] != NULL);
	for (char **variable = spec->env; *variable != NULL; variable++)
		assert(strchr(*variable, '=') > *variable);
}

static void check_settings(const struct container_spec *spec)
{
	const struct vm_sources from = { .container = spec };
	struct vm_settings settings;
	struct err err = { "" };

	if (vm_settings_load(&from, &settings, &err) < 0)
		check_line(&err);
}

static void check_copy(const struct container_spec *spec)
{
	struct process_spec copy;

	assert(process_spec_copy(&spec->process, &copy) == 0);
	assert((copy.cwd == NULL) == (spec->process.cwd == NULL));
	assert(copy.n_gids == spec->process.n_gids);
	process_spec_free(&copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct container_spec spec;
	struct err err = { "" };

	if (container_spec_parse((const char *)data, size, &spec, &err) < 0) {
		check_line(&err);
		assert(spec.args == NULL && spec.settings == NULL && spec.process.cwd == NULL);
		return 0;
	}
	assert(spec.share[0] == '/');
	check_volumes(&spec);
	check_vectors(&spec);
	check_settings(&spec);
	check_copy(&spec);
	container_spec_free(&spec);
	return 0;
}
