/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/cni/cni_range.h"

#include <errno.h>
#include <stdio.h>

#define AT_MAX 64 /* "ranges[31][31]." */

/* A range's keys; the others of a configuration have nothing to do with it. */
static bool has_range(const json_t *config)
{
	static const char *const keys[] = { "subnet", "rangeStart", "rangeEnd", "gateway" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (json_object_get(config, keys[i]) != NULL)
			return true;
	return false;
}

/* Whether some of its addresses are those of IPv4 (::ffff:0:0/96), which are not for hosts. */
static bool has_mapped(const struct cni_cidr *subnet)
{
	const struct ip_addr first = { { [10] = 0xff, [11] = 0xff } };
	const struct ip_addr last = cni_cidr_highest(subnet);

	return !ip_addr_is_v4(&subnet->addr) && cni_addr_compare(&subnet->addr, &first) < 0 &&
	       cni_addr_compare(&last, &first) >= 0;
}

static int read_subnet(const json_t *object, const char *at, struct cni_cidr *out, struct err *err)
{
	const char *text = json_string_value(json_object_get(object, "subnet"));
	char lowest_text[CNI_CIDR_TEXT_MAX];
	struct cni_cidr lowest;

	if (text == NULL)
		return err_set(err, -EINVAL, "%ssubnet: must be text such as \"10.88.0.0/16\"", at);
	if (cni_cidr_parse(text, out) < 0)
		return err_set(err, -EINVAL, "%ssubnet: \"%.60s\" is no ADDRESS/LENGTH", at, text);
	lowest = (struct cni_cidr) { cni_cidr_lowest(out), out->len };
	if (!ip_addr_equal(&lowest.addr, &out->addr))
		return err_set(err, -EINVAL,
			"%ssubnet: \"%s\" is an address of the network, which is \"%s\"", at, text,
			cni_cidr_format(&lowest, lowest_text));
	if (has_mapped(out))
		return err_set(err, -EINVAL, "%ssubnet: \"%s\" has IPv4's addresses", at, text);
	if (out->len + 2 > cni_addr_bits(&out->addr))
		return err_set(err, -EINVAL, "%ssubnet: \"%s\" has too few addresses", at, text);
	return 0;
}

/* *addr keeps its value if the key is not there. */
static int read_address(const json_t *object, const char *at, const char *key,
	const struct cni_range *range, struct ip_addr *addr, struct err *err)
{
	const json_t *value = json_object_get(object, key);
	const char *text = json_string_value(value);
	char subnet[CNI_CIDR_TEXT_MAX];

	if (value == NULL || json_is_null(value))
		return 0;
	if (text == NULL || ip_addr_parse(text, addr) < 0)
		return err_set(err, -EINVAL, "%s%s: must be an address", at, key);
	if (!cni_range_has(range, addr))
		return err_set(err, -EINVAL, "%s%s: %s is not for a host of %s", at, key, text,
			cni_cidr_format(&range->subnet, subnet));
	return 0;
}

/* All that a subnet has for hosts: not the network's own address, which in IPv6 is every router's
 * (RFC 4291, 2.6.1), nor IPv4's broadcast address. */
static void fill_range(struct cni_range *range)
{
	range->first = cni_addr_next(range->subnet.addr);
	range->last = cni_cidr_highest(&range->subnet);
	if (ip_addr_is_v4(&range->last))
		range->last = cni_addr_previous(range->last);
	range->gateway = range->first;
}

static int read_range(
	const json_t *object, const char *at, struct cni_range *range, struct err *err)
{
	struct cni_range whole;
	int ret;

	if (!json_is_object(object))
		return err_set(
			err, -EINVAL, "%.*s: must be an object ({ ... })", (int)strlen(at) - 1, at);
	ret = read_subnet(object, at, &range->subnet, err);
	if (ret < 0)
		return ret;
	fill_range(range);
	whole = *range;
	ret = read_address(object, at, "rangeStart", &whole, &range->first, err);
	if (ret == 0)
		ret = read_address(object, at, "rangeEnd", &whole, &range->last, err);
	if (ret == 0)
		ret = read_address(object, at, "gateway", &whole, &range->gateway, err);
	if (ret == 0 && cni_addr_compare(&range->first, &range->last) > 0)
		return err_set(err, -EINVAL, "%srangeEnd: is before the range's start", at);
	return ret;
}

static bool overlaps(const struct cni_range *a, const struct cni_range *b)
{
	return ip_addr_is_v4(&a->first) == ip_addr_is_v4(&b->first) &&
	       cni_addr_compare(&a->first, &b->last) <= 0 &&
	       cni_addr_compare(&b->first, &a->last) <= 0;
}

static int add_range(const json_t *object, const char *at, struct cni_ranges *ranges, unsigned set,
	struct err *err)
{
	struct cni_range *range = &ranges->range[ranges->n];
	int ret;

	if (ranges->n == CNI_RANGES_MAX)
		return err_set(err, -EINVAL, "ranges: more than %d", CNI_RANGES_MAX);
	ret = read_range(object, at, range, err);
	if (ret < 0)
		return ret;
	range->set = set;
	for (const struct cni_range *other = ranges->range; other < range; other++) {
		if (overlaps(range, other))
			return err_set(err, -EINVAL, "%.*s: has addresses of another range",
				(int)strlen(at) - 1, at);
		if (other->set == set &&
			ip_addr_is_v4(&other->first) != ip_addr_is_v4(&range->first))
			return err_set(err, -EINVAL,
				"%.*s: is not of the family of the others in its set",
				(int)strlen(at) - 1, at);
	}
	ranges->n++;
	return 0;
}

static int read_set(const json_t *set, size_t i, struct cni_ranges *ranges, struct err *err)
{
	const json_t *range;
	char at[AT_MAX];
	size_t j;
	int ret = 0;

	if (json_array_size(set) == 0)
		return err_set(err, -EINVAL,
			"ranges[%zu]: must be an array of ranges ([{\"subnet\": ...}])", i);
	json_array_foreach (set, j, range) {
		snprintf(at, sizeof(at), "ranges[%zu][%zu].", i, j);
		ret = add_range(range, at, ranges, (unsigned)ranges->n_sets, err);
		if (ret < 0)
			return ret;
	}
	ranges->n_sets++;
	return 0;
}

int cni_ranges_read(const json_t *config, struct cni_ranges *ranges, struct err *err)
{
	const json_t *sets = json_object_get(config, "ranges");
	const json_t *set;
	size_t i;
	int ret = 0;

	*ranges = (struct cni_ranges) { 0 };
	if (has_range(config)) {
		ret = add_range(config, "", ranges, 0, err);
		ranges->n_sets = 1;
	}
	if (ret < 0 || sets == NULL || json_is_null(sets))
		return ret;
	if (!json_is_array(sets))
		return err_set(
			err, -EINVAL, "ranges: must be an array of sets ([[{\"subnet\": ...}]])");
	json_array_foreach (sets, i, set) {
		ret = read_set(set, i, ranges, err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

bool cni_range_has(const struct cni_range *range, const struct ip_addr *addr)
{
	return ip_addr_is_v4(&range->first) == ip_addr_is_v4(addr) &&
	       cni_addr_compare(addr, &range->first) >= 0 &&
	       cni_addr_compare(addr, &range->last) <= 0;
}

static bool is_gateway(const struct cni_ranges *ranges, const struct ip_addr *addr)
{
	for (size_t i = 0; i < ranges->n; i++)
		if (ip_addr_equal(&ranges->range[i].gateway, addr))
			return true;
	return false;
}

/* What is asked for in a search. */
struct search {
	const struct cni_ranges *ranges;
	cni_addr_taken_fn taken;
	const void *context;
};

/* Moves *addr, which is in the range, on to one that is free. */
static bool find_from(
	const struct search *search, const struct cni_range *range, struct ip_addr *addr)
{
	while (is_gateway(search->ranges, addr) || search->taken(addr, search->context)) {
		if (ip_addr_equal(addr, &range->last))
			return false;
		*addr = cni_addr_next(*addr);
	}
	return true;
}

/* From `after` on, in its range and those behind it. */
static const struct cni_range *find_after(const struct search *search, unsigned set,
	const struct ip_addr *after, struct ip_addr *addr)
{
	const struct cni_range *end = search->ranges->range + search->ranges->n;
	bool begun = false;

	for (const struct cni_range *range = search->ranges->range; range < end; range++) {
		if (range->set != set)
			continue;
		*addr = range->first;
		if (!begun) {
			begun = cni_range_has(range, after);
			if (!begun || ip_addr_equal(after, &range->last))
				continue;
			*addr = cni_addr_next(*after);
		}
		if (find_from(search, range, addr))
			return range;
	}
	return NULL;
}

const struct cni_range *cni_ranges_pick(const struct cni_ranges *ranges, unsigned set,
	const struct ip_addr *after, cni_addr_taken_fn taken, const void *context,
	struct ip_addr *addr)
{
	const struct search search = { ranges, taken, context };
	const struct cni_range *end = ranges->range + ranges->n;
	const struct cni_range *found = NULL;

	if (after != NULL)
		found = find_after(&search, set, after, addr);
	for (const struct cni_range *range = ranges->range; found == NULL && range < end; range++) {
		*addr = range->first;
		if (range->set == set && find_from(&search, range, addr))
			found = range;
	}
	return found;
}
