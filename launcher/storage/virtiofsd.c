/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/storage/virtiofsd.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "launcher/process/capability.h"
#include "launcher/process/command.h"
#include "launcher/process/program.h"
#include "lib/log.h"

#define HELP_SIZE      16384
#define HELP_TIMEOUT_S 10
#define WORDS_MAX      20

static const char *const cache_name[] = { "auto", "always", "none" };

/* --- the program ----------------------------------------------------------------------------- */

int virtiofsd_find(const char *program, char *path, struct err *err)
{
	static const char *const usual[] = { "/usr/lib/qemu/virtiofsd", "/usr/libexec/virtiofsd",
		"/usr/lib/virtiofsd", "virtiofsd" };

	if (program != NULL) {
		int ret = program_find(program, path, err);

		return ret < 0 ? err_wrap(err, ret, "virtiofsd") : 0;
	}
	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		if (program_find(usual[i], path, NULL) == 0)
			return 0;
	return err_set(err, -ENOENT,
		"there is no virtiofsd (in Debian 12 it is of the package qemu-system-common, "
		"later of virtiofsd)");
}

/* How it wants to be told. */
enum dialect { DIALECT_C, DIALECT_RUST };

/* Positive: enum dialect. */
static int ask_dialect(char *path, struct err *err)
{
	char *const argv[] = { path, (char *)"--help", NULL };
	const struct command command = {
		.argv = argv, .timeout_s = HELP_TIMEOUT_S, .out = -1, .fd = -1
	};
	char help[HELP_SIZE];
	int status, ret = command_run(&command, help, sizeof(help), &status, err);

	if (ret < 0)
		return ret;
	if (strstr(help, "--shared-dir") != NULL)
		return DIALECT_RUST;
	if (strstr(help, "-o source=") != NULL)
		return DIALECT_C;
	return err_set(
		err, -ENOEXEC, "%s is no virtiofsd: --help speaks of no shared directory", path);
}

/* --- what it is told ------------------------------------------------------------------------- */

struct words {
	char *argv[WORDS_MAX];
	char path[PATH_MAX];
	char source[64], fd[32], cache[32];
};

/* Each list is NULL-terminated and shorter than WORDS_MAX. A directory that is known by its
 * descriptor: the dot behind it is for those who ask whether it is a symbolic link. */
static void fill_words(struct words *w, const struct virtiofsd_plan *plan, enum dialect dialect)
{
	bool rust = dialect == DIALECT_RUST, mounts = share_has_mounts(plan->share);
	const char *const c_words[] = { w->path, "-f", w->fd, "--rlimit-nofile=0", "-o", w->source,
		"-o", w->cache, "-o", "sandbox=chroot", "-o", "modcaps=-mknod", "-o", "xattr", "-o",
		"log_level=warn", mounts ? "-o" : NULL, "announce_submounts", NULL };
	const char *const rust_words[] = { w->path, w->fd, "--rlimit-nofile=0", w->source, w->cache,
		"--sandbox=chroot", "--modcaps=-mknod", "--xattr", "--log-level=warn",
		mounts ? "--announce-submounts" : NULL, NULL };
	const char *const *words = rust ? rust_words : c_words;

	snprintf(w->source, sizeof(w->source), "%s=/proc/self/fd/%d/.",
		rust ? "--shared-dir" : "source", share_dir(plan->share));
	snprintf(w->fd, sizeof(w->fd), "--fd=%d", plan->listen_fd);
	snprintf(w->cache, sizeof(w->cache), "%s=%s", rust ? "--cache" : "cache",
		cache_name[plan->cache]);
	for (size_t i = 0; i < WORDS_MAX; i++) {
		w->argv[i] = (char *)words[i];
		if (words[i] == NULL)
			break;
	}
}

/* As many descriptors as we may give it. */
static unsigned long most_files(void)
{
	struct rlimit limit = { 0 };

	(void)getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max < VIRTIOFSD_NOFILE_MIN)
		log_warn("virtiofsd may open few files: directories with more appear cut short",
			log_int("limit", (int64_t)limit.rlim_max),
			log_int("wanted", VIRTIOFSD_NOFILE_MIN));
	return limit.rlim_max < ULONG_MAX ? limit.rlim_max : ULONG_MAX;
}

int virtiofsd_start(struct event_base *loop, const struct virtiofsd_plan *plan, struct child **out,
	struct err *err)
{
	struct words words;
	struct child_plan child = {
		.name = "virtiofsd",
		.program = words.path,
		.argv = words.argv,
		/* The same, in a root of its own; the last two it needs to shut itself in. */
		.capabilities = CAPABILITY(CAP_CHOWN) | CAPABILITY(CAP_DAC_OVERRIDE) |
				CAPABILITY(CAP_FOWNER) | CAPABILITY(CAP_FSETID) |
				CAPABILITY(CAP_SETFCAP) | CAPABILITY(CAP_SETGID) |
				CAPABILITY(CAP_SETUID) | CAPABILITY(CAP_SETPCAP) |
				CAPABILITY(CAP_SYS_CHROOT),
		.in = -1,
		.out = plan->log,
		.err = plan->log,
		.fds = { plan->listen_fd, share_dir(plan->share) },
		.n_fds = 2,
		.keeper = plan->keeper,
		.ended = plan->ended,
		.owner = plan->owner,
	};
	int ret = virtiofsd_find(plan->program, words.path, err);

	if (ret < 0)
		return ret;
	ret = ask_dialect(words.path, err);
	if (ret < 0)
		return ret;
	fill_words(&words, plan, (enum dialect)ret);
	child.nofile = most_files();
	return child_start(loop, &child, out, err);
}
