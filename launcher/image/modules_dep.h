/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What a kernel's modules need of each other: modules.dep and modules.builtin in its modules
 * directory, as depmod(8) and the kernel's build write them. Names are those of modprobe(8):
 * without .ko, and '-' is '_'.
 */

#include <stddef.h>

#include "lib/err.h"

#define MODULES_DEP_DEPTH_MAX 64 /* of modules that need modules; real ones are below 10 */

struct modules_dep;

/* -ENOENT: no modules.dep; -EINVAL: it is none, the entry is named. */
int modules_dep_read(const char *dir, struct modules_dep **out, struct err *err);

/* The same from texts that the caller keeps until the end; they are not changed. */
int modules_dep_parse(const char *dep, size_t dep_len, const char *builtin, size_t builtin_len,
	struct modules_dep **out, struct err *err);

/*
 * The files of these modules (NULL-terminated names; "?name": if there is one) and of all they
 * need, each once, in an order in which they can be loaded; relative to the modules directory.
 * *files, NULL-terminated, is one allocation, to be freed. Built-in ones have no file. -ENOENT:
 * there is no such module; -ELOOP: it needs itself.
 */
int modules_dep_order(
	const struct modules_dep *dep, const char *const *names, char ***files, struct err *err);

/* May be NULL. */
void modules_dep_free(struct modules_dep *dep);
