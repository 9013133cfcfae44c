/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What sluice-runtime makes of an OCI config.json (runtime-spec 1.0 and 1.1) on `create`.
 *
 * A container that becomes a VM runs sluice-vm in Sluice's own machine root: the user's image never
 * runs on the node's kernel and never chooses a path there. Its root file system and its volumes
 * are bound at fixed places, /sluice/share/rootfs and /sluice/share/vol/N, and mounted at their
 * destinations by the agent, in the guest; what the workload is (args, environment, user, limits,
 * capabilities, terminal, hostname) goes to the guest in container.json (config/container_spec.h).
 *
 * These are pure functions over the JSON tree: no file is read or written. Anything may be in the
 * tree: what is not as the specification has it is -EINVAL with one line that names it. json-c,
 * because it keeps an unlimited ulimit (18446744073709551615) as it is.
 *
 * Thread-safety: none is needed; no state.
 */

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json.h>

#include "config/runtime_settings.h"
#include "lib/err.h"

/* In a converted container's annotations, for `exec` to know it by; and how it was converted, to be
 * raised when what `exec` and `update` do no longer fits a container that was made before. */
#define OCI_CONVERTED  "sluice.dev/converted"
#define OCI_CONVERSION "1"

/* Who calls, as its process says, not the tree (runtime_caller.h). */
enum oci_engine {
	OCI_ENGINE_UNKNOWN, /* by hand, say */
	OCI_ENGINE_PODMAN,
	OCI_ENGINE_CRIO,
	OCI_ENGINE_CONTAINERD,
};
/* Beside it: the SLUICE_EXEC_TARGET=... that the container itself has in its environment, which
 * engines hand to each exec as if its caller had said it. */
#define OCI_IMAGE_TARGET "sluice.dev/image-exec-target"

/* What is known besides the tree. */
struct oci_facts {
	enum oci_engine engine;
	const struct runtime_settings *settings;
	const char *bundle;         /* absolute */
	const char *machine_root;   /* the skeleton that is the new root.path, absolute */
	const char *container_name; /* as the engine has it; NULL: it did not say */
	bool has_kvm, has_tun;      /* the node has the device */
	/* Bound if they are there: of the node's /etc, or of settings->machine_root's */
	bool has_cache, has_alternatives; /* ld.so.cache, alternatives */
	bool has_config;                  /* /etc/sluice, of the node */
	/* Of settings->machine_root, ended by NULL: top-level directories besides usr that are
	 * bound too (machine_parts.h); NULL: none */
	const char *const *machine_dirs;
	/* A directory that is bound to /dev/shm is memory of the node's, of this size (0: any) */
	bool shm_is_memory;
	uint64_t shm_bytes;
	uint64_t nofile_hard; /* RLIMIT_NOFILE that may be given away */
};

enum oci_decision { OCI_PASS, OCI_CONVERT };

/*
 * Whether this container becomes a VM: sluice.dev/vm is "true" or its name, or the runtime is one
 * for VMs only; never a sandbox. Returns enum oci_decision, or refuses: -EINVAL (annotations,
 * ambiguity), -ENOTSUP (the node's network, a user namespace, devices, privileged).
 */
int oci_decide(json_object *config, const struct oci_facts *facts, struct err *err);

/*
 * Edits *config in place, and makes *container of it: a new reference, the content of
 * container.json. After a failure *config is to be thrown away.
 */
int oci_convert(json_object *config, const struct oci_facts *facts, json_object **container,
	struct err *err);
