/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The program that serves a virtio-fs device: QEMU's (in C, of qemu-system-common in Debian 12) or
 * its successor's (in Rust), which are told the same in other words. Which it is, it is asked.
 *
 * It is confined to the exported directory by chroot(2), which a container allows where namespaces
 * are refused, and makes no device files. It keeps a descriptor for every file that the guest's
 * kernel remembers, and one of its kind silently leaves out directory entries when there are no
 * more: RLIMIT_NOFILE is raised as far as it goes, and too low a limit is said in the log.
 */

#include "launcher/process/child.h"
#include "launcher/storage/share.h"
#include "lib/err.h"

enum virtiofsd_cache { VIRTIOFSD_CACHE_AUTO, VIRTIOFSD_CACHE_ALWAYS, VIRTIOFSD_CACHE_NONE };

/* Fewer descriptors than this are worth a warning. */
#define VIRTIOFSD_NOFILE_MIN 65536

struct virtiofsd_plan {
	const char *program;       /* NULL: where distributions have it, or PATH */
	const struct share *share; /* what it exports */
	int listen_fd; /* a socket that listens, and does not return from accept(2) empty-handed */
	enum virtiofsd_cache cache;
	int log; /* gets its stderr; -1: none */
	struct keeper *keeper;
	void (*ended)(void *owner, struct child *child, int status);
	void *owner;
};

/* Where it is, written into path[PATH_MAX]. -ENOENT: nowhere; *err names the package. */
int virtiofsd_find(const char *program, char *path, struct err *err);

/*
 * It serves the first one to connect to listen_fd, and ends with that connection. It can be
 * connected to at once, whether or not it is already there to accept; if it ends before, whoever
 * has connected sees a hang-up, once the caller has closed listen_fd.
 */
int virtiofsd_start(struct event_base *loop, const struct virtiofsd_plan *plan, struct child **out,
	struct err *err);
