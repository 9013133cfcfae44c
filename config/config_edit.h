/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Changing a decoded configuration: a running one is copied, the copy edited, checked and applied.
 */

#include "config/sluiced_config.h"

/* A copy that owns what it refers to; free it with sluiced_config_free(). -ENOMEM. */
int sluiced_config_copy(struct sluiced_config *to, const struct sluiced_config *from);

/* Appends a zeroed port, or NULL with *err set if there are as many as there may be. */
struct port_config *sluiced_config_add_port(struct sluiced_config *config, struct err *err);

/* Removes a port and the static addresses behind it; -ENOENT with *err set. */
int sluiced_config_del_port(struct sluiced_config *config, const char *name, struct err *err);

/* Makes an address static, or moves one that is. -ENOSPC with *err set. */
int sluiced_config_add_static(
	struct sluiced_config *config, const struct fdb_static_config *entry, struct err *err);

/* The static address, or NULL. */
struct fdb_static_config *sluiced_config_static(
	const struct sluiced_config *config, const struct mac *mac, uint16_t vlan);

/* False if there is no such static address. */
bool sluiced_config_del_static(struct sluiced_config *config, const struct mac *mac, uint16_t vlan);

/* The same for neighbours that are static. */
int sluiced_config_add_neighbour(struct sluiced_config *config,
	const struct neighbour_static_config *entry, struct err *err);
struct neighbour_static_config *sluiced_config_neighbour(
	const struct sluiced_config *config, const struct ip_addr *ip);
bool sluiced_config_del_neighbour(struct sluiced_config *config, const struct ip_addr *ip);
