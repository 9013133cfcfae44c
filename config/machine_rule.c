/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/machine_route.h"

#include <errno.h>
#include <string.h>

#include <linux/fib_rules.h>

#include "config/machine_prefix.h"
#include "config/net_words.h"
#include "config/settings.h"

#define ANY "all"

/* As it is written. */
struct rule_entry {
	struct machine_rule rule;
	char src[IP_ADDR_TEXT_MAX], dst[IP_ADDR_TEXT_MAX];
	uint32_t suppress_prefix_len;
};

#define FIELD(member) SETTING_FIELD(struct rule_entry, member)
#define PORT(key, member)                                                                          \
	{                                                                                          \
		key, SETTING_U32, FIELD(rule.member), .max = UINT16_MAX, .help = "a port"          \
	}

static const struct setting rows[] = {
	{ "family", SETTING_ENUM, FIELD(rule.family), .words = machine_families, .required = true,
		.help = "of packets" },
	{ "priority", SETTING_U32, FIELD(rule.priority), .max = UINT32_MAX, .required = true,
		.help = "the least is first" },
	{ "not", SETTING_BOOL, FIELD(rule.invert), .help = "for what does not match" },
	{ "src", SETTING_STRING, FIELD(src), .preset = ANY, .help = "sources: all or ADDRESS" },
	{ "srclen", SETTING_U32, FIELD(rule.src.len), .min = 1, .max = 128,
		.help = "that many bits of it" },
	{ "dst", SETTING_STRING, FIELD(dst), .help = "destinations: all or ADDRESS" },
	{ "dstlen", SETTING_U32, FIELD(rule.dst.len), .min = 1, .max = 128,
		.help = "that many bits of it" },
	{ "iif", SETTING_STRING, FIELD(rule.iif), .help = "the interface it came in by" },
	{ "oif", SETTING_STRING, FIELD(rule.oif), .help = "the interface its socket is bound to" },
	{ "fwmark", SETTING_U32, FIELD(rule.fwmark), .max = UINT32_MAX, .help = "its mark" },
	{ "fwmask", SETTING_U32, FIELD(rule.fwmask), .max = UINT32_MAX, .help = "bits of fwmark" },
	{ "tos", SETTING_U32, FIELD(rule.tos), .max = UINT8_MAX, .help = "type of service" },
	{ "ipproto", SETTING_U32, FIELD(rule.ipproto), .max = UINT8_MAX, .help = "its protocol" },
	PORT("sport_start", sport.first),
	PORT("sport_end", sport.last),
	PORT("dport_start", dport.first),
	PORT("dport_end", dport.last),
	{ "uid_start", SETTING_U32, FIELD(rule.uid_first), .max = UINT32_MAX,
		.help = "the user of its socket, from" },
	{ "uid_end", SETTING_U32, FIELD(rule.uid_last), .max = UINT32_MAX, .help = "up to" },
	{ "action", SETTING_U32, FIELD(rule.action), .max = UINT8_MAX, .words = net_actions,
		.required = true, .help = "what to do" },
	{ "table", SETTING_U32, FIELD(rule.table), .max = UINT32_MAX, .help = "to look up" },
	{ "goto", SETTING_U32, FIELD(rule.target), .max = UINT32_MAX,
		.help = "the rule to go on with" },
	{ "suppress_prefixlen", SETTING_U32, FIELD(suppress_prefix_len), .max = 128,
		.help = "routes so long, or shorter, do not count" },
	{ "protocol", SETTING_U32, FIELD(rule.protocol), .max = UINT8_MAX, .words = net_protocols,
		.preset = "boot", .help = "who made it" },
};

#undef PORT
#undef FIELD

static const struct settings table = SETTINGS(rows, NULL);

static bool has(const json_t *object, const char *key)
{
	return json_object_get(object, key) != NULL;
}

/* An address alone is a host. */
static int decode_side(const char *text, const char *at, const char *key, int family,
	struct machine_prefix *prefix, struct err *err)
{
	bool any = text[0] == '\0' || strcmp(text, ANY) == 0;

	if (any && prefix->len != 0)
		return err_set(err, -EINVAL, "%s%slen: %u bits of what?", at, key, prefix->len);
	if (any)
		return 0;
	if (ip_addr_parse(text, &prefix->addr) < 0 || machine_family_of(&prefix->addr) != family)
		return err_set(err, -EINVAL,
			"%s%s: \"%s\" is not allowed (must be \"all\" or an %s address)", at, key,
			text, family == AF_INET ? "IPv4" : "IPv6");
	if (prefix->len > machine_prefix_len_max(family))
		return err_set(err, -ERANGE, "%s%slen: %u is out of range (1 to %u)", at, key,
			prefix->len, machine_prefix_len_max(family));
	if (prefix->len == 0)
		prefix->len = machine_prefix_len_max(family);
	return 0;
}

static int check_range(
	uint32_t first, uint32_t last, const char *at, const char *key, struct err *err)
{
	if (first <= last)
		return 0;
	return err_set(err, -EINVAL, "%s%s: %u is before the start, %u", at, key, last, first);
}

static int check_rule(const struct machine_rule *rule, const char *at, struct err *err)
{
	int ret = check_range(rule->sport.first, rule->sport.last, at, "sport_end", err);

	if (ret == 0)
		ret = check_range(rule->dport.first, rule->dport.last, at, "dport_end", err);
	if (ret == 0)
		ret = check_range(rule->uid_first, rule->uid_last, at, "uid_end", err);
	if (ret == 0 && rule->action == FR_ACT_GOTO && rule->target <= rule->priority)
		ret = err_set(err, -EINVAL, "%sgoto: %u is not behind this rule, %u", at,
			rule->target, rule->priority);
	if (ret == 0 && rule->action == FR_ACT_TO_TBL && rule->table == 0)
		ret = err_set(err, -EINVAL, "%stable: missing (must be a number from 1)", at);
	return ret;
}

static int decode_rule(const json_t *object, const char *at, void *item, struct err *err)
{
	struct rule_entry entry = { .dst = "" };
	struct machine_rule *rule = item;
	int ret;

	settings_apply_defaults(&table, 0, &entry);
	ret = settings_from_json(&table, object, at, 0, "", &entry, NULL, err);
	if (ret < 0)
		return ret;
	*rule = entry.rule;
	rule->has_uids = has(object, "uid_start") || has(object, "uid_end");
	rule->suppress_prefix_len =
		has(object, "suppress_prefixlen") ? (int)entry.suppress_prefix_len : -1;
	ret = decode_side(entry.src, at, "src", rule->family, &rule->src, err);
	if (ret == 0)
		ret = decode_side(entry.dst, at, "dst", rule->family, &rule->dst, err);
	return ret < 0 ? ret : check_rule(rule, at, err);
}

static bool put(json_t *object, const char *key, uint32_t value)
{
	return json_object_set_new(object, key, json_integer(value)) == 0;
}

static json_t *encode_rule(const void *item)
{
	const struct machine_rule *rule = item;
	struct rule_entry entry = { .rule = *rule, .src = ANY };
	json_t *object;
	bool ok = true;

	if (rule->src.len != 0)
		ip_addr_format(&rule->src.addr, entry.src);
	if (rule->dst.len != 0)
		ip_addr_format(&rule->dst.addr, entry.dst);
	object = settings_to_json(&table, 0, &entry);
	if (rule->has_uids)
		ok = put(object, "uid_start", rule->uid_first) &&
		     put(object, "uid_end", rule->uid_last);
	if (ok && rule->suppress_prefix_len >= 0)
		ok = put(object, "suppress_prefixlen", (uint32_t)rule->suppress_prefix_len);
	if (ok)
		return object;
	json_decref(object);
	return NULL;
}

const struct json_items machine_rules = { "rules", MACHINE_NET_ITEMS_MAX,
	sizeof(struct machine_rule), decode_rule, encode_rule };
