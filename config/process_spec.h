/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * How a process is to be run in a guest: the workload (machine_spec.h) or an exec (START of
 * lib/agent_wire.h). Argument and environment vectors go beside it: they are bytes, and JSON has
 * only text. Keys are those of the OCI runtime specification's process object where it has such:
 *
 *   cwd                "/": absolute, in the guest's root
 *   user               "", "1000", "1000:1000", "www", "www:adm": names are looked up in the
 *                      guest's /etc/passwd and /etc/group; empty: root, or for an exec the
 *                      workload's
 *   additionalGids []  besides those that /etc/group gives a named user
 *   groups             "": the same by number or by the guest's names, "audio,29"
 *   umask              18 (octal 022)
 *   terminal           false; with
 *   rows, columns      0: not told
 *   rlimits            [ { type "RLIMIT_NOFILE", soft, hard } ]; RLIM_INFINITY is -1
 *   capabilities []    "CAP_NET_RAW" ...; absent: all of them, for an exec the workload's
 *   ambientCapabilities []
 *                      those of them that a user who is not root keeps
 *   noNewPrivileges    false
 *   init               false: of a workload, it is not process 1 of its PID namespace, but the
 *                      child of one that hands signals on and waits for orphans
 *
 * An exec leaves out what it takes over from the workload: all of these but terminal, rows,
 * columns.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/types.h>

#include "lib/err.h"

typedef struct json_t json_t; /* of jansson.h, beside which json-c's header cannot be */

#define PROCESS_RLIMITS_MAX 16    /* as many as there are */
#define PROCESS_GIDS_MAX    65536 /* NGROUPS_MAX */
#define PROCESS_USER_MAX    512
#define PROCESS_GROUPS_MAX  4096 /* bytes of their names */

struct process_rlimit {
	int resource;        /* RLIMIT_* */
	uint64_t soft, hard; /* RLIM64_INFINITY */
};

struct process_spec {
	char *cwd;  /* NULL: not said */
	char *user; /* NULL: not said */
	char *groups;
	gid_t *gids;
	size_t n_gids;
	bool has_umask, has_rlimits, has_capabilities, has_no_new_privileges;
	uint32_t umask;
	struct process_rlimit rlimits[PROCESS_RLIMITS_MAX];
	size_t n_rlimits;
	uint64_t capabilities, ambient; /* bit N: capability N of linux/capability.h */
	bool no_new_privileges;
	bool init;
	bool terminal;
	uint16_t rows, columns;
};

/* Strict, as settings are; `at` is the object's path in messages with a trailing '.' ("process.",
 * "" for the root). The caller frees *spec if this returns 0. */
int process_spec_decode(
	const json_t *object, const char *at, struct process_spec *spec, struct err *err);

/* A new reference that process_spec_decode() makes the same of; NULL: no memory. */
json_t *process_spec_encode(const struct process_spec *spec);

/* The caller frees *to if this returns 0; -ENOMEM. */
int process_spec_copy(const struct process_spec *from, struct process_spec *to);

void process_spec_free(struct process_spec *spec);
