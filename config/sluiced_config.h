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
#define DEVARGS_MAX     512
#define N_PORTS_MAX     256
#define QUEUES_MAX      16 /* of one port */
#define WORKERS_MAX     16
#define FDB_STATIC_MAX  4096
#define VLAN_N          4096

enum port_kind { PORT_KIND_PACKET, PORT_KIND_VHOST_USER, PORT_KIND_ETHDEV };

/* VLAN ids, one bit each. */
struct vlan_set {
	uint64_t word[VLAN_N / 64];
};

static inline bool vlan_set_has(const struct vlan_set *set, unsigned vlan)
{
	return set->word[vlan / 64] >> vlan % 64 & 1;
}

/* Compared byte by byte to find what a new configuration changes: zero all of it first. */

struct port_config {
	char name[PORT_NAME_MAX];
	enum port_kind kind;
	char interface[16];           /* packet: the netdev */
	bool promiscuous;             /* packet: frames to any address */
	char socket[SOCKET_PATH_MAX]; /* vhost-user: where we listen, or the VMM does */
	bool client;                  /* vhost-user: connect to the VMM's socket */
	char devargs[DEVARGS_MAX];    /* ethdev: DPDK's name of the device and its arguments */
	uint16_t queues;              /* vhost-user: queue pairs offered; others: opened */
	struct mac mac;               /* vhost-user: told to the guest; zero: none */
	uint16_t mtu;                 /* vhost-user: told to the guest; ethdev: set; 0: none */
	bool offload_csum;            /* vhost-user: offer checksum offload, both directions */
	bool offload_tso;             /* vhost-user: offer TSO4/6 and ECN, both directions */
	bool offload_uso; /* UDP segmentation offload: offer it, or leave it to the kernel */
	bool mergeable;   /* vhost-user: offer mergeable receive buffers */
	bool indirect;    /* vhost-user: offer indirect descriptors */
	bool event_idx;   /* vhost-user: offer EVENT_IDX notification */

	/* The rest is the switch's, and can change while the port runs. */
	uint16_t vlan;          /* untagged frames belong to it; 0: none */
	bool has_trunks;        /* tagged frames cross, if their VLAN is in `trunks` */
	struct vlan_set trunks; /* neither vlan nor trunks: all frames cross as they are */
	uint32_t mac_limit;     /* addresses that may be learned here; 0: no limit of its own */
	uint8_t n_workers;      /* 0: the switch chooses */
	uint8_t workers[WORKERS_MAX]; /* queue i belongs to workers[i % n_workers] */
};

/* spin_us of a worker that never sleeps ("max" in the file). */
#define SPIN_FOREVER UINT32_MAX

/* An address that is always behind the same port. */
struct fdb_static_config {
	struct mac mac;
	uint16_t vlan; /* 0: the untagged network */
	char port[PORT_NAME_MAX];
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
