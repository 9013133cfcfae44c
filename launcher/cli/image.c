/* SPDX-License-Identifier: BSD-3-Clause */

/* sluice-vm image ls|build: the guests' initramfs archives, which are made when they are needed, or
 * before. */

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "config/settings.h"
#include "config/settings_man.h"
#include "launcher/cli/verb.h"
#include "launcher/image/image_modules.h"
#include "launcher/image/initramfs.h"
#include "launcher/image/initramfs_list.h"
#include "launcher/image/kernel.h"
#include "launcher/run/programs.h"
#include "lib/cleanup.h"

#define HASH_SHOWN   12
#define CACHE_PRESET "/var/cache/sluice"

struct image_options {
	char cache_dir[PATH_MAX];
	bool json, uml, nfs;
	char agent[PATH_MAX], kernel[PATH_MAX], modules_dir[PATH_MAX], tree[PATH_MAX];
};

#define FIELD(member) SETTING_FIELD(struct image_options, member)

static const struct setting ls_rows[] = {
	{ "cache-dir", SETTING_PATH, FIELD(cache_dir), .preset = CACHE_PRESET, .unit = "DIR",
		.help = "where the archives are" },
	{ "json", SETTING_BOOL, FIELD(json), .preset = "false", .help = "print a JSON array" },
};

static const struct setting build_rows[] = {
	{ "cache-dir", SETTING_PATH, FIELD(cache_dir), .preset = CACHE_PRESET, .unit = "DIR",
		.help = "where the archives are" },
	{ "uml", SETTING_BOOL, FIELD(uml), .preset = "false",
		.help = "for User Mode Linux, not QEMU" },
	{ "nfs", SETTING_BOOL, FIELD(nfs), .preset = "false", .help = "with what mounts NFS" },
	{ "agent", SETTING_PATH, FIELD(agent), .unit = "PATH",
		.help = "sluice-agent; by default the one installed with this program" },
	{ "kernel", SETTING_PATH, FIELD(kernel), .unit = "PATH",
		.help = "the guest's kernel; by default the newest in /boot" },
	{ "modules-dir", SETTING_PATH, FIELD(modules_dir), .unit = "PATH",
		.help = "its modules: a directory with modules.dep" },
	{ "tree", SETTING_PATH, FIELD(tree), .unit = "DIR",
		.help = "a root file system that is to be in it" },
};

static const struct settings ls_table = SETTINGS(ls_rows, NULL);
static const struct settings build_table = SETTINGS(build_rows, NULL);

/* --- ls -------------------------------------------------------------------------------------- */

static int print_json(const struct initramfs_archive *archives, size_t n, struct err *err)
{
	json_t *list = json_array();
	int ret;

	for (size_t i = 0; i < n; i++)
		json_array_append_new(
			list, json_pack("{s:s, s:s, s:I, s:I}", "hash", archives[i].hash, "kernel",
				      archives[i].kernel, "size", (json_int_t)archives[i].len,
				      "made", (json_int_t)archives[i].made));
	ret = json_array_size(list) == n ? json_dumpf(list, stdout, JSON_INDENT(2)) : -1;
	json_decref(list);
	putchar('\n');
	return ret < 0 ? err_set(err, -EIO, "cannot write the list as JSON") : 0;
}

/* "5m", "3h", "12d". */
static void format_age(time_t made, char *text, size_t size)
{
	long age = (long)(time(NULL) - made);

	if (age < 0)
		age = 0;
	if (age < 3600)
		snprintf(text, size, "%ldm", age / 60);
	else if (age < 48 * 3600L)
		snprintf(text, size, "%ldh", age / 3600);
	else
		snprintf(text, size, "%ldd", age / (24 * 3600L));
}

static void print_table(const struct initramfs_archive *archives, size_t n)
{
	char age[24];

	printf("%-*s  %8s  %5s  %s\n", HASH_SHOWN, "HASH", "KIB", "AGE", "KERNEL");
	for (size_t i = 0; i < n; i++) {
		const struct initramfs_archive *a = &archives[i];

		format_age(a->made, age, sizeof(age));
		printf("%.*s  %8" PRIu64 "  %5s  %s\n", HASH_SHOWN, a->hash, (a->len + 1023) / 1024,
			age, a->kernel[0] != '\0' ? a->kernel : "-");
	}
}

static int ls(char **words, struct err *err)
{
	cleanup_free struct initramfs_archive *archives = NULL;
	struct image_options options = { .json = false };
	size_t n;
	int ret;

	settings_apply_defaults(&ls_table, 0, &options);
	ret = settings_from_args(&ls_table, words, &options, err);
	if (ret < 0)
		return ret;
	if (initramfs_list(options.cache_dir, &archives, &n, err) < 0)
		return -EIO;
	if (options.json)
		return print_json(archives, n, err) < 0 ? -EIO : 0;
	print_table(archives, n);
	return 0;
}

/* --- build ----------------------------------------------------------------------------------- */

static int make(const struct image_options *options, struct err *err)
{
	cleanup_free char *archive = NULL;
	struct initramfs_plan plan = { .agent = options->agent,
		.modules = image_modules(options->uml, options->nfs),
		.tree = options->tree[0] != '\0' ? options->tree : NULL,
		.cache_dir = options->cache_dir };
	char agent[PATH_MAX];
	struct kernel kernel;
	int ret = kernel_find(options->uml, options->kernel, options->modules_dir, &kernel, err);

	if (ret == 0 && options->agent[0] == '\0') {
		ret = programs_find("sluice-agent", agent, err);
		plan.agent = agent;
	}
	if (ret < 0)
		return ret;
	plan.modules_dir = kernel.modules_dir[0] != '\0' ? kernel.modules_dir : NULL;
	ret = initramfs_get(&plan, &archive, err);
	if (ret == 0)
		puts(archive);
	return ret;
}

static int build(char **words, struct err *err)
{
	struct image_options options = { .json = false };
	int ret;

	settings_apply_defaults(&build_table, 0, &options);
	ret = settings_from_args(&build_table, words, &options, err);
	if (ret < 0)
		return ret;
	return make(&options, err) < 0 ? -EIO : 0;
}

/* --- the verb -------------------------------------------------------------------------------- */

static void print_help(void)
{
	fputs("Usage: sluice-vm image ls [--json] [--cache-dir DIR]\n"
	      "       sluice-vm image build [OPTION]...\n"
	      "Lists the guests' initramfs archives, or makes one and prints its path.\n\n"
	      "ls:\n",
		stdout);
	settings_print_help(&ls_table, "--", stdout);
	fputs("\nbuild:\n", stdout);
	settings_print_help(&build_table, "--", stdout);
	fputs("\nExit status: 0 ok, 1 it failed, 2 wrong usage.\n", stdout);
}

enum verb_status image_verb(int argc, char **argv, struct err *err)
{
	const char *what = argc > 1 ? argv[1] : "";
	int ret;

	if (strcmp(what, "--help") == 0 || strcmp(what, "-h") == 0) {
		print_help();
		return VERB_OK;
	}
	if (strcmp(what, "ls") == 0)
		ret = ls(argv + 2, err);
	else if (strcmp(what, "build") == 0)
		ret = build(argv + 2, err);
	else
		ret = err_set(err, -EINVAL, "say ls or build (--help explains them)");
	if (ret == 0 && (fflush(stdout) != 0 || ferror(stdout)))
		ret = err_errno(err, EIO, "cannot write to the standard output");
	if (ret == 0)
		return VERB_OK;
	return ret == -EIO ? VERB_FAILED : VERB_USAGE;
}

void image_verb_man(FILE *out)
{
	fputs(".PP\nOf\n.BR ls :\n", out);
	settings_man(&ls_table, 0, "--", out);
	fputs(".PP\nOf\n.BR build :\n", out);
	settings_man(&build_table, 0, "--", out);
}
