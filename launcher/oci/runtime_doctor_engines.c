/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Whether engines know of sluice-runtime. Their files are TOML, of which we look at lines only: one
 * that is no comment and has the name in it is taken for a registration.
 */

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "launcher/oci/runtime_doctor.h"
#include "lib/cleanup.h"
#include "lib/whole_file.h"

#define FILE_MAX (1U << 20)
#define NAME     "sluice-runtime"

struct engine {
	const char *name;
	const char *programs[4]; /* it is here if one of them is */
	const char *files[4];    /* patterns */
	const char *also;        /* what one of these files must have too; NULL */
	const char *advice, *advice_also;
};

static const struct engine engines[] = {
	{ "podman", { "/usr/bin/podman", "/usr/local/bin/podman" },
		{ "/usr/share/containers/containers.conf", "/etc/containers/containers.conf",
			"/etc/containers/containers.conf.d/*.conf" },
		NULL,
		"write to /etc/containers/containers.conf.d/50-sluice.conf: [engine] "
		"runtime_supports_json = [\"crun\", \"runc\", \"sluice-runtime\"] "
		"[engine.runtimes] sluice-runtime = [\"/usr/bin/sluice-runtime\"]",
		NULL },
	{ "containerd", { "/usr/bin/containerd", "/usr/local/bin/containerd" },
		{ "/etc/containerd/config.toml", "/etc/containerd/conf.d/*.toml" }, "sluice.dev/",
		"add to /etc/containerd/config.toml: "
		"[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.sluice] "
		"runtime_type = \"io.containerd.runc.v2\" pod_annotations = [\"sluice.dev/*\"] "
		"and its .options: BinaryName = \"/usr/bin/sluice-runtime\"",
		"without pod_annotations = [\"sluice.dev/*\"] no pod can ask for a VM" },
	{ "cri-o", { "/usr/bin/crio", "/usr/local/bin/crio" },
		{ "/etc/crio/crio.conf", "/etc/crio/crio.conf.d/*" }, NULL,
		"write to /etc/crio/crio.conf.d/50-sluice.conf: [crio.runtime.runtimes.sluice] "
		"runtime_path = \"/usr/bin/sluice-runtime\" runtime_type = \"oci\"",
		NULL },
};

/* --- files ----------------------------------------------------------------------------------- */

static bool has_line_with(char *text, const char *word)
{
	char *line;

	while ((line = strsep(&text, "\n")) != NULL) {
		line += strspn(line, " \t");
		if (line[0] != '#' && strstr(line, word) != NULL)
			return true;
	}
	return false;
}

static bool file_has(const char *path, const char *word)
{
	cleanup_free char *text = NULL;
	size_t len;

	return whole_file_read(path, FILE_MAX, &text, &len) == 0 && has_line_with(text, word);
}

/* The first file that has it, into path[PATH_MAX]. */
static bool find_word(const char *const *patterns, const char *word, char *path)
{
	bool found = false;

	for (; *patterns != NULL && !found; patterns++) {
		glob_t files = { 0 };

		(void)glob(*patterns, 0, NULL, &files);
		for (size_t i = 0; i < files.gl_pathc && !found; i++) {
			found = file_has(files.gl_pathv[i], word);
			if (found)
				snprintf(path, PATH_MAX, "%s", files.gl_pathv[i]);
		}
		globfree(&files);
	}
	return found;
}

static bool any_exists(const char *const *paths)
{
	for (; *paths != NULL; paths++)
		if (access(*paths, F_OK) == 0)
			return true;
	return false;
}

/* --- engines --------------------------------------------------------------------------------- */

/* True: it is on this node. */
static bool examine_engine(struct doctor *d, const struct engine *engine)
{
	char path[PATH_MAX], other[PATH_MAX];

	if (!any_exists(engine->programs))
		return false;
	if (!find_word(engine->files, NAME, path))
		doctor_note(d, DOCTOR_WARN, engine->name, engine->advice, "does not know " NAME);
	else if (engine->also != NULL && !find_word(engine->files, engine->also, other))
		doctor_note(d, DOCTOR_WARN, engine->name, engine->advice_also,
			"knows " NAME " by %s, and passes no annotations on", path);
	else
		doctor_note(d, DOCTOR_OK, engine->name, NULL, "knows " NAME " by %s", path);
	return true;
}

static void examine_cni(struct doctor *d)
{
	static const char *const plugins[] = { "/opt/cni/bin/sluice-cni", "/usr/lib/cni/sluice-cni",
		"/usr/libexec/cni/sluice-cni", NULL };
	static const char *const networks[] = { "/etc/cni/net.d/*", NULL };
	char path[PATH_MAX];
	bool is_there = any_exists(plugins);

	if (!find_word(networks, "sluice-cni", path))
		doctor_note(d, DOCTOR_OK, "cni", NULL, "no network names sluice-cni, which %s",
			is_there ? "is installed" : "is not installed");
	else if (is_there)
		doctor_note(d, DOCTOR_OK, "cni", NULL, "%s names sluice-cni, which is there", path);
	else
		doctor_note(d, DOCTOR_FAIL, "cni",
			"put it into /opt/cni/bin (Debian's podman: /usr/lib/cni)",
			"%s names sluice-cni, which is in no plugin directory", path);
}

void runtime_doctor_engines(struct doctor *d)
{
	bool any = false;

	for (size_t i = 0; i < sizeof(engines) / sizeof(engines[0]); i++)
		any |= examine_engine(d, &engines[i]);
	if (!any)
		doctor_note(d, DOCTOR_WARN, "engine", "install podman, containerd or CRI-O",
			"there is none here");
	examine_cni(d);
}
