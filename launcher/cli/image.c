/* SPDX-License-Identifier: BSD-3-Clause */

/* sluice-vm image ls|build: what guests boot from, which is made when it is needed, or before; and
 * what is in it. */

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "config/settings.h"
#include "config/settings_man.h"
#include "launcher/cli/verb.h"
#include "launcher/image/cpio_list.h"
#include "launcher/image/ext4_image.h"
#include "launcher/image/image_cache.h"
#include "launcher/image/image_modules.h"
#include "launcher/image/initramfs.h"
#include "launcher/image/kernel.h"
#include "launcher/process/programs.h"
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
		.help = "where the images are" },
	{ "json", SETTING_BOOL, FIELD(json), .preset = "false",
		.help = "print the list as a JSON array" },
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

static int print_json(const struct cached_image *images, size_t n, struct err *err)
{
	json_t *list = json_array();
	int ret;

	for (size_t i = 0; i < n; i++)
		json_array_append_new(
			list, json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I}", "kind",
				      image_kind_name(images[i].kind), "name", images[i].name,
				      "hash", images[i].hash, "kernel", images[i].kernel, "size",
				      (json_int_t)images[i].len, "used", (json_int_t)images[i].used,
				      "made", (json_int_t)images[i].made));
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

static void print_table(const struct cached_image *images, size_t n)
{
	char age[24];

	printf("%-*s  %-9s  %8s  %8s  %5s  %s\n", HASH_SHOWN, "IMAGE", "KIND", "KIB", "USED KIB",
		"AGE", "KERNEL");
	for (size_t i = 0; i < n; i++) {
		const struct cached_image *a = &images[i];

		format_age(a->made, age, sizeof(age));
		printf("%.*s  %-9s  %8" PRIu64 "  %8" PRIu64 "  %5s  %s\n", HASH_SHOWN, a->hash,
			image_kind_name(a->kind), (a->len + 1023) / 1024, (a->used + 1023) / 1024,
			age, a->kernel[0] != '\0' ? a->kernel : "-");
	}
}

static int print_list(const struct image_options *options, struct err *err)
{
	cleanup_free struct cached_image *images = NULL;
	size_t n;
	int ret = image_cache_list(options->cache_dir, &images, &n, err);

	if (ret == 0 && options->json)
		ret = print_json(images, n, err);
	else if (ret == 0)
		print_table(images, n);
	return ret;
}

/* What is in one of them, without anything being started. */
static int print_files(
	const struct image_options *options, const char *word, const char *path, struct err *err)
{
	char image[PATH_MAX];
	enum image_kind kind;
	int ret = image_cache_find(options->cache_dir, word, image, err);

	path = path != NULL ? path : "/";
	if (ret == 0)
		ret = image_cache_look(image, &kind, err);
	if (ret < 0)
		return ret;
	switch (kind) {
	case IMAGE_EXT4:
		return ext4_image_list(image, path, STDOUT_FILENO, err);
	case IMAGE_INITRAMFS:
		return cpio_list(image, path, stdout, err);
	case IMAGE_KERNEL:
		break;
	}
	return err_set(err, -ENOTSUP, "%s is a kernel: there are no files in it", image);
}

/* Whether the value of this option is the word behind it. */
static bool takes_next(const char *word)
{
	const struct setting *row =
		strchr(word, '=') == NULL ? settings_find(&ls_table, word + 2) : NULL;

	return row != NULL && row->type != SETTING_BOOL;
}

/* Moves the words that are no options out of the row: IMAGE and PATH. */
static int take_names(char **words, const char **names, size_t max, struct err *err)
{
	char **kept = words;
	size_t n = 0;

	for (; *words != NULL; words++) {
		if (strncmp(*words, "--", 2) == 0) {
			*kept++ = *words;
			if (takes_next(*words) && words[1] != NULL)
				*kept++ = *++words;
		} else if (n == max) {
			return err_set(err, -EINVAL, "%.64s: too many words (see --help)", *words);
		} else {
			names[n++] = *words;
		}
	}
	*kept = NULL;
	return 0;
}

static int ls(char **words, struct err *err)
{
	struct image_options options = { .json = false };
	const char *names[2] = { NULL, NULL };
	int ret = take_names(words, names, 2, err);

	settings_apply_defaults(&ls_table, 0, &options);
	if (ret == 0)
		ret = settings_from_args(&ls_table, words, &options, err);
	if (ret < 0)
		return ret;
	if (names[0] != NULL && options.json)
		return err_set(err, -EINVAL, "--json is of the list of images");
	ret = names[0] != NULL ? print_files(&options, names[0], names[1], err)
			       : print_list(&options, err);
	return ret < 0 ? -EIO : 0;
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
	      "       sluice-vm image ls [--cache-dir DIR] IMAGE [PATH]\n"
	      "       sluice-vm image build [OPTION]...\n"
	      "Lists the images that guests boot from, or the files at PATH (/) in one of them, "
	      "which\n"
	      "is named as in the list, or by a path with a '/' in it; or makes an initramfs "
	      "archive\n"
	      "and prints its path. Initramfs archives have a root at /image.\n\n"
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
