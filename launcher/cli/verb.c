/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/cli/verb.h"

#include <string.h>

const struct verb verbs[] = {
	{ "guard",
		"hold [--interface NAME] [--mode exclusive|shared|off] [--kernel-ports LIST]\n"
		"        [--identity IP] [--service IP[,IP]] [--host-port] [--outside-guard] "
		"[--lab]\n"
		"  guard show [--json]",
		"keep the pod's own kernel mute for what is the guest's, or show how it is kept",
		guard_verb },
	{ "inspect", "[--json] [--interface NAME] [--wait SECONDS]",
		"show the network that this pod was given", inspect_verb },
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
	      "Prepares a pod's network for a guest.\n\n",
		out);
	for (const struct verb *v = verbs; v->name != NULL; v++)
		fprintf(out, "  %s %s\n        %s\n", v->name, v->usage, v->help);
	fputs("\n  --help     print this text\n  --version  print the version\n", out);
}
