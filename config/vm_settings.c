/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/vm_settings.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "config/annotation.h"
#include "config/json_source.h"
#include "config/container_spec.h"
#include "config/log_words.h"
#include "config/settings.h"
#include "config/settings_man.h"
#include "lib/cleanup.h"
#include "lib/whole_file.h"

#define FILE_LEN_MAX (1024 * 1024)

/*
 * What a pod's annotations may not say of themselves. Pods distrust each other, and the node all of
 * them: what a setting can do to the guest and to its own pod's network namespace is the author's
 * own affair; marked is what gives a guest more than a container has by default against others.
 *
 *   not_annotated    also for sluice-vm in an ordinary container: programs that are executed, and
 *                    what only who set up the machine can know
 *   host_affecting   where sluice-runtime makes the machine root, in which programs of the node's
 *                    have capabilities: paths are paths there, not in the user's image; and what
 *                    takes a wall away, which is said where it stands
 */

static const struct setting_word vmms[] = {
	{ "auto", VM_VMM_AUTO },
	{ "qemu", VM_VMM_QEMU },
	{ "cloud-hypervisor", VM_VMM_CLOUD_HYPERVISOR },
	{ "firecracker", VM_VMM_FIRECRACKER },
	/* Its guest's kernel is a process of the node's: system calls are all there is between. */
	{ "uml", VM_VMM_UML, .host_affecting = true },
	{ NULL },
};

static const struct setting_word machines[] = {
	{ "q35", VM_MACHINE_Q35 },
	{ "microvm", VM_MACHINE_MICROVM },
	{ NULL },
};

static const struct setting_word accels[] = {
	{ "auto", VM_ACCEL_AUTO },
	{ "kvm", VM_ACCEL_KVM },
	/* QEMU's security policy: emulation is no boundary that it defends. */
	{ "tcg", VM_ACCEL_TCG, .host_affecting = true },
	{ NULL },
};

static const struct setting_word roots[] = {
	{ "auto", VM_ROOT_AUTO },
	{ "virtiofs", VM_ROOT_VIRTIOFS },
	{ "ext4", VM_ROOT_EXT4 },
	/* The server finds files by handles (CAP_DAC_READ_SEARCH), in all of each file system that
	 * the machine root has a part of: one bug in it, and they are the guest's. */
	{ "nfs", VM_ROOT_NFS, .host_affecting = true },
	{ "initramfs", VM_ROOT_INITRAMFS },
	{ NULL },
};

static const struct setting_word dns_words[] = {
	{ "auto", VM_DNS_AUTO },
	{ "direct", VM_DNS_DIRECT },
	{ NULL },
};

static const struct setting_word forwards[] = {
	{ "auto", VM_FORWARD_AUTO },
	{ "on", VM_FORWARD_ON },
	{ "off", VM_FORWARD_OFF },
	{ NULL },
};

static const struct setting_word datapaths[] = {
	{ "vhost-user", VM_DATAPATH_VHOST_USER },
	/* Without anti-spoof, as there is no switch. */
	{ "tap", VM_DATAPATH_TAP, .host_affecting = true },
	{ NULL },
};

static const struct setting_word mac_modes[] = {
	{ "adopt", VM_MAC_ADOPT },
	{ "substitute", VM_MAC_SUBSTITUTE },
	{ NULL },
};

static const struct setting_word guards[] = {
	{ "exclusive", VM_GUARD_EXCLUSIVE },
	{ "shared", VM_GUARD_SHARED },
	/* The file server and the DNS relay, root's, are then there for the network to attack, and
	 * the pod's kernel can forward between it and the guest. */
	{ "off", VM_GUARD_OFF, .host_affecting = true },
	{ NULL },
};

static const struct setting_word refusals[] = { { "refuse", false }, { "allow", true }, { NULL } };

/* Off: frames in anybody's name, from a guest whose pod may have been refused CAP_NET_RAW. */
static const struct setting_word spoof_words[] = {
	{ "on", true },
	{ "off", false, .host_affecting = true },
	{ NULL },
};

/* The seeds write them in capitals. */
static const struct setting_word log_levels[] = {
	{ "off", LOG_LEVEL_OFF },
	{ "error", LOG_LEVEL_ERROR },
	{ "warn", LOG_LEVEL_WARN },
	{ "info", LOG_LEVEL_INFO },
	{ "debug", LOG_LEVEL_DEBUG },
	{ "OFF", LOG_LEVEL_OFF },
	{ "ERROR", LOG_LEVEL_ERROR },
	{ "INFO", LOG_LEVEL_INFO },
	{ "DEBUG", LOG_LEVEL_DEBUG },
	{ NULL },
};

/* What a workload is asked to end with. */
static const struct setting_word stop_signals[] = {
	{ "SIGTERM", SIGTERM },
	{ "SIGINT", SIGINT },
	{ "SIGQUIT", SIGQUIT },
	{ "SIGHUP", SIGHUP },
	{ "SIGUSR1", SIGUSR1 },
	{ "SIGUSR2", SIGUSR2 },
	{ "SIGWINCH", SIGWINCH },
	{ "SIGKILL", SIGKILL },
	{ NULL },
};

#define FIELD(member) SETTING_FIELD(struct vm_settings, member)

static const struct setting rows[] = {
	{ "name", SETTING_NAME, FIELD(name), .container_own = true, .unit = "NAME", .preset = "vm0",
		.help = "the VM's, and of its sockets in run-dir" },
	{ "vmm", SETTING_ENUM, FIELD(vmm), .preset = "auto", .words = vmms,
		.help = "what runs it; auto is QEMU. cloud-hypervisor and firecracker need KVM; "
			"firecracker has no virtio-fs; uml is no security boundary" },
	{ "vmm-program", SETTING_PATH, FIELD(vmm_program), .not_annotated = true, .unit = "PATH",
		.help = "instead of the one in PATH" },
	{ "machine", SETTING_ENUM, FIELD(machine), .preset = "q35", .words = machines,
		.help = "what QEMU pretends to be" },
	{ "accel", SETTING_ENUM, FIELD(accel), .preset = "auto", .words = accels,
		.help = "of QEMU: auto uses KVM if it works, else emulates (tcg)" },
	{ "cpus", SETTING_U32, FIELD(cpus), .unit = "N", .preset = "1", .min = 1, .max = 256,
		.help = "virtual processors" },
	{ "memory", SETTING_U32, FIELD(memory_mib), .unit = "MIB", .preset = "512", .min = 64,
		.max = 1024 * 1024, .help = "of the guest" },
	{ "kernel", SETTING_PATH, FIELD(kernel), .host_affecting = true, .unit = "PATH",
		.help = "the guest's, which is unpacked where the VMM needs it; of UML, the "
			"program that it is" },
	{ "modules-dir", SETTING_PATH, FIELD(modules_dir), .host_affecting = true, .unit = "PATH",
		.help = "its modules: a directory with modules.dep" },
	{ "kernel-append", SETTING_STRING, FIELD(kernel_append), .host_affecting = true,
		.unit = "TEXT", .help = "more for its command line" },
	{ "boot-timeout", SETTING_U32, FIELD(boot_timeout_s), .unit = "SECONDS", .preset = "60",
		.min = 1, .max = 3600, .help = "until the agent answers" },

	{ "rootfs", SETTING_PATH, FIELD(rootfs), .container_own = true, .host_affecting = true,
		.unit = "PATH", .help = "the directory that is the guest's root" },
	{ "root", SETTING_ENUM, FIELD(root), .preset = "auto", .words = roots,
		.help = "how it gets there; auto takes the first that works" },
	{ "readonly", SETTING_BOOL, FIELD(readonly), .container_own = true, .preset = "false",
		.help = "the root cannot be written to" },
	{ "hostname", SETTING_NAME, FIELD(hostname), .container_own = true, .unit = "NAME",
		.help = "the guest's; by default the pod's" },
	{ "user", SETTING_STRING, FIELD(user), .container_own = true, .unit = "USER[:GROUP]",
		.help = "whom the command runs as, by number or by name in the root's "
			"/etc/passwd" },
	{ "group-add", SETTING_STRING, FIELD(group_add), .container_own = true,
		.unit = "GROUP[,GROUP]...",
		.help = "more groups that it is in, by number or by name in the root's "
			"/etc/group" },
	{ "cwd", SETTING_PATH, FIELD(cwd), .container_own = true, .unit = "PATH", .preset = "/",
		.help = "where the command runs" },
	{ "umask", SETTING_STRING, FIELD(umask), .container_own = true, .unit = "OCTAL",
		.preset = "0022", .help = "permissions that files it makes do not have" },
	{ "ulimit", SETTING_STRING, FIELD(ulimit), .container_own = true,
		.unit = "NAME=SOFT[:HARD][,...]",
		.help = "what it may have at most: nofile=1024:4096, core=0, nproc=-1 (no limit); "
			"else as the guest's kernel has it" },
	{ "cap-drop", SETTING_STRING, FIELD(cap_drop), .container_own = true,
		.unit = "CAPABILITY[,...]",
		.help = "capabilities that it has not: NET_RAW, or ALL. Of itself, as root, it has "
			"all of them, unlike in a container: the kernel that they are about is its "
			"own, and what keeps it in is the VM" },
	{ "cap-add", SETTING_STRING, FIELD(cap_add), .container_own = true,
		.unit = "CAPABILITY[,...]",
		.help = "those that it has after all; who is not root has these and no others" },
	{ "no-new-privileges", SETTING_BOOL, FIELD(no_new_privileges), .container_own = true,
		.preset = "false", .help = "it cannot gain any by executing a program (setuid)" },
	{ "tty", SETTING_BOOL, FIELD(tty), .container_own = true, .preset = "false",
		.help = "the command gets a terminal" },
	{ "stop-signal", SETTING_U32, FIELD(stop_signal), .unit = "SIGNAL", .preset = "SIGTERM",
		.min = 1, .max = 64, .words = stop_signals,
		.help = "what asks the command to end" },
	{ "stop-timeout", SETTING_U32, FIELD(stop_timeout_s), .unit = "SECONDS", .preset = "0",
		.min = 0, .max = 1000000,
		.help = "from that signal until the VM is ended; 0: run waits" },

	{ "interface", SETTING_NAME, FIELD(interface), .unit = "NAME",
		.help = "the pod's; by default that of the default route" },
	{ "datapath", SETTING_ENUM, FIELD(datapath), .preset = "vhost-user", .words = datapaths,
		.help = "what carries the guest's frames: the switch, or, for comparison, the "
			"kernel from a TAP to the pod's interface and back, without anti-spoof, "
			"host-port, NFS, mac-mode substitute and guard shared" },
	{ "mac-mode", SETTING_ENUM, FIELD(mac_mode), .preset = "adopt", .words = mac_modes,
		.help = "whether the guest has the pod's MAC address or one of its own" },
	{ "mac", SETTING_MAC, FIELD(mac), .unit = "MAC",
		.help = "its own; by default made from its name" },
	{ "guard", SETTING_ENUM, FIELD(guard), .preset = "exclusive", .words = guards,
		.help = "what of the pod's traffic the pod's kernel does not see" },
	{ "kernel-ports", SETTING_STRING, FIELD(kernel_ports), .unit = "LIST",
		.help = "what the pod's kernel keeps in shared mode: tcp/80,udp/53-60" },
	{ "shared-ports", SETTING_STRING, FIELD(shared_ports), .unit = "LIST",
		.help = "TCP ports of programs beside the VM, which it reaches on its own "
			"127.0.0.1 and ::1: 8080,9000-9003. In shared mode the pod's kernel keeps "
			"them as well" },
	{ "forward-ports", SETTING_ENUM, FIELD(forward_ports), .preset = "auto", .words = forwards,
		.help = "whether the TCP ports that the guest listens on are there in the pod as "
			"well, on its loopback and, behind a guard, on its own addresses; auto: "
			"unless guard is off, or with lab" },
	{ "outside-guard", SETTING_BOOL, FIELD(outside_guard), .not_annotated = true,
		.preset = "false",
		.help = "a guard is in place that cannot be seen from here: set none" },
	{ "host-port", SETTING_BOOL, FIELD(host_port), .preset = "false",
		.help = "the guest reaches the pod on the identity address" },
	{ "dns", SETTING_ENUM, FIELD(dns), .preset = "auto", .words = dns_words,
		.help = "auto relays a resolver on the pod's loopback to the guest, by dnsmasq; "
			"direct leaves it out" },
	{ "anti-spoof", SETTING_ENUM, FIELD(anti_spoof), .preset = "on", .words = spoof_words,
		.help = "whether the guest is held to its addresses" },
	{ "nfs-shared-filesystem", SETTING_ENUM, FIELD(nfs_shared_filesystem),
		.not_annotated = true, .preset = "refuse", .words = refusals,
		.help = "whether NFS volumes and roots may be less than a file system of their "
			"own: a guest can then have all of it" },
	{ "lab", SETTING_BOOL, FIELD(lab), .not_annotated = true, .preset = "false",
		.help = "also in the machine's own network namespace" },
	{ "switch-socket", SETTING_PATH, FIELD(switch_socket), .not_annotated = true,
		.unit = "PATH",
		.help = "control socket of a sluiced that somebody else runs: the guest gets a "
			"port there, and sluiced is not started. Its uplink, if it has one, stays "
			"as it is" },
	{ "address-wait", SETTING_U32, FIELD(address_wait_s), .unit = "SECONDS", .preset = "10",
		.min = 0, .max = 3600, .help = "for an address that is still to come" },

	{ "run-dir", SETTING_PATH, FIELD(run_dir), .not_annotated = true, .unit = "PATH",
		.preset = "/run/sluice", .help = "for sockets and what lasts as long as the VM" },
	{ "cache-dir", SETTING_PATH, FIELD(cache_dir), .not_annotated = true, .unit = "PATH",
		.preset = "/var/cache/sluice", .help = "for images that VMs share" },
	{ "agent", SETTING_PATH, FIELD(agent), .not_annotated = true, .unit = "PATH",
		.help = "the guest agent; by default the one installed with this program" },
	{ "virtiofsd", SETTING_PATH, FIELD(virtiofsd), .not_annotated = true, .unit = "PATH",
		.help = "instead of the one in its usual places" },
	{ "log-file", SETTING_PATH, FIELD(log_file), .not_annotated = true, .unit = "PATH",
		.help = "by default NAME.log in run-dir" },
	{ "log-level", SETTING_ENUM, FIELD(log_level), .preset = "info", .words = log_levels,
		.help = "least severe events that are written there" },
	{ "log-format", SETTING_ENUM, FIELD(log_format), .preset = "text",
		.words = log_format_words, .help = "how a line of the log is written" },
	{ "console-size", SETTING_U32, FIELD(console_kib), .unit = "KIB", .preset = "256", .min = 4,
		.max = 65536, .help = "of what the guest's kernel said last" },
};

static const struct settings table = SETTINGS(rows, "SLUICE_");

static int load_file(const struct vm_sources *from, struct vm_settings *settings, struct err *err)
{
	json_t *root;
	int ret = json_source_file(from->config_path, from->config_required, &root, err);

	if (root == NULL)
		return ret;
	(void)json_object_del(root, "runtime"); /* sluice-runtime's: runtime_settings.h */
	ret = settings_from_json(&table, root, "", 0, NULL, settings, NULL, err);
	json_decref(root);
	return ret < 0 ? err_wrap(err, ret, "%s", from->config_path) : 0;
}

struct annotated {
	struct vm_settings *settings;
	struct err *err;
};

static int set_annotation(void *arg, const char *key, const char *value)
{
	static const char prefix[] = VM_ANNOTATION_PREFIX;
	struct annotated *to = arg;
	const struct setting *row;
	struct err why = { "" };
	int ret;

	if (strncmp(key, prefix, strlen(prefix)) != 0)
		return 0;
	row = settings_find(&table, key + strlen(prefix));
	if (row != NULL && row->not_annotated)
		return err_set(to->err, -EPERM, "%s: is the administrator's to set", key);
	ret = settings_set(&table, key + strlen(prefix), value, to->settings, &why);
	return ret < 0 ? err_set(to->err, ret, "%s%s", prefix, why.text) : 0;
}

int vm_settings_annotations(
	const char *text, size_t len, struct vm_settings *settings, struct err *err)
{
	struct annotated to = { settings, err };

	return annotation_each(text, len, set_annotation, &to, err);
}

/* Whether `word` is in "kernel,modules-dir". */
static bool is_listed(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = list; at != NULL; at = strchr(at, ',')) {
		at += at[0] == ',';
		if (strncmp(at, word, len) == 0 && (at[len] == ',' || at[len] == '\0'))
			return true;
	}
	return false;
}

int vm_settings_check_allowed(const char *key, const char *allowed, struct err *err)
{
	if (is_listed(allowed, key))
		return 0;
	return err_set(err, -EPERM,
		VM_ANNOTATION_PREFIX "%s: is the administrator's to set, who may let pods "
				     "(\"annotations\" of \"runtime\" in %s)",
		key, VM_CONFIG_PATH);
}

/* As vm_settings_check_allowed() words it, of one value of several. */
static int check_word_allowed(
	const struct setting *row, const char *value, const char *allowed, struct err *err)
{
	if (is_listed(allowed, row->name))
		return 0;
	return err_set(err, -EPERM,
		VM_ANNOTATION_PREFIX "%s: \"%s\" is the administrator's to set, who may let pods "
				     "(\"annotations\" of \"runtime\" in %s)",
		row->name, value, VM_CONFIG_PATH);
}

/* Words are compared as setting_set_text() does it. */
static bool is_host_affecting_word(const struct setting *row, const char *value)
{
	for (const struct setting_word *w = row->words; w != NULL && w->name != NULL; w++)
		if (strcmp(w->name, value) == 0)
			return w->host_affecting;
	return false;
}

static int check_row_allowed(
	const struct setting *row, const char *value, const char *allowed, struct err *err)
{
	if (row->not_annotated || row->host_affecting)
		return vm_settings_check_allowed(row->name, allowed, err);
	return is_host_affecting_word(row, value) ? check_word_allowed(row, value, allowed, err)
						  : 0;
}

int vm_settings_check_annotation(
	const char *key, const char *value, const char *allowed, struct err *err)
{
	const struct setting *row = settings_find(&table, key);
	struct vm_settings *scratch;
	struct err why = { "" };
	int ret = row != NULL ? check_row_allowed(row, value, allowed, err) : 0;

	if (ret < 0)
		return ret;
	if (row != NULL && row->container_own)
		return err_set(err, -EINVAL,
			VM_ANNOTATION_PREFIX "%s: is said by the container itself: leave it out",
			key);
	scratch = calloc(1, sizeof(*scratch));
	if (scratch == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	ret = settings_set(&table, key, value, scratch, &why);
	free(scratch);
	return ret < 0 ? err_set(err, ret, VM_ANNOTATION_PREFIX "%s", why.text) : 0;
}

bool vm_settings_is_container_own(const char *key)
{
	const struct setting *row = settings_find(&table, key);

	return row != NULL && row->container_own;
}

static int load_annotations(const char *path, struct vm_settings *settings, struct err *err)
{
	cleanup_free char *text = NULL;
	size_t len;
	int ret = whole_file_read(path, FILE_LEN_MAX, &text, &len);

	if (ret < 0)
		return err_errno(err, -ret, "%s", path);
	ret = vm_settings_annotations(text, len, settings, err);
	return ret < 0 ? err_wrap(err, ret, "%s", path) : 0;
}

static int load_container(
	const struct container_spec *container, struct vm_settings *settings, struct err *err)
{
	for (size_t i = 0; i < container->n_settings; i++) {
		const struct container_setting *s = &container->settings[i];
		int ret = settings_set(&table, s->key, s->value, settings, err);

		if (ret < 0)
			return err_wrap(err, ret, "container's settings");
	}
	return 0;
}

static int load_environment(struct vm_settings *settings, struct err *err)
{
	const char *level = getenv("RUNCVM_LOG_LEVEL");
	int ret = 0;

	if (level != NULL && *level != '\0') {
		ret = settings_set(&table, "log-level", level, settings, err);
		if (ret < 0)
			return err_wrap(err, ret, "RUNCVM_LOG_LEVEL");
	}
	return settings_from_env(&table, settings, err);
}

int vm_settings_load(
	const struct vm_sources *sources, struct vm_settings *settings, struct err *err)
{
	int ret = 0;

	memset(settings, 0, sizeof(*settings));
	settings_apply_defaults(&table, 0, settings);
	if (sources->config_path != NULL)
		ret = load_file(sources, settings, err);
	if (ret == 0 && sources->annotations_path != NULL)
		ret = load_annotations(sources->annotations_path, settings, err);
	if (ret == 0 && sources->container != NULL)
		ret = load_container(sources->container, settings, err);
	if (ret == 0)
		ret = load_environment(settings, err);
	if (ret == 0 && sources->words != NULL)
		ret = settings_from_args(&table, sources->words, settings, err);
	return ret;
}

const struct setting *vm_settings_row(size_t i)
{
	return i < table.n_rows ? &table.rows[i] : NULL;
}

bool vm_settings_take_next(const char *word)
{
	return settings_takes_next(&table, word);
}

void vm_settings_print_help(FILE *out)
{
	settings_print_help(&table, "--", out);
}

void vm_settings_print_man(FILE *out)
{
	settings_man(&table, 0, "--", out);
}
