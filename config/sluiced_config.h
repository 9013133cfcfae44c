/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What sluiced is told: the decoded form of its configuration file, with every default filled in.
 * The rows that describe each field (name, type, range, default, help) are in sluiced_config.c;
 * the file, the command line, the environment and --help are all made from them.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "config/port_config.h"
#include "lib/err.h"
#include "lib/log.h"
#include "lib/mac.h"

#define N_PORTS_MAX          256
#define FDB_STATIC_MAX       4096
#define NEIGHBOUR_STATIC_MAX 16384

/* spin_us of a worker that never sleeps ("max" in the file). */
#define SPIN_FOREVER UINT32_MAX

/* An address that is always behind the same port. */
struct fdb_static_config {
	struct mac mac;
	uint16_t vlan; /* 0: the untagged network */
	char port[PORT_NAME_MAX];
};

/* A station on the uplink's side that is always at the same address. */
struct neighbour_static_config {
	struct ip_addr ip;
	struct mac mac;
};

struct sluiced_config {
	char control_socket[SOCKET_PATH_MAX];
	enum log_level log_level;
	enum log_format log_format;
	uint32_t spin_us;                 /* 0: event-driven; SPIN_FOREVER: never sleeps */
	uint8_t n_workers;                /* at least 1 */
	int32_t worker_cpus[WORKERS_MAX]; /* of each worker; -1: wherever the kernel likes */
	uint32_t fdb_size;                /* addresses the table can hold */
	uint32_t fdb_ageing_s; /* seconds without traffic until an address is forgotten */
	bool forward_reserved; /* 01:80:c2:00:00:0x cross: LLDP, LACP, STP */
	bool telemetry;        /* serve DPDK's telemetry socket */
	struct fdb_static_config *fdb_static;
	size_t n_fdb_static;
	struct neighbour_static_config *neighbour_static;
	size_t n_neighbour_static;
	struct port_config *ports;
	size_t n_ports;
};

/*
 * Fills *config from, strongest first: `words` (the settings of the command line, `--name VALUE` or
 * `--name=VALUE`, ended by NULL; NULL: none), the environment (SLUICE_*, and RUNCVM_LOG_LEVEL where
 * SLUICE_LOG_LEVEL is not set), the file at `path` (NULL: none), the defaults. Every layer is
 * checked, also where a stronger one overrides it.
 *
 * On failure returns a negative errno, *err holds one line that names the file, the path inside it
 * and what is allowed, and *config owns nothing. Free with sluiced_config_free().
 */
int sluiced_config_load(
	struct sluiced_config *config, const char *path, char *const *words, struct err *err);

/* As sluiced_config_load(), of a file with this content; `name` is what messages call it. */
int sluiced_config_layer(struct sluiced_config *config, const char *text, size_t len,
	const char *name, char *const *words, struct err *err);

/* One setting by its name; what belongs to it (a check, say) is still the caller's. */
int sluiced_config_set(
	struct sluiced_config *config, const char *name, const char *text, struct err *err);

/* The file's layer alone, from bytes in memory: what `sluiced_config_load(path, NULL)` makes of a
 * file with that content in an empty environment. Messages do not name the file. */
int sluiced_config_decode(
	struct sluiced_config *config, const char *text, size_t len, struct err *err);

/* The port of this name, or NULL. */
const struct port_config *sluiced_config_port(
	const struct sluiced_config *config, const char *name);

/* Whether it has an uplink that guests share the MAC address of: the network of a pod. */
bool sluiced_config_is_pod(const struct sluiced_config *config);

/*
 * What must hold between the settings of a configuration whose parts are each good: what ports
 * claim is theirs alone, workers and the ports of static addresses exist. sluiced_config_load() and
 * sluiced_config_decode() have done it; for one that was put together otherwise. -EINVAL.
 */
int sluiced_config_check(const struct sluiced_config *config, struct err *err);

/* Every setting, in the file's format: what sluiced_config_decode() makes the same configuration
 * of. A new reference, NULL when memory is short. */
json_t *sluiced_config_encode(const struct sluiced_config *config);

/* Prints all settings: the options, then the keys of an entry of "ports". */
void sluiced_config_print_help(FILE *out);

/* The same for a manual page: sections of lists. */
void sluiced_config_print_man(FILE *out);

void sluiced_config_free(struct sluiced_config *config);
