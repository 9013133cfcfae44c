/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Tells clients which TCP ports the guest listens on (lib/port_report.h), and tells them anew
 * within a quarter of a second when that changes. It is looked at only while there is a client. One
 * that does not read misses what was in between, and nothing is kept for it but one line.
 *
 * Thread-safety: of one thread and its event loop.
 */

#include <stddef.h>
#include <stdint.h>

struct event_base;
struct port_reports;

#define PORT_REPORTS_CLIENTS_MAX 8

/* NULL: no memory. */
struct port_reports *port_reports_new(struct event_base *loop);

/* These ports, which the caller keeps, are never told of: they are the pod's own, see host_ports.h.
 */
void port_reports_hide(struct port_reports *reports, const uint16_t *ports, size_t n);

/* A connection of a client, which is owned from here on. */
void port_reports_accept(struct port_reports *reports, int fd);

/* May be NULL. */
void port_reports_free(struct port_reports *reports);
