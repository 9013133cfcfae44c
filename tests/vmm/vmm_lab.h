/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A VMM under test: a directory for its run, a guest whose init is a script of the test's, its
 * console, and what it told. The test is a subreaper, so what a VMM leaves behind is its child.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>

#include "launcher/vmm/vmm.h"

#define VMM_LAB_EVENTS_MAX 16

struct event_base;
struct event;

struct vmm_lab {
	struct event_base *loop;
	struct keeper *keeper; /* nothing stays, however the test ends */
	struct event *console_ready;
	struct event *deadline;
	struct vmm_plan plan;
	struct vmm *vmm;
	char dir[64];
	char initrd[96];
	char cmdline[256];
	int console[2];
	char text[256 * 1024]; /* what the console said */
	size_t text_len;
	enum vmm_event events[VMM_LAB_EVENTS_MAX];
	char details[VMM_LAB_EVENTS_MAX][128];
	size_t n_events;
	bool late; /* the deadline has passed */
};

/* A plan for `kind` with one CPU and 128 MB; *state becomes the lab. */
int vmm_lab_setup(void **state, const struct vmm_kind *kind, const char *machine);
int vmm_lab_teardown(void **state);

/* Path of a file in the guest directory; the answer is overwritten by the fourth call after. */
const char *vmm_lab_guest_file(const char *name);

/* Module of QEMU's guest, "drivers/block/virtio_blk.ko". */
const char *vmm_lab_module(const char *name);

/* Starts a guest with the script as its init, and up to seven more files (NULL-terminated; may be
 * NULL). */
void vmm_lab_boot(struct vmm_lab *lab, const struct vmm_kind *kind, const char *script,
	const char *const *files);

/* Starts what the plan has. */
int vmm_lab_start(struct vmm_lab *lab, const struct vmm_kind *kind, struct err *err);

/* Wait for it, and fail the test with the console's tail if it does not come. */
void vmm_lab_await_text(struct vmm_lab *lab, const char *text);
void vmm_lab_await_event(struct vmm_lab *lab, enum vmm_event event);

/* The events so far, in words: "running shutdown:guest-reset ended:exit status 0". */
const char *vmm_lab_story(const struct vmm_lab *lab);

/* No process of the group is there. */
bool vmm_lab_is_gone(pid_t leader);

/* None will be. */
void vmm_lab_await_gone(pid_t leader);
