/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest-agent/init.h"

#include <errno.h>
#include <net/if.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "guest-agent/agent.h"
#include "guest-agent/console.h"
#include "guest-agent/early_mounts.h"
#include "guest-agent/machine_root.h"
#include "guest-agent/kernel_modules.h"
#include "guest-agent/machine.h"
#include "guest-agent/net.h"
#include "guest-agent/power.h"
#include "guest-agent/power_button.h"
#include "guest-agent/sysctl.h"
#include "guest-agent/volumes.h"
#include "lib/agent_wire.h"
#include "lib/cleanup.h"

#define NICS_WAIT_MS 5000

struct init {
	struct event_base *loop;
	struct agent *agent;
	struct machine_files files;
	struct machine machine;
	json_t *boot_ms; /* step: when it was done, since the kernel's start */
	json_t *volumes; /* see volumes.h */
	bool has_nothing_to_run;
};

struct step {
	const char *name;
	int (*run)(struct init *init, struct err *err);
};

static unsigned uptime_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (unsigned)now.tv_sec * 1000 + (unsigned)now.tv_nsec / 1000000;
}

/* --- what the agent calls -------------------------------------------------------------------- */

static void end(struct init *init)
{
	event_base_loopbreak(init->loop);
}

static void on_poweroff(void *owner)
{
	console_say("a client asks for power off");
	end(owner);
}

static void on_workload_ended(void *owner, const struct agent_exit *ex)
{
	console_say("the workload has ended: %s %u", ex->signalled ? "signal" : "exit status",
		ex->value);
	end(owner);
}

static void on_power_button(void *owner)
{
	console_say("the power button");
	end(owner);
}

static void on_signal(evutil_socket_t signo, short what, void *owner)
{
	console_say("signal %d", (int)signo);
	end(owner);
}

static json_t *on_status(void *owner)
{
	struct init *init = owner;

	return json_pack("{s:O, s:O}", "bootMs", init->boot_ms, "volumes", init->volumes);
}

/* --- before there is an agent ---------------------------------------------------------------- */

static int start_console(struct init *init, struct err *err)
{
	int ret = early_mounts_dev(err);

	return ret == 0 ? console_open(err) : ret;
}

static int take_files(struct init *init, struct err *err)
{
	return machine_files_take(&init->files, err);
}

static int mount_early(struct init *init, struct err *err)
{
	int ret = early_mounts_rest(err);

	if (ret == 0 && mkdir(MACHINE_ROOT, 0755) < 0 && errno != EEXIST)
		ret = err_errno(err, errno, "cannot create " MACHINE_ROOT);
	return ret == 0 ? machine_files_keep(&init->files, err) : ret;
}

static int load_modules(struct init *init, struct err *err)
{
	kernel_modules_load(KERNEL_MODULES_LIST);
	return 0;
}

/* The kernel's own handling of Ctrl-Alt-Del is a reset at once. */
static int watch_signals(struct init *init, struct err *err)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGPWR };

	reboot(RB_DISABLE_CAD);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		struct event *event = evsignal_new(init->loop, signals[i], on_signal, init);

		if (event == NULL || event_add(event, NULL) < 0)
			return err_set(err, -ENOMEM, "cannot watch for signal %d", signals[i]);
	}
	return 0;
}

static int start_agent(struct init *init, struct err *err)
{
	const struct agent_plan plan = {
		.root = MACHINE_ROOT,
		.poweroff = on_poweroff,
		.workload_ended = on_workload_ended,
		.status = on_status,
		.owner = init,
	};
	int ret;

	init->loop = event_base_new();
	if (init->loop == NULL)
		return err_set(err, -ENOMEM, "cannot make an event loop");
	ret = watch_signals(init, err);
	power_button_watch(init->loop, on_power_button, init);
	return ret == 0 ? agent_create(init->loop, &plan, &init->agent, err) : ret;
}

static const struct step machine_steps[] = {
	{ "console", start_console },
	{ "files", take_files },
	{ "mounts", mount_early },
	{ "modules", load_modules },
	{ "agent", start_agent },
	{ NULL },
};

/* --- then ------------------------------------------------------------------------------------ */

static int decode(struct init *init, struct err *err)
{
	int ret = machine_decode(&init->files, &init->machine, err);

	machine_files_free(&init->files);
	return ret;
}

static int set_hostname(struct init *init, struct err *err)
{
	const char *name = init->machine.spec.hostname;

	if (name != NULL && sethostname(name, strlen(name)) < 0)
		return err_errno(err, errno, "cannot set the host name \"%s\"", name);
	return 0;
}

static int start_loopback(struct err *err)
{
	cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq req = { .ifr_name = "lo", .ifr_flags = IFF_UP };

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &req) < 0)
		return err_errno(err, errno, "cannot bring lo up");
	return 0;
}

static int start_network(struct init *init, struct err *err)
{
	int ret = start_loopback(err);

	if (ret == 0)
		ret = net_apply(&init->machine.spec.net, NICS_WAIT_MS, err);
	return ret < 0 ? err_wrap(err, ret, "network") : 0;
}

/* Interfaces are there: they have settings, too. */
static int apply_sysctls(struct init *init, struct err *err)
{
	return sysctl_apply(&init->machine.spec.sysctls, err);
}

static int share_ports(struct init *init, struct err *err)
{
	const struct machine_spec *spec = &init->machine.spec;
	int ret = agent_share_ports(init->agent, spec->shared_ports, spec->n_shared_ports, err);

	return ret < 0 ? err_wrap(err, ret, "shared ports") : 0;
}

static int mount_root(struct init *init, struct err *err)
{
	return machine_root_mount(&init->machine.spec.root, err);
}

static int mount_volumes(struct init *init, struct err *err)
{
	const struct machine_spec *spec = &init->machine.spec;
	int ret;

	machine_root_add_kernel();
	ret = volumes_mount(spec->mounts, spec->n_mounts, init->volumes, err);
	if (ret < 0)
		return ret;
	machine_root_add_files(spec);
	return machine_root_finish(&spec->root, err);
}

static int start_workload(struct init *init, struct err *err)
{
	struct machine *machine = &init->machine;
	static char program[] = MACHINE_ROOT_ENTRYPOINT;
	char *const entrypoint[] = { program, NULL };
	char *const *argv = machine->argv;

	if (argv == NULL && machine_root_has_entrypoint())
		argv = entrypoint;
	init->has_nothing_to_run = argv == NULL;
	if (argv == NULL)
		return err_set(err, -ENOENT, "no entrypoint found");
	return agent_start_workload(init->agent, &machine->spec.process, argv, machine->env, err);
}

static const struct step guest_steps[] = {
	{ "spec", decode },
	{ "hostname", set_hostname },
	{ "network", start_network },
	{ "sysctls", apply_sysctls },
	{ "ports", share_ports },
	{ "root", mount_root },
	{ "volumes", mount_volumes },
	{ "workload", start_workload },
	{ NULL },
};

static int run_steps(struct init *init, const struct step *steps, struct err *err)
{
	int ret = 0;

	for (size_t i = 0; ret == 0 && steps[i].name != NULL; i++) {
		ret = steps[i].run(init, err);
		json_object_set_new(init->boot_ms, steps[i].name, json_integer(uptime_ms()));
	}
	return ret;
}

static void serve(struct init *init)
{
	struct err err = { "" };

	if (run_steps(init, guest_steps, &err) == 0) {
		console_say("the workload runs, %u ms after the kernel's start", uptime_ms());
	} else {
		console_say("%s", err.text);
		agent_set_failure(init->agent,
			init->has_nothing_to_run ? AGENT_NOTHING_TO_RUN : AGENT_CANNOT_START,
			err.text);
	}
	event_base_dispatch(init->loop);
}

_Noreturn void init_run(void)
{
	static struct init init;
	struct err err = { "" };

	init.boot_ms = json_object();
	init.volumes = json_array();
	umask(022);
	if (run_steps(&init, machine_steps, &err) == 0)
		serve(&init);
	else
		console_say("%s", err.text);
	/* Not agent_free(): it waits for its processes, and one may hang in a file system. */
	power_off();
}
