/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/storage/nfs_config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"

/* Its strings know no escapes. */
static int check_path(const char *path, struct err *err)
{
	for (const char *c = path; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || strchr("\"\\", *c) != NULL)
			return err_set(err, -EINVAL,
				"cannot export %s over NFS: it has characters that nfs-ganesha's "
				"configuration cannot hold",
				path);
	return 0;
}

/* Rquota is off because it is fatal without rpcbind. Times in seconds: a client that is idle renews
 * its lease after two thirds of its lifetime, and must learn of a new server within the grace
 * period, or its locks are not reclaimed. */
static void write_server(FILE *file, const struct nfs_plan *plan)
{
	fprintf(file,
		"NFS_CORE_PARAM { NFS_Port = %u; Bind_addr = %s; Protocols = 4;\n"
		"\tEnable_UDP = false; Enable_NLM = false; Enable_RQUOTA = false;\n"
		"\tmount_path_pseudo = true; }\n"
		"NFSv4 { Minor_Versions = 2; Only_Numeric_Owners = true;\n"
		"\tLease_Lifetime = 15; Grace_Period = 15;\n"
		"\tRecoveryBackend = fs; RecoveryRoot = \"%s/" NFS_RECOVERY_NAME "\"; }\n"
		"NFS_KRB5 { Active_krb5 = false; }\n"
		"LOG { Default_Log_Level = WARN; COMPONENTS { DBUS = FATAL; } }\n",
		plan->port, plan->address, plan->run_dir);
}

/* Paths are those that were checked: nothing is left in them that could be put elsewhere. */
static int write_export(FILE *file, const struct nfs_plan *plan, const struct nfs_export *export,
	size_t id, const char *name, struct err *err)
{
	const char *access = export->readonly ? "RO" : "RW";
	cleanup_free char *path = realpath(export->path, NULL);
	int ret;

	if (path == NULL)
		return err_errno(err, errno, "cannot export %s", export->path);
	ret = check_path(path, err);
	if (ret < 0)
		return ret;
	fprintf(file,
		"EXPORT { Export_Id = %zu; Path = \"%s\"; Pseudo = \"%s\"; Protocols = 4;\n"
		"\tTransports = TCP; SecType = sys; Squash = No_Root_Squash;\n"
		"\tAttr_Expiration_Time = 1; FSAL { Name = VFS; }\n",
		id, path, name);
	if (plan->client != NULL)
		fprintf(file,
			"\tAccess_Type = None; CLIENT { Clients = %s; Protocols = 4; "
			"Access_Type = %s; }\n}\n",
			plan->client, access);
	else
		fprintf(file, "\tAccess_Type = %s;\n}\n", access);
	return 0;
}

static int write_exports(FILE *file, const struct nfs_plan *plan, struct err *err)
{
	char name[32];
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < plan->n_exports; i++) {
		snprintf(name, sizeof(name), "/vol/%zu", i);
		ret = write_export(file, plan, &plan->exports[i], i + 1, name, err);
	}
	if (ret == 0 && plan->root != NULL)
		ret = write_export(file, plan, plan->root, plan->n_exports + 1, NFS_ROOT_NAME, err);
	return ret;
}

static int write_file(const struct nfs_plan *plan, const char *path, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), ret;
	FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;

	if (file == NULL) {
		ret = err_errno(err, errno, "cannot write %s", path);
		close(fd);
		return ret;
	}
	write_server(file, plan);
	ret = write_exports(file, plan, err);
	if (fclose(file) != 0 && ret == 0)
		ret = err_errno(err, errno, "cannot write %s", path);
	return ret;
}

int nfs_config_write(const struct nfs_plan *plan, struct err *err)
{
	char path[PATH_MAX];
	int ret = check_path(plan->run_dir, err);

	if (ret < 0)
		return ret;
	snprintf(path, sizeof(path), "%s/" NFS_RECOVERY_NAME, plan->run_dir);
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_errno(err, errno, "cannot make the directory %s", path);
	snprintf(path, sizeof(path), "%s/" NFS_CONFIG_NAME, plan->run_dir);
	return write_file(plan, path, err);
}
