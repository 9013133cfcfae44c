/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/oci/runtime_help.h"

#include <string.h>

#include "config/runtime_settings.h"
#include "config/settings_man.h"
#include "config/vm_settings.h"
#include "launcher/oci/runtime_doctor.h"

enum { STATUS_OK, STATUS_FAILED, STATUS_USAGE };

static const struct option_text own[] = {
	{ "--log", "FILE", "where it is written, too, why a call was not passed on" },
	{ "--log-format", "text|json", "how" },
	{ "--json", NULL, "of doctor: print one JSON object" },
	{ "-h, --help", NULL, "print this text" },
	{ NULL },
};

static bool is(const char *word, const char *wanted)
{
	return word != NULL && strcmp(word, wanted) == 0;
}

static bool is_help(const char *word)
{
	return is(word, "--help") || is(word, "-h");
}

bool runtime_help_is_meant(int argc, char *const *argv)
{
	return argc > 1 && (is_help(argv[1]) || is(argv[1], "doctor"));
}

static void print_help(void)
{
	fputs("Usage: sluice-runtime [OPTION]... create|exec|VERB ...\n"
	      "       sluice-runtime doctor [--json]\n"
	      "       podman --runtime sluice-runtime run --annotation sluice.dev/vm=true ...\n"
	      "Runs containers by another runtime, and those that ask for it as VMs.\n\n"
	      "It is called by podman, containerd and CRI-O as they would call runc; every call\n"
	      "goes on to that, --version and features too. create and run make a VM of a\n"
	      "container with the annotation sluice.dev/vm, exec takes commands into it, update\n"
	      "changes what a VM can change; it is not checkpointed nor restored.\n\n"
	      "  doctor\n"
	      "        look at what this node needs for that: a line for each thing, ok, warn or\n"
	      "        fail, and what could be done\n",
		stdout);
	option_text_print_help(own, stdout);
	fputs("\nSettings, in the object \"runtime\" of " VM_CONFIG_PATH ":\n\n", stdout);
	runtime_settings_print_help(stdout);
	fputs("\nExit status: of doctor 0 nothing failed, 1 something did, 2 wrong usage; else "
	      "the\n"
	      "runtime's, or 1 if it was not called.\n",
		stdout);
}

static int doctor(int argc, char *const *argv)
{
	struct doctor d = { .settings = NULL };
	struct err err = { "" };
	bool json = argc == 3 && is(argv[2], "--json");

	if (argc > 2 && !json) {
		fprintf(stderr, "sluice-runtime doctor: %.64s: unknown option (see --help)\n",
			argv[2]);
		return STATUS_USAGE;
	}
	runtime_doctor_examine(&d);
	if (doctor_print(&d, json, &err) < 0) {
		fprintf(stderr, "sluice-runtime doctor: %s\n", err.text);
		return STATUS_FAILED;
	}
	return d.failed ? STATUS_FAILED : STATUS_OK;
}

int runtime_help(int argc, char *const *argv)
{
	if (argc > 1 && is(argv[1], "doctor") && !(argc > 2 && is_help(argv[2])))
		return doctor(argc, argv);
	print_help();
	return STATUS_OK;
}

void runtime_help_print_man(FILE *out)
{
	option_text_man(own, out);
}
