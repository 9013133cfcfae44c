/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/run/machine.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launcher/image/ext4_image.h"
#include "launcher/image/image_modules.h"
#include "launcher/image/initramfs.h"
#include "launcher/image/kernel.h"
#include "launcher/image/kernel_elf.h"
#include "launcher/run/describe.h"
#include "launcher/pod/host_link.h"
#include "launcher/process/loop.h"
#include "launcher/run/machine_kind.h"
#include "launcher/process/programs.h"
#include "launcher/run/root_choice.h"
#include "launcher/run/sealed_image.h"
#include "launcher/run/switch_plan.h"
#include "launcher/run/volume_choice.h"
#include "launcher/storage/nfs.h"
#include "launcher/storage/virtiofs.h"
#include "launcher/vmm/kvm.h"
#include "lib/cleanup.h"
#include "lib/log.h"

/* Room on a root that is written to; its image is sparse. */
#define ROOT_FREE_MIB 1024

#define NFS_READY_MS 30000

/* --- image ----------------------------------------------------------------------------------- */

/* Strings, each ended by NUL, one behind the other: to be freed. */
static char *join(char *const *strings, size_t *len)
{
	size_t n = 0;
	char *all;

	for (char *const *s = strings; s != NULL && *s != NULL; s++)
		n += strlen(*s) + 1;
	all = malloc(n + 1);
	*len = 0;
	for (char *const *s = strings; all != NULL && s != NULL && *s != NULL; s++) {
		size_t size = strlen(*s) + 1;

		memcpy(all + *len, *s, size);
		*len += size;
	}
	return all;
}

static int seal(struct vm *vm, const char *archive, const char *json, struct err *err)
{
	size_t argv_len, env_len;
	cleanup_free char *argv = join(vm->command->argv, &argv_len);
	cleanup_free char *env = join(vm->command->env, &env_len);
	struct initramfs_file files[] = {
		{ &MACHINE_SPEC_PATH[1], json, strlen(json) },
		{ &MACHINE_ENV_PATH[1], env, env_len },
		{ &MACHINE_ARGV_PATH[1], argv, argv_len },
	};

	if (argv == NULL || env == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	return sealed_image_write(vm, archive, files, vm->command->argv != NULL ? 3 : 2, err);
}

static int get_initramfs(struct vm *vm, char **archive, struct err *err)
{
	const struct vm_settings *s = vm->settings;
	char agent[PATH_MAX];
	const struct initramfs_plan plan = { .agent = s->agent[0] != '\0' ? s->agent : agent,
		.modules_dir = vm->kernel.modules_dir[0] != '\0' ? vm->kernel.modules_dir : NULL,
		.modules = image_modules(vm->kind == &vmm_uml, machine_has_nfs(vm)),
		.tree = vm->root == VM_ROOT_INITRAMFS ? s->rootfs : NULL,
		.cache_dir = s->cache_dir };

	if (s->agent[0] == '\0' && programs_find("sluice-agent", agent, err) < 0)
		return -ENOENT;
	return initramfs_get(&plan, archive, err);
}

static int format_spec(struct vm *vm, char **json, struct err *err)
{
	struct machine_spec spec;
	int ret = describe_machine(vm, &spec, err);

	if (ret == 0) {
		*json = machine_spec_format(&spec);
		if (*json == NULL)
			ret = err_set(err, -ENOMEM, "out of memory");
	}
	machine_spec_free(&spec);
	return ret;
}

int machine_image_step(struct vm *vm, struct err *err)
{
	cleanup_free char *archive = NULL, *json = NULL;
	int ret = get_initramfs(vm, &archive, err);

	if (ret == 0)
		ret = format_spec(vm, &json, err);
	return ret < 0 ? ret : seal(vm, archive, json, err);
}

/* --- vmm ------------------------------------------------------------------------------------- */

bool machine_may_try_again(const struct vm *vm)
{
	return vm->kvm && vm->accel == VMM_ACCEL_AUTO && !vm->ended;
}

static void on_vmm_event(void *owner, enum vmm_event event, const char *detail)
{
	static const char *const names[] = {
		[VMM_RUNNING] = "running",
		[VMM_SHUTDOWN] = "shutdown",
		[VMM_PANICKED] = "panicked",
		[VMM_ENDED] = "ended",
	};
	struct vm *vm = owner;
	struct err err = { "" };

	log_info("vmm", log_str("event", names[event]), log_str("detail", detail));
	if (event == VMM_SHUTDOWN)
		vm->powered_off = true;
	if (event != VMM_ENDED)
		return;
	vm->kind->kill(vm->vmm);
	vm->vmm = NULL;
	if (vm->halt != NULL) {
		vm_end(vm, 128 + SIGKILL, NULL);
		return;
	}
	if (!vm->started && machine_may_try_again(vm)) {
		vm->failed = true;
		return;
	}
	(void)err_set(&err, -EIO, "%s: %s", vm->kind->name,
		vm->powered_off ? "the guest powered off" : detail);
	vm_end(vm, VM_STATUS_VMM, err.text);
}

/* The network, which may be a TAP (vm_tap.h), and the connection to the agent: sluiced's and
 * sluice-vsock's, or its own. */
static void plan_links(const struct vm *vm, struct vmm_plan *plan)
{
	const struct pod_interface *pod = pod_network_interface(&vm->net, vm->net.pod_ifindex);

	plan->nics[0].mac = switch_plan_guest_mac(vm->settings, &pod->mac);
	plan->nics[0].mtu = (uint16_t)pod->mtu;
	if (vm->tap[0] == '\0')
		plan->nics[0].socket = vm->paths.switch_port;
	else
		plan->nics[0].tap = vm->tap;
	plan->n_nics = 1;
	plan->cid = MACHINE_CID;
	plan->vsock_path = vm->paths.vsock;
	if (vm->kind->can & VMM_CAN_VHOST_VSOCK)
		plan->vsock_socket = vm->paths.vsock_device;
}

static void plan_root(const struct vm *vm, struct vmm_plan *plan)
{
	if (vm->virtiofs != NULL)
		plan->share = (struct vmm_share) { vm->paths.fs_device, MACHINE_SHARE_TAG };
	if (vm->root == VM_ROOT_EXT4)
		plan->drives[plan->n_drives++] =
			(struct vmm_drive) { vm->root_image, vm->settings->readonly };
}

static const char *accel_name(const struct vm *vm)
{
	if (vm->kind->can & VMM_NEEDS_KVM)
		return "kvm";
	if (vm->kind != &vmm_qemu)
		return "none";
	return vm->kvm ? "kvm" : "tcg";
}

/* Why it is this one, accelerated like this; may be in *err. */
static const char *accel_reason(const struct vm *vm, struct err *err)
{
	if (vm->kind != &vmm_qemu)
		return "vmm is set";
	if (vm->settings->accel != VM_ACCEL_AUTO)
		return "accel is set";
	if (vm->accel == VMM_ACCEL_TCG)
		return "under KVM the guest did not come up";
	return kvm_usable(err) < 0 ? err->text : "KVM can be used";
}

static void say_choice(const struct vm *vm)
{
	struct err err = { "" };

	log_info("machine", log_str("vmm", vm->kind->name), log_str("accel", accel_name(vm)),
		log_str("because", accel_reason(vm, &err)));
}

static int start_vmm(struct vm *vm, struct err *err)
{
	static const char *const machines[] = {
		[VM_MACHINE_Q35] = "q35", [VM_MACHINE_MICROVM] = "microvm"
	};
	const struct vm_settings *s = vm->settings;
	const struct vmm_owner owner = { on_vmm_event, vm };
	struct vmm_plan plan = { .name = s->name,
		.program = s->vmm_program[0] != '\0' ? s->vmm_program : NULL,
		.run_dir = vm->paths.dir,
		.kernel = vm->kernel.path,
		.initrd = vm->initrd,
		.initrd_fd = vm->initrd_fd,
		.cmdline = s->kernel_append,
		.n_cpus = s->cpus,
		.memory_mib = s->memory_mib,
		.accel = vm->accel,
		.machine = machines[s->machine],
		.console = console_writer(vm->console) };
	int ret;

	plan_links(vm, &plan);
	plan_root(vm, &plan);
	ret = vm->kind->check(&plan, err);
	vm->kvm = vm->kind == &vmm_qemu && vm->accel != VMM_ACCEL_TCG && kvm_usable(NULL) == 0;
	if (ret < 0)
		return ret;
	say_choice(vm);
	return vm->kind->start(vm->loop, vm->keeper, &plan, &owner, &vm->vmm, err);
}

int machine_vmm_step(struct vm *vm, struct err *err)
{
	int ret = console_open(vm->loop, vm->paths.console,
		(size_t)vm->settings->console_kib * 1024, &vm->console, err);

	if (ret == 0)
		ret = start_vmm(vm, err);
	if (ret == 0)
		console_close_writer(vm->console);
	return ret;
}

/* --- choices --------------------------------------------------------------------------------- */

static int choose_vmm(struct vm *vm, struct err *err)
{
	vm->kind = machine_kind(vm->settings);
	if (!(vm->kind->can & VMM_IS_BOUNDARY))
		log_warn("no-boundary", log_str("vmm", vm->kind->name),
			log_str("reason", "a guest's root is this user here"));
	return machine_kind_check(vm->kind, vm->settings, vm->command->volumes, err);
}

const char *machine_root_name(enum vm_root root)
{
	static const char *const names[] = { [VM_ROOT_AUTO] = "auto",
		[VM_ROOT_VIRTIOFS] = "virtiofs",
		[VM_ROOT_EXT4] = "ext4",
		[VM_ROOT_NFS] = "nfs",
		[VM_ROOT_INITRAMFS] = "initramfs" };

	return names[root];
}

static int choose_kernel(struct vm *vm, struct err *err)
{
	const struct vm_settings *s = vm->settings;
	cleanup_free char *elf = NULL;
	int ret = kernel_find(vm->kind == &vmm_uml, s->kernel, s->modules_dir, &vm->kernel, err);

	if (ret < 0 || !(vm->kind->can & VMM_NEEDS_ELF))
		return ret;
	ret = kernel_elf_get(vm->kernel.path, s->cache_dir, &elf, err);
	if (ret == 0)
		snprintf(vm->kernel.path, sizeof(vm->kernel.path), "%s", elf);
	return ret;
}

int machine_choose_step(struct vm *vm, struct err *err)
{
	static const enum vmm_accel accels[] = { [VM_ACCEL_AUTO] = VMM_ACCEL_AUTO,
		[VM_ACCEL_KVM] = VMM_ACCEL_KVM,
		[VM_ACCEL_TCG] = VMM_ACCEL_TCG };
	int ret = choose_vmm(vm, err);

	vm->accel = accels[vm->settings->accel];
	if (ret < 0)
		return ret;
	ret = volume_choice_make(vm, err);
	if (ret == 0)
		ret = root_choice_make(vm, err);
	return ret < 0 ? ret : choose_kernel(vm, err);
}

/* --- storage --------------------------------------------------------------------------------- */

static void on_virtiofs_ended(void *owner, const char *what)
{
	vm_end_unless_machine_does(owner, VM_STATUS_STORAGE, what);
}

static int open_share(struct vm *vm, struct err *err)
{
	const struct volumes *volumes = &vm->volumes;
	struct share_item items[VOLUMES_MAX];
	struct share_plan plan = {
		.run_dir = vm->paths.dir, .volumes = items, .ready = vm->command->share
	};

	if (vm->root == VM_ROOT_VIRTIOFS)
		plan.root = (struct share_item) { vm->settings->rootfs, vm->settings->readonly };
	for (size_t i = 0; i < volumes->n; i++)
		if (volumes->item[i].source != NULL && !volumes->item[i].nfs)
			items[plan.n_volumes++] = (struct share_item) { volumes->item[i].source,
				volumes->item[i].readonly };
	if (plan.root.path == NULL && plan.n_volumes == 0)
		return 0;
	return share_open(&plan, &vm->share, err);
}

static int start_virtiofs(struct vm *vm, struct err *err)
{
	const char *set = vm->settings->virtiofsd;
	char relay[PATH_MAX];
	struct virtiofs_plan plan = { .socket = vm->paths.fs_device,
		.tag = MACHINE_SHARE_TAG,
		.relay = vm->kind == &vmm_uml,
		.relay_program = relay,
		.virtiofsd = set[0] != '\0' ? set : NULL,
		.share = vm->share,
		.log = vm->log,
		.keeper = vm->keeper,
		.ended = on_virtiofs_ended,
		.owner = vm };
	int ret = programs_find("sluice-fs-relay", relay, err);

	return ret < 0 ? ret : virtiofs_start(vm->loop, &plan, &vm->virtiofs, err);
}

/* One that is only read is the cache's own. */
static int make_image(struct vm *vm, struct err *err)
{
	const struct ext4_plan plan = { .tree = vm->settings->rootfs,
		.cache_dir = vm->settings->cache_dir,
		.free_mib = vm->settings->readonly ? 0 : ROOT_FREE_MIB };
	int ret = ext4_image_get(&plan, &vm->root_image, err);
	char *copy;

	if (ret < 0 || vm->settings->readonly)
		return ret;
	if (asprintf(&copy, "%s/root.ext4", vm->paths.dir) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	ret = ext4_image_copy(vm->root_image, copy, err);
	free(vm->root_image);
	vm->root_image = copy;
	return ret;
}

static void on_nfs_ready(void *owner)
{
	struct vm *vm = owner;

	vm->nfs_ready = true;
}

static void on_nfs_ended(void *owner, const char *how)
{
	struct err err = { "" };

	(void)err_set(&err, -EIO, "the NFS server ended: %s", how);
	vm_end(owner, VM_STATUS_STORAGE, err.text);
}

static bool is_nfs_ready_or_over(const void *arg)
{
	const struct vm *vm = arg;

	return vm->nfs_ready || vm->ended;
}

bool machine_has_nfs(const struct vm *vm)
{
	return vm->root == VM_ROOT_NFS || volumes_count(&vm->volumes, true) > 0;
}

static int start_nfs(struct vm *vm, struct err *err)
{
	const struct volumes *volumes = &vm->volumes;
	const struct nfs_export root = { vm->settings->rootfs, vm->settings->readonly };
	struct nfs_export exports[VOLUMES_MAX];
	const struct nfs_plan plan = { .run_dir = vm->paths.nfs_dir,
		.address = HOST_LINK_IDENTITY,
		.client = HOST_LINK_SERVICE,
		.port = MACHINE_NFS_PORT,
		.exports = exports,
		.n_exports = volumes_count(volumes, true),
		.root = vm->root == VM_ROOT_NFS ? &root : NULL,
		.allow_shared = vm->settings->nfs_shared_filesystem,
		.log = vm->log,
		.keeper = vm->keeper,
		.ready = on_nfs_ready,
		.ended = on_nfs_ended,
		.owner = vm };
	size_t n = 0;
	int ret;

	for (size_t i = 0; i < volumes->n; i++)
		if (volumes->item[i].nfs)
			exports[n++] = (struct nfs_export) { volumes->item[i].source,
				volumes->item[i].readonly };
	if (mkdir(vm->paths.nfs_dir, 0700) < 0 && errno != EEXIST)
		return err_errno(err, errno, "%s", vm->paths.nfs_dir);
	ret = nfs_start(vm->loop, &plan, &vm->nfs, err);
	if (ret == 0 && loop_until(vm->loop, NFS_READY_MS, is_nfs_ready_or_over, vm) < 0)
		ret = err_set(err, -ETIMEDOUT, "the NFS server was not ready in %d s: see %s",
			NFS_READY_MS / 1000, vm->paths.log);
	return ret;
}

int machine_storage_step(struct vm *vm, struct err *err)
{
	int ret = vm->share == NULL ? open_share(vm, err) : 0;

	if (ret == 0 && vm->share != NULL)
		ret = start_virtiofs(vm, err);
	if (ret == 0 && vm->root == VM_ROOT_EXT4 && vm->root_image == NULL)
		ret = make_image(vm, err);
	if (ret == 0 && vm->nfs == NULL && machine_has_nfs(vm))
		ret = start_nfs(vm, err);
	return ret;
}

void machine_storage_stop(struct vm *vm)
{
	virtiofs_stop(vm->virtiofs);
	vm->virtiofs = NULL;
}

void machine_storage_close(struct vm *vm)
{
	machine_storage_stop(vm);
	nfs_stop(vm->nfs);
	vm->nfs = NULL;
	share_close(vm->share);
	free(vm->root_image);
	vm->share = NULL;
	vm->root_image = NULL;
}
