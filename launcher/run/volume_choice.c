/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/run/volume_choice.h"

#include <errno.h>
#include <limits.h>

#include "launcher/process/program.h"
#include "launcher/run/datapath_choice.h"
#include "launcher/storage/nfs.h"
#include "launcher/storage/share.h"
#include "launcher/storage/virtiofsd.h"
#include "lib/log.h"

static int check_nfs(const struct volume *v, const struct vm_settings *settings, struct err *err)
{
	const struct nfs_export export = { v->source, v->readonly };
	char program[PATH_MAX];
	int ret;

	if (datapath_is_tap(settings))
		return err_set(err, -ENOTSUP, "NFS takes a host port, which datapath tap has not");
	ret = program_find(NFS_PROGRAM, program, err);
	return ret < 0 ? ret : nfs_export_check(&export, settings->nfs_shared_filesystem, err);
}

static int check_virtiofs(const struct volume *v, const struct vmm_kind *kind,
	const struct vm_settings *settings, struct err *err)
{
	const char *set = settings->virtiofsd;
	const struct share_item item = { v->source, v->readonly };
	char program[PATH_MAX];
	int ret;

	if (!(kind->can & VMM_CAN_VIRTIOFS))
		return err_set(err, -ENOTSUP, "%s has no virtio-fs", kind->name);
	ret = virtiofsd_find(set[0] != '\0' ? set : NULL, program, err);
	if (ret < 0)
		return ret;
	return v->ready ? share_check_ready(&item, err) : share_check(&item, err);
}

int volume_choice_check(const struct volume *volume, const struct vmm_kind *kind,
	const struct vm_settings *settings, struct err *err)
{
	if (volume->source == NULL)
		return 0;
	return volume->nfs ? check_nfs(volume, settings, err)
			   : check_virtiofs(volume, kind, settings, err);
}

/* One that does not work: left out if it may be. What is in a share that is ready has a name there
 * that its owner never gave it: he is told where it was to be. */
static int do_without(const struct volume *v, int reason, struct err *why, struct err *err)
{
	if (!v->optional)
		return err_set(err, reason, "volume %s: %s", v->destination, why->text);
	log_warn("volume-left-out", log_str("source", v->source),
		log_str("destination", v->destination), log_str("reason", why->text));
	return 0;
}

int volume_choice_make(struct vm *vm, struct err *err)
{
	const struct volumes *asked = vm->command->volumes;
	int ret = 0;

	vm->volumes.n = 0;
	for (size_t i = 0; ret == 0 && i < asked->n; i++) {
		const struct volume *v = &asked->item[i];
		struct err why = { "" };
		int reason = 0;

		/* The others are refused by what serves them. */
		if (v->optional || v->ready)
			reason = volume_choice_check(v, vm->kind, vm->settings, &why);
		if (reason < 0)
			ret = do_without(v, reason, &why, err);
		else
			vm->volumes.item[vm->volumes.n++] = *v;
	}
	return ret;
}
