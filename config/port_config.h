/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What sluiced is told about one port. The rows that describe each field (name, type, range,
 * default, help, the kinds of port it belongs to) are in port_config.c.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/err.h"
#include "lib/ip_addr.h"
#include "lib/mac.h"

#define PORT_NAME_MAX   32  /* with NUL */
#define SOCKET_PATH_MAX 108 /* sun_path */
#define DEVARGS_MAX     512
#define QUEUES_MAX      16 /* of one port */
#define WORKERS_MAX     16
#define ADDRS_MAX       16 /* of a guest, or of a service */
#define L4_PORTS_TEXT   512
#define VLAN_N          4096
#define VLAN_ID_MAX     4094

enum port_kind { PORT_KIND_PACKET, PORT_KIND_VHOST_USER, PORT_KIND_ETHDEV };

/* What is behind a port, and so what may come in by it: see role_check.h. */
enum port_role { PORT_ROLE_PEER, PORT_ROLE_UPLINK, PORT_ROLE_GUEST, PORT_ROLE_HOST };

/* How guests appear on an uplink. */
enum mac_mode { MAC_MODE_ADOPT, MAC_MODE_SUBSTITUTE, MAC_MODE_TRANSPARENT };

/* Where an uplink's neighbours are known from. */
enum neighbour_mode { NEIGHBOURS_AUTO, NEIGHBOURS_STATIC, NEIGHBOURS_OFF };

enum anti_spoof { ANTI_SPOOF_AUTO, ANTI_SPOOF_ON, ANTI_SPOOF_OFF };

/* VLAN ids, one bit each. */
struct vlan_set {
	uint64_t word[VLAN_N / 64];
};

static inline bool vlan_set_has(const struct vlan_set *set, unsigned vlan)
{
	return set->word[vlan / 64] >> vlan % 64 & 1;
}

/*
 * Compared byte by byte to find what a new configuration changes: the functions below leave zero in
 * all padding, behind the end of text, and in the fields of other kinds.
 */
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
	enum port_role role;
	enum mac_mode mac_mode;           /* uplink */
	enum neighbour_mode neighbours;   /* uplink */
	char kernel_ports[L4_PORTS_TEXT]; /* packet uplink: what stays with the pod's kernel */
	enum anti_spoof anti_spoof;       /* guest */
	bool point_to_point;              /* guest: its /31 neighbour stands for the gateway */
	uint32_t binding_limit;           /* guest: addresses it may have besides those below */
	uint8_t n_addresses;
	struct ip_addr addresses[ADDRS_MAX]; /* guest: it has these; host: the identity address */
	uint8_t n_services;
	struct ip_addr services[ADDRS_MAX]; /* guest: its addresses towards the host port */
};

/* The socket that the port is behind: its `socket`, or the path in its `devargs` (iface=, path=,
 * socket=). *len is 0 if there is none; not terminated. */
const char *port_config_socket(const struct port_config *port, size_t *len);

/*
 * Decodes one port, as an entry of the file's "ports" is one. `at` is where it is, with a trailing
 * '.' ("ports[1]."; "" if there is no more to say), and begins every message. Says nothing about
 * other ports: see sluiced_config_check(). -EINVAL or -ERANGE; *port is then not to be used.
 */
int port_config_decode(
	struct port_config *port, const json_t *object, const char *at, struct err *err);

/*
 * Applies `changes`, an object with some of the port's keys; null makes a setting what it is by
 * default. name and kind may be there, but must be the port's. All or nothing: on failure *port is
 * as it was.
 */
int port_config_change(
	struct port_config *port, const json_t *changes, const char *at, struct err *err);

/* Every setting of the port, in the file's format: what port_config_decode() makes the same port
 * of. A new reference, NULL when memory is short. */
json_t *port_config_encode(const struct port_config *port);

/* The text of a command line as the JSON value that the port's key takes ("9000" is a number for
 * mtu, and text for name). A new reference, NULL if it is not UTF-8. */
json_t *port_config_value(const char *key, const char *text);

/* Prints all keys of an entry of "ports". */
void port_config_print_help(FILE *out);

/* The same for a manual page: entries of a list. */
void port_config_print_man(FILE *out);
