/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/cli/verb.h"

#include <string.h>

const struct verb verbs[] = {
	{ "doctor", "[--json] [OPTION]...",
		"look at what run would need here, with the same options; changes nothing",
		doctor_verb },
	{ "exec", "--vm NAME [-i] [-t] [OPTION]... -- COMMAND [ARGUMENT]...",
		"run a command in a VM, beside its workload (see sluice-vm exec --help)",
		exec_verb },
	{ "guard",
		"hold [--interface NAME] [--mode exclusive|shared|off] [--kernel-ports LIST]\n"
		"        [--identity IP] [--service IP[,IP]] [--host-port] [--outside-guard] "
		"[--lab]\n"
		"  guard show [--json]",
		"keep the pod's own kernel mute for what is the guest's, or show how it is kept",
		guard_verb },
	{ "image",
		"ls [--json] [--cache-dir DIR]\n"
		"  image build [--uml] [--nfs] [--kernel PATH] [--modules-dir DIR] [--agent PATH] "
		"[--tree "
		"DIR]\n"
		"        [--cache-dir DIR]",
		"list the guests' initramfs archives, or make one", image_verb },
	{ "inspect", "[--json] [--interface NAME] [--wait SECONDS]",
		"show the network that this pod was given", inspect_verb },
	{ "run", "--rootfs DIR [OPTION]... [-- COMMAND [ARGUMENT]...]",
		"boot a VM that has the pod's network, and run a command in it", run_verb },
	{ "status", "[--name NAME] [--json]", "show a running VM", status_verb },
	{ "console", "[--name NAME] [--follow]", "print what its kernel has said", console_verb },
	{ "stop", "[--name NAME] [--grace SECONDS]",
		"end it: its command first, and at last by force", stop_verb },
	{ NULL },
};

const struct verb *verb_find(const char *name)
{
	for (const struct verb *v = verbs; v->name != NULL; v++)
		if (strcmp(v->name, name) == 0)
			return v;
	return NULL;
}

void verb_print_help(FILE *out)
{
	fputs("Usage: sluice-vm VERB [OPTION]...\n"
	      "Runs virtual machines in pods.\n\n",
		out);
	for (const struct verb *v = verbs; v->name != NULL; v++)
		fprintf(out, "  %s %s\n        %s\n", v->name, v->usage, v->help);
	fputs("\n  --help     print this text\n  --version  print the version\n", out);
}
