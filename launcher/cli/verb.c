/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/cli/verb.h"

#include <string.h>

#include "config/roff.h"

const struct verb verbs[] = {
	{ "doctor", "[--json] [OPTION]...",
		"look at what run would need here, with the same options; changes nothing",
		doctor_verb, doctor_verb_man },
	{ "exec", "[--name NAME] [-i] [-t] [OPTION]... -- COMMAND [ARGUMENT]...",
		"run a command in a VM, beside its workload (see sluice-vm exec --help)", exec_verb,
		exec_verb_man },
	{ "guard",
		"hold [--interface NAME] [--mode exclusive|shared|off] [--kernel-ports LIST]\n"
		"        [--identity IP] [--service IP[,IP]] [--host-port] [--outside-guard] "
		"[--lab]\n"
		"  guard show [--json]",
		"keep the pod's own kernel mute for what is the guest's, or show how it is kept",
		guard_verb, guard_verb_man },
	{ "image",
		"ls [--json] [--cache-dir DIR]\n"
		"  image ls [--cache-dir DIR] IMAGE [PATH]\n"
		"  image build [--uml] [--nfs] [--kernel PATH] [--modules-dir DIR] [--agent PATH] "
		"[--tree "
		"DIR]\n"
		"        [--cache-dir DIR]",
		"list the images that guests boot from, or the files in one, or make an initramfs "
		"archive",
		image_verb, image_verb_man },
	{ "inspect", "[--json] [--interface NAME] [--wait SECONDS]",
		"show the network that this pod was given", inspect_verb, inspect_verb_man },
	{ "port-forward",
		"[--name NAME] [ADDRESS:]LOCAL:REMOTE...\n"
		"  port-forward [--name NAME] --stdio REMOTE",
		"make ports of a VM reachable here, whatever its network does", port_forward_verb,
		port_forward_verb_man },
	{ "run", "--rootfs DIR [OPTION]... [-- COMMAND [ARGUMENT]...]",
		"boot a VM that has the pod's network, and run a command in it", run_verb,
		run_verb_man },
	{ "status", "[--name NAME] [--json]",
		"show a running VM, and what the agent says of its guest", status_verb,
		status_verb_man },
	{ "console", "[--name NAME] [--follow]", "print what its kernel has said", console_verb,
		console_verb_man },
	{ "stop", "[--name NAME] [--grace SECONDS]",
		"end it: its command first, and at last by force", stop_verb, stop_verb_man },
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

/*
 * A form of the verb is a paragraph. In a usage a new form begins a line behind two blanks, and one
 * that is continued behind more.
 */
static void print_usage_man(const struct verb *v, FILE *out)
{
	const char *rest = v->usage;

	fprintf(out, ".PP\n.B sluice\\-vm %s\n", v->name);
	while (*rest != '\0') {
		char line[160];
		size_t len = strcspn(rest, "\n");

		snprintf(line, sizeof(line), "%.*s\n", (int)len, rest);
		roff_text(line, out);
		rest += len + (rest[len] != '\0');
		len = strspn(rest, " ");
		if (*rest != '\0' && len == 2)
			fputs(".br\n.B sluice\\-vm\n", out);
		rest += len;
	}
}

void verb_print_man(FILE *out)
{
	for (const struct verb *v = verbs; v->name != NULL; v++) {
		roff_heading(v->name, out);
		print_usage_man(v, out);
		fputs(".PP\nTo ", out);
		roff_text(v->help, out);
		fputs(".\n", out);
		v->print_man(out);
	}
}
