/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What sluiced is told: the decoded form of its configuration file, with every default filled in.
 * The rows that describe each field (name, type, range, default, help) are in sluiced_config.c;
 * the file, the command line, the environment and --help are all made from them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/err.h"
#include "lib/log.h"
#include "lib/mac.h"

#define PORT_NAME_MAX   32  /* with NUL */
#define SOCKET_PATH_MAX 108 /* sun_path */
#define N_PORTS_MAX     256

enum port_kind { PORT_KIND_PACKET, PORT_KIND_VHOST_USER };

struct port_config {
	char name[PORT_NAME_MAX];
	enum port_kind kind;
	char interface[16];           /* packet: the netdev */
	bool promiscuous;             /* packet: frames to any address */
	char socket[SOCKET_PATH_MAX]; /* vhost-user: where we listen */
	struct mac mac;               /* vhost-user: told to the guest; zero: none */
	uint16_t mtu;                 /* vhost-user: told to the guest; 0: none */
	bool offload_csum;            /* vhost-user: offer checksum offload, both directions */
	bool offload_tso;             /* vhost-user: offer TSO4/6 and ECN, both directions */
	bool offload_uso; /* UDP segmentation offload: offer it, or leave it to the kernel */
	bool mergeable;   /* vhost-user: offer mergeable receive buffers */
	bool indirect;    /* vhost-user: offer indirect descriptors */
	bool event_idx;   /* vhost-user: offer EVENT_IDX notification */
};

/* spin_us of a worker that never sleeps ("max" in the file). */
#define SPIN_FOREVER UINT32_MAX

struct sluiced_config {
	char control_socket[SOCKET_PATH_MAX];
	enum log_level log_level;
	enum log_format log_format;
	uint32_t spin_us;      /* 0: event-driven; SPIN_FOREVER: never sleeps */
	int32_t worker_cpu;    /* -1: wherever the kernel likes */
	uint32_t fdb_size;     /* addresses the table can hold */
	uint32_t fdb_ageing_s; /* seconds without traffic until an address is forgotten */
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

/* The file's layer alone, from bytes in memory: what `sluiced_config_load(path, NULL)` makes of a
 * file with that content in an empty environment. Messages do not name the file. */
int sluiced_config_decode(
	struct sluiced_config *config, const char *text, size_t len, struct err *err);

/* Prints all settings: the options, then the keys of an entry of "ports". */
void sluiced_config_print_help(FILE *out);

void sluiced_config_free(struct sluiced_config *config);
