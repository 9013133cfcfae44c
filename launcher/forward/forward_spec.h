/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Which port of ours leads to which of the guest's, as kubectl's users write it:
 *
 *   8080:80              from 127.0.0.1 and ::1
 *   80                   the same port on both sides
 *   :80, 0:80            from a port that is free
 *   10.0.0.2:8080:80     from that address; [::]:8080:80
 */

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/ip_addr.h"

struct forward_spec {
	bool has_address; /* otherwise both of loopback */
	struct ip_addr address;
	uint16_t local; /* 0: one that is free */
	uint16_t remote;
};

/* -EINVAL: one line names the text. */
int forward_spec_parse(const char *text, struct forward_spec *spec, struct err *err);

/* A port alone. */
int forward_spec_port(const char *text, uint16_t *port, struct err *err);
