/* SPDX-License-Identifier: BSD-3-Clause */

/* The network configuration that sluice-cni is given: whatever the bytes, one line, or a result as
 * the specification has it. Nothing is written down: every address is free. */

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "launcher/cni/cni_config.h"
#include "launcher/cni/cni_name.h"
#include "launcher/cni/cni_result.h"
#include "launcher/cni/cni_result_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct cni_attachment who = {
	.container_id = "0123456789ab", .ifname = "eth0", .netns = "/run/netns/x"
};

static bool is_free(const struct ip_addr *addr, const void *context)
{
	return false;
}

static void check_range(const struct cni_range *range)
{
	const bool is_v4 = ip_addr_is_v4(&range->subnet.addr);

	assert(range->subnet.len + 2 <= cni_addr_bits(&range->subnet.addr));
	assert(cni_cidr_has(&range->subnet, &range->first));
	assert(cni_cidr_has(&range->subnet, &range->last));
	assert(cni_cidr_has(&range->subnet, &range->gateway));
	assert(cni_addr_compare(&range->first, &range->last) <= 0);
	assert(ip_addr_is_v4(&range->first) == is_v4 && ip_addr_is_v4(&range->last) == is_v4);
}

/* What comes behind an address is of the same set, and there is always one: at least that one. */
static void check_next(const struct cni_ranges *ranges, unsigned set, const struct ip_addr *addr)
{
	struct ip_addr next;
	const struct cni_range *range = cni_ranges_pick(ranges, set, addr, is_free, NULL, &next);

	assert(range != NULL && range->set == set && cni_range_has(range, &next));
}

static size_t pick_all(const struct cni_ranges *ranges, struct cni_given *given)
{
	assert(ranges->n <= CNI_RANGES_MAX && ranges->n_sets <= ranges->n);
	for (size_t i = 0; i < ranges->n; i++)
		check_range(&ranges->range[i]);
	for (unsigned set = 0; set < ranges->n_sets; set++) {
		struct cni_given *one = &given[set];

		one->range = cni_ranges_pick(ranges, set, NULL, is_free, NULL, &one->addr);
		if (one->range == NULL)
			return 0;
		assert(one->range->set == set && cni_range_has(one->range, &one->addr));
		assert(!ip_addr_equal(&one->addr, &one->range->gateway));
		check_next(ranges, set, &one->addr);
	}
	return ranges->n_sets;
}

static void check_result(json_t *result, const struct cni_config *config)
{
	struct err err = { "" };

	assert(cni_result_check(result, config->version, "result", &err) == 0);
	assert(cni_result_has_socket(result, config, &who));
	json_decref(result);
}

/* As ADD does. */
static void add(const struct cni_config *config, struct err *err)
{
	struct cni_given given[CNI_RANGES_MAX];
	size_t n = pick_all(&config->ranges, given);
	json_t *result = NULL;

	if (n > 0 && cni_result_make(config, &who, given, n, &result, err) == 0)
		check_result(result, config);
	if (config->prev_result == NULL ||
		cni_result_check(config->prev_result, config->version, "prevResult", err) < 0)
		return;
	if (cni_result_pass_on(config, &who, &result, err) == 0)
		check_result(result, config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cni_config config;
	struct err err = { "" };
	json_t *json = cni_config_decode((const char *)data, size, &err);
	int ret = json != NULL ? cni_config_read(json, &config, &err) : -1;

	if (ret == 0) {
		assert(cni_name_check(config.name, NULL) == 0 && config.data_dir[0] == '/');
		ret = cni_config_read_details(json, &config, &err);
	}
	if (ret == 0)
		add(&config, &err);
	else
		assert(err.text[0] != '\0');
	assert(strchr(err.text, '\n') == NULL);
	json_decref(json);
	return 0;
}
