/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What VMMs have in common that are told over HTTP what to boot (Cloud Hypervisor, Firecracker):
 *
 *      started -- it listens --> one request after the other --> running --> ended
 *
 * The first request that is refused is the end: it is killed, and VMM_ENDED says which and why.
 * They end by themselves when the guest powers off, and say nothing but their exit status: 0 is a
 * guest that powered off.
 */

#include <jansson.h>

#include "launcher/vmm/argv.h"
#include "launcher/vmm/vmm.h"

#define REST_STEPS_MAX (VMM_NICS_MAX + VMM_DRIVES_MAX + 8)

struct rest_step {
	const char *method;
	char path[64];
	json_t *body; /* NULL: none */
};

struct rest_steps {
	struct rest_step step[REST_STEPS_MAX];
	size_t n;
	bool failed; /* memory ran out */
};

/* `body` is taken over; NULL, where there should be one, is memory that ran out. */
void rest_steps_add(struct rest_steps *steps, const char *path, json_t *body);
void rest_steps_add_bare(struct rest_steps *steps, const char *path);

/* The plan's command line and what the VMM adds to it. */
json_t *rest_vmm_cmdline(const struct vmm_plan *plan, const char *own);

/* What a kind is made of. */
struct rest_kind {
	const char *title; /* for messages */
	const char *usual; /* its program's name */
	void (*args)(const char *program, const char *socket, struct argv *argv);
	void (*steps)(const struct vmm_plan *plan, struct rest_steps *steps);
	void (*powerdown)(struct rest_steps *steps); /* one step */
};

/* The contract's (vmm.h), for both. */
int rest_vmm_start(const struct vmm_kind *kind, const struct rest_kind *rest,
	struct event_base *loop, struct keeper *keeper, const struct vmm_plan *plan,
	const struct vmm_owner *owner, struct vmm **out, struct err *err);
int rest_vmm_powerdown(struct vmm *vmm, struct err *err);
void rest_vmm_kill(struct vmm *vmm);
const char *rest_vmm_state(const struct vmm *vmm);
pid_t rest_vmm_pid(const struct vmm *vmm);
