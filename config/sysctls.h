/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Settings of a guest's kernel, as the OCI runtime specification has them in linux.sysctl:
 * { "net.ipv4.ip_forward": "1" }. A key is a path below /proc/sys with dots for slashes; whether
 * the kernel has it is for the kernel to say.
 */

#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

typedef struct json_t json_t; /* of jansson.h, beside which json-c's header cannot be */

#define SYSCTLS_MAX          256
#define SYSCTL_KEY_LEN_MAX   255
#define SYSCTL_VALUE_LEN_MAX 4095

struct sysctl {
	char *key, *value;
};

struct sysctls {
	struct sysctl *item;
	size_t n;
};

/* Letters, digits, '_', '-', '.', '/' and '@', ':', '%' of interfaces' names; no empty parts. */
bool sysctls_is_key(const char *key);

/* `object` may be NULL: there are none. The caller frees *sysctls if this returns 0. -EINVAL. */
int sysctls_decode(const json_t *object, struct sysctls *sysctls, struct err *err);

/* A new reference that sysctls_decode() makes the same of; NULL: no memory. */
json_t *sysctls_encode(const struct sysctls *sysctls);

/* The caller frees *to if this returns 0; -ENOMEM. */
int sysctls_copy(const struct sysctls *from, struct sysctls *to);

void sysctls_free(struct sysctls *sysctls);
