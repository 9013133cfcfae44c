/* SPDX-License-Identifier: BSD-3-Clause */

/* What this process may do in the pod, whether it is another VM's, and whether a guard can be set.
 */

#include <errno.h>
#include <linux/capability.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "config/l4_ports.h"
#include "config/shared_ports.h"
#include "launcher/pod/guard_check.h"
#include "launcher/pod/guard_holder.h"
#include "launcher/pod/pod_lock.h"
#include "launcher/process/capability.h"
#include "launcher/doctor/doctor.h"
#include "launcher/run/datapath_choice.h"
#include "lib/cleanup.h"

/* --- capabilities ---------------------------------------------------------------------------- */

/* Whether run, as told, sets up something that takes it: see pod_guard.h and tap_link.h. */
static bool needs_net_admin(const struct doctor *d)
{
	const struct vm_settings *s = d->settings;

	return doctor_needs_host_port(d) || doctor_needs_tap(d) ||
	       (s->guard != VM_GUARD_OFF && !s->outside_guard && d->has_address);
}

static bool needs_host_volume(const struct volumes *volumes)
{
	return volumes_count_required(volumes, false) > 0 ||
	       volumes_count_required(volumes, true) > 0;
}

static void examine_capability(struct doctor *d, unsigned number, const char *name,
	enum doctor_level without, const char *advice)
{
	if (capability_held(number))
		doctor_note(d, DOCTOR_OK, name, NULL, "this process has it");
	else
		doctor_note(d, without, name, advice, "this process does not have it");
}

static void examine_capabilities(struct doctor *d)
{
	examine_capability(d, CAP_NET_ADMIN, "cap-net-admin",
		needs_net_admin(d) ? DOCTOR_FAIL : DOCTOR_WARN,
		datapath_is_tap(d->settings)
			? "grant it to the container"
			: "grant it to the container, or have a guard set from outside and say "
			  "--outside-guard");
	examine_capability(d, CAP_NET_RAW, "cap-net-raw",
		datapath_is_tap(d->settings) ? DOCTOR_WARN : DOCTOR_FAIL,
		"grant it to the container: the switch reads the pod's interface with it");
	examine_capability(d, CAP_SYS_ADMIN, "cap-sys-admin",
		needs_host_volume(d->volumes) ? DOCTOR_FAIL : DOCTOR_WARN,
		"grant it to the container if it is to share volumes by virtiofs");
}

/* --- guard ----------------------------------------------------------------------------------- */

static void examine_namespace(struct doctor *d)
{
	static const char name[] = "network-namespace";
	enum doctor_level level = d->settings->lab ? DOCTOR_WARN : DOCTOR_FAIL;
	int initial = guard_namespace_is_initial("/proc");

	if (initial == 0)
		doctor_note(d, DOCTOR_OK, name, NULL, "a pod's own");
	else if (initial < 0)
		doctor_note(d, level, name, "--lab goes on in any",
			"cannot tell whose it is: /proc/sys/net/core: %s", strerror(-initial));
	else
		doctor_note(d, level, name, "run this in a pod (--lab goes on in any)",
			"the machine's own, which a guard would cut off");
}

/* A lab's VM, and one on another's switch, leave the lock alone. */
static void examine_lock(struct doctor *d)
{
	bool is_needed = !d->settings->lab && d->settings->switch_socket[0] == '\0';
	char who[POD_LOCK_WHO_MAX];

	if (!pod_lock_is_taken(who))
		doctor_note(d, DOCTOR_OK, "pod-lock", NULL, "there is no VM here yet");
	else if (is_needed)
		doctor_note(d, DOCTOR_FAIL, "pod-lock",
			"end that one first: one VM to a pod, the container named in sluice.dev/vm",
			"there is a VM here already: %s", who);
	else
		doctor_note(d, DOCTOR_OK, "pod-lock", NULL,
			"there is a VM here: %s; this one does not need the pod's interface", who);
}

static void examine_loopback(struct doctor *d)
{
	cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq lo = { .ifr_name = "lo" };

	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &lo) < 0)
		doctor_note(
			d, DOCTOR_WARN, "loopback", NULL, "cannot look at lo: %s", strerror(errno));
	else if ((lo.ifr_flags & IFF_UP) == 0)
		doctor_note(d, DOCTOR_WARN, "loopback", "ip link set lo up",
			"lo is down: forwarded and shared ports, and a relay of names, do not "
			"work");
	else
		doctor_note(d, DOCTOR_OK, "loopback", NULL, "lo is up");
}

static void examine_guard(struct doctor *d)
{
	char who[GUARD_HOLDER_TEXT_MAX];
	struct guard_holder holder;
	struct err err = { "" };
	int ret = guard_find_holder(&holder, &err);

	if (ret == -EPERM) {
		doctor_note(d, DOCTOR_WARN, "nftables", "grant the container CAP_NET_ADMIN", "%s",
			err.text);
		return;
	}
	if (ret < 0) {
		doctor_note(d, needs_net_admin(d) ? DOCTOR_FAIL : DOCTOR_WARN, "nftables",
			"the node's kernel needs nf_tables with the netdev family", "%s", err.text);
		return;
	}
	doctor_note(d, DOCTOR_OK, "nftables", NULL, "the kernel answers");
	if (!holder.exists)
		doctor_note(d, DOCTOR_OK, "guard", NULL, "there is none yet");
	else if (holder.owned)
		doctor_note(d, DOCTOR_FAIL, "guard",
			"end that first: one VM at a time has this network",
			"there is one, held by %s", guard_holder_format(&holder, who));
	else
		doctor_note(d, DOCTOR_OK, "guard", NULL,
			"a table without an owner was left behind, and will be replaced");
}

static void examine_shared_mode(struct doctor *d)
{
	const struct vm_settings *s = d->settings;
	struct err err = { "" };
	struct shared_ports shared;
	struct l4_ports ports;

	if (shared_ports_parse(s->shared_ports, &shared, &err) < 0)
		doctor_note(d, DOCTOR_FAIL, "shared-ports", NULL, "%s", err.text);
	if (s->kernel_ports[0] != '\0' && s->guard != VM_GUARD_SHARED)
		doctor_note(d, DOCTOR_FAIL, "kernel-ports", "set guard to shared",
			"\"%s\" is for guard shared", s->kernel_ports);
	else if (s->kernel_ports[0] != '\0' && l4_ports_parse(s->kernel_ports, &ports, &err) < 0)
		doctor_note(d, DOCTOR_FAIL, "kernel-ports", NULL, "%s", err.text);
	if (s->guard != VM_GUARD_SHARED)
		return;
	if (guard_check_ephemeral_ports(&err) < 0)
		doctor_note(d, DOCTOR_FAIL, "local-port-range", NULL, "%s", err.text);
	else
		doctor_note(d, DOCTOR_OK, "local-port-range", NULL,
			"the pod's kernel keeps to its own ports");
}

void doctor_examine_pod(struct doctor *d)
{
	examine_namespace(d);
	examine_lock(d);
	examine_loopback(d);
	examine_capabilities(d);
	examine_guard(d);
	examine_shared_mode(d);
}
