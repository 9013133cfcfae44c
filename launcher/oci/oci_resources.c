/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/oci/oci_resources.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "launcher/oci/oci_json.h"

#define MEMORY_MIN_MIB 64 /* of the setting "memory" */
#define MEMORY_MAX_MIB (1024 * 1024)
#define CPUS_MAX       256    /* of the setting "cpus" */
#define PERIOD_US      100000 /* of a quota without one: the kernel's */

static int put_number(json_object *settings, const char *key, uint64_t n, struct err *err)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, n);
	return oci_put(settings, key, json_object_new_string(text), err);
}

/* --- memory ---------------------------------------------------------------------------------- */

static int refuse_limit(
	uint64_t guest_mib, uint64_t limit_mib, uint64_t overhead_mib, struct err *err)
{
	return err_set(err, -ENOTSUP,
		"linux.resources.memory.limit: %" PRIu64
		" MiB are too little for a guest of %" PRIu64 " MiB and %" PRIu64
		" MiB of overhead: give the container %" PRIu64 " MiB or more",
		limit_mib, guest_mib, overhead_mib, guest_mib + overhead_mib);
}

/* What grows with the guest's memory: page tables of each program that maps it, the VMM's own
 * tables of it. Rounded up. */
static uint64_t overhead_of(uint64_t guest_mib, uint64_t per_gib_mib)
{
	return (guest_mib * per_gib_mib + 1023) / 1024;
}

/* The largest guest that has room with that beside it. */
static uint64_t largest(uint64_t room_mib, uint64_t per_gib_mib)
{
	uint64_t most = room_mib / (1024 + per_gib_mib) * 1024 +
			room_mib % (1024 + per_gib_mib) * 1024 / (1024 + per_gib_mib);

	return most + overhead_of(most, per_gib_mib) > room_mib ? most - 1 : most;
}

/* `overhead_mib`: what of the limit is not the guest's, whatever its size. */
static int size_guest(json_object *settings, uint64_t limit_mib, uint64_t overhead_mib,
	uint64_t per_gib_mib, struct err *err)
{
	uint64_t room = limit_mib > overhead_mib ? limit_mib - overhead_mib : 0;
	uint64_t most = largest(room, per_gib_mib);
	const char *asked;
	int ret = oci_get_string(settings, "", "memory", &asked, err);
	uint64_t wanted = asked != NULL ? strtoull(asked, NULL, 10) : MEMORY_MIN_MIB;

	if (ret < 0)
		return ret;
	if (most < wanted)
		return refuse_limit(
			wanted, limit_mib, overhead_mib + overhead_of(wanted, per_gib_mib), err);
	if (asked != NULL)
		return 0;
	return put_number(settings, "memory", most < MEMORY_MAX_MIB ? most : MEMORY_MAX_MIB, err);
}

/* The container's limits, raised by what is accounted for elsewhere. */
static int raise_limit(json_object *memory, const char *key, uint32_t overhead_mib, struct err *err)
{
	int64_t bytes = 0;
	int ret = oci_get_int(
		memory, "linux.resources.memory.", key, INT64_MIN, INT64_MAX, &bytes, err);

	if (ret < 0 || bytes <= 0 || bytes >= OCI_NO_LIMIT)
		return ret;
	return oci_put(
		memory, key, json_object_new_int64(bytes + ((int64_t)overhead_mib << 20)), err);
}

static int convert_memory(json_object *resources, const struct runtime_settings *runtime,
	json_object *settings, struct err *err)
{
	uint32_t inside = runtime->memory_outside ? 0 : runtime->overhead_mib;
	uint32_t outside = runtime->overhead_mib - inside;
	int64_t limit = 0;
	json_object *memory;
	int ret = oci_get_object(resources, "linux.resources.", "memory", &memory, err);

	if (ret == 0)
		ret = oci_get_int(memory, "linux.resources.memory.", "limit", INT64_MIN, INT64_MAX,
			&limit, err);
	if (ret < 0 || limit <= 0 || limit >= OCI_NO_LIMIT)
		return ret;
	ret = size_guest(
		settings, (uint64_t)limit >> 20, inside, runtime->overhead_per_gib_mib, err);
	if (ret == 0)
		ret = raise_limit(memory, "limit", outside, err);
	return ret < 0 ? ret : raise_limit(memory, "swap", outside, err);
}

/* --- processors ------------------------------------------------------------------------------ */

/* How many processors a list such as "0-3,8" has; 0: it has none, or is no list. */
static uint64_t count_cpus(const char *list)
{
	uint64_t n = 0;

	while (list != NULL && *list >= '0' && *list <= '9') {
		char *end;
		uint64_t first = strtoull(list, &end, 10), last = first;

		if (*end == '-')
			last = strtoull(end + 1, &end, 10);
		if (last < first || last - first >= CPUS_MAX || n > CPUS_MAX)
			return 0;
		n += last - first + 1;
		if (*end == '\0' || *end == '\n')
			return n;
		list = *end == ',' ? end + 1 : NULL;
	}
	return 0;
}

/* What the limit amounts to, rounded up, and no more than the processors it may run on. */
static int convert_cpus(json_object *resources, json_object *settings, struct err *err)
{
	uint64_t period = 0, n = 0, set;
	const char *list = NULL;
	int64_t quota = 0;
	json_object *cpu;
	int ret = oci_get_object(resources, "linux.resources.", "cpu", &cpu, err);

	if (ret == 0)
		ret = oci_get_int(
			cpu, "linux.resources.cpu.", "quota", INT64_MIN, INT64_MAX, &quota, err);
	if (ret == 0)
		ret = oci_get_uint(cpu, "linux.resources.cpu.", "period", UINT64_MAX, &period, err);
	if (ret == 0)
		ret = oci_get_string(cpu, "linux.resources.cpu.", "cpus", &list, err);
	if (ret < 0 || json_object_object_get_ex(settings, "cpus", NULL))
		return ret;
	if (quota > 0)
		n = ((uint64_t)quota - 1) / (period > 0 ? period : PERIOD_US) + 1;
	set = count_cpus(list);
	if (set > 0 && (n == 0 || set < n))
		n = set;
	if (n == 0)
		return 0;
	return put_number(settings, "cpus", n < CPUS_MAX ? n : CPUS_MAX, err);
}

int oci_resources_convert(json_object *linux_part, const struct runtime_settings *runtime,
	json_object *settings, struct err *err)
{
	json_object *resources;
	int ret = oci_get_object(linux_part, "linux.", "resources", &resources, err);

	if (ret == 0)
		ret = convert_memory(resources, runtime, settings, err);
	return ret < 0 ? ret : convert_cpus(resources, settings, err);
}
