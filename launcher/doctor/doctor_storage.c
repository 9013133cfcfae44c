/* SPDX-License-Identifier: BSD-3-Clause */

/* The root, volumes, what serves them, and where files of ours are to be. */

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launcher/doctor/doctor.h"
#include "launcher/run/machine_kind.h"
#include "launcher/process/program.h"
#include "launcher/run/vm_paths.h"
#include "launcher/run/volume_choice.h"
#include "launcher/storage/nfs.h"
#include "launcher/storage/virtiofsd.h"

/* --- root and volumes ------------------------------------------------------------------------ */

static void examine_rootfs(struct doctor *d)
{
	const char *rootfs = d->settings->rootfs;
	struct stat st;

	if (rootfs[0] == '\0')
		doctor_note(d, DOCTOR_WARN, "rootfs", "say --rootfs DIR to have it looked at",
			"is not set");
	else if (stat(rootfs, &st) < 0)
		doctor_note(d, DOCTOR_FAIL, "rootfs", "set rootfs to the directory of the root",
			"%s: %s", rootfs, strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		doctor_note(d, DOCTOR_FAIL, "rootfs", "set rootfs to the directory of the root",
			"%s is not a directory", rootfs);
	else
		doctor_note(d, DOCTOR_OK, "rootfs", NULL, "%s", rootfs);
}

static void examine_volumes(struct doctor *d)
{
	for (size_t i = 0; i < d->volumes->n; i++) {
		const struct volume *v = &d->volumes->item[i];
		struct err err = { "" };

		if (v->source == NULL)
			continue;
		if (volume_choice_check(v, machine_kind(d->settings), d->settings, &err) == 0)
			doctor_note(d, DOCTOR_OK, "volume", NULL, "%s", v->source);
		else
			doctor_note(d, v->optional ? DOCTOR_WARN : DOCTOR_FAIL, "volume", NULL,
				"%s", err.text);
	}
}

/* --- servers --------------------------------------------------------------------------------- */

static void examine_open_files(struct doctor *d)
{
	struct rlimit limit = { 0 };

	(void)getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max < VIRTIOFSD_NOFILE_MIN)
		doctor_note(d, DOCTOR_WARN, "open-files",
			"raise the container's limit: virtiofsd cuts large directories short",
			"the hard limit is %" PRIu64 ", less than %d", (uint64_t)limit.rlim_max,
			VIRTIOFSD_NOFILE_MIN);
	else if (limit.rlim_max == RLIM_INFINITY)
		doctor_note(d, DOCTOR_OK, "open-files", NULL, "unlimited");
	else
		doctor_note(d, DOCTOR_OK, "open-files", NULL, "%" PRIu64, (uint64_t)limit.rlim_max);
}

static void examine_virtiofsd(struct doctor *d, bool needed)
{
	const char *set = d->settings->virtiofsd;
	char path[PATH_MAX];
	struct err err = { "" };

	if (virtiofsd_find(set[0] != '\0' ? set : NULL, path, &err) < 0) {
		doctor_note(
			d, needed ? DOCTOR_FAIL : DOCTOR_WARN, "virtiofsd", NULL, "%s", err.text);
		return;
	}
	doctor_note(d, DOCTOR_OK, "virtiofsd", NULL, "%s", path);
	examine_open_files(d);
}

static void examine_tool(
	struct doctor *d, const char *name, const char *program, bool needed, const char *advice)
{
	char path[PATH_MAX];
	struct err err = { "" };

	if (program_find(program, path, &err) < 0)
		doctor_note(d, needed ? DOCTOR_FAIL : DOCTOR_WARN, name, advice, "%s", err.text);
	else
		doctor_note(d, DOCTOR_OK, name, NULL, "%s", path);
}

static void examine_nfs(struct doctor *d)
{
	const struct vm_settings *s = d->settings;
	const struct nfs_export root = { s->rootfs, s->readonly };
	bool is_root = s->root == VM_ROOT_NFS;
	struct err err = { "" };

	examine_tool(d, "nfs-ganesha", NFS_PROGRAM,
		is_root || volumes_count_required(d->volumes, true) > 0,
		"install nfs-ganesha and nfs-ganesha-vfs for roots and volumes by NFS");
	if (is_root && nfs_export_check(&root, s->nfs_shared_filesystem, &err) < 0)
		doctor_note(d, DOCTOR_FAIL, "root-nfs", NULL, "%s", err.text);
}

/* --- directories ----------------------------------------------------------------------------- */

/* Its parent is there when it is made. */
static void parent_of(const char *path, char *parent)
{
	char *slash;

	snprintf(parent, PATH_MAX, "%s", path);
	slash = strrchr(parent, '/');
	slash[slash == parent] = '\0';
}

static int check_writable(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0 || access(path, W_OK | X_OK) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

static void examine_directory(
	struct doctor *d, const char *name, const char *path, const char *advice)
{
	bool exists = access(path, F_OK) == 0;
	char parent[PATH_MAX];
	int ret;

	parent_of(path, parent);
	ret = check_writable(exists ? path : parent);
	if (ret < 0)
		doctor_note(d, DOCTOR_FAIL, name, advice, "%s %s: %s",
			exists ? "cannot write to" : "cannot be made in", exists ? path : parent,
			strerror(-ret));
	else
		doctor_note(d, DOCTOR_OK, name, NULL, "%s%s", path, exists ? "" : " will be made");
}

static void examine_directories(struct doctor *d)
{
	const struct vm_settings *s = d->settings;
	struct err err = { "" };
	struct vm_paths paths;

	if (vm_paths_make(&paths, s->run_dir, s->name, &err) < 0)
		doctor_note(d, DOCTOR_FAIL, "run-dir", "set a shorter one", "%s", err.text);
	else
		examine_directory(d, "run-dir", s->run_dir, "set run-dir to one that is writable");
	examine_directory(d, "cache-dir", s->cache_dir, "set cache-dir to one that is writable");
}

/* What serves the root and volumes, or makes an image of the root. */
static void examine_servers(struct doctor *d)
{
	bool virtiofs = (machine_kind(d->settings)->can & VMM_CAN_VIRTIOFS) != 0;
	uint32_t root = d->settings->root;

	if (virtiofs)
		examine_virtiofsd(d,
			volumes_count_required(d->volumes, false) > 0 || root == VM_ROOT_VIRTIOFS);
	examine_tool(d, "mke2fs", "mke2fs", root == VM_ROOT_EXT4,
		"install e2fsprogs for roots of the kind ext4");
	examine_nfs(d);
}

void doctor_examine_storage(struct doctor *d)
{
	examine_rootfs(d);
	examine_volumes(d);
	examine_servers(d);
	examine_directories(d);
}
