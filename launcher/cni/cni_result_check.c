/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/cni/cni_result_check.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "launcher/cni/cni_addr.h"

#define AT_MAX 80 /* "prevResult.interfaces[1000]" */

/* What is looked at while going through a result. */
struct place {
	const json_t *result;
	enum cni_version version;
	const char *at; /* of the item, or of the object that has the key */
};

typedef int (*check_fn)(const json_t *item, const struct place *place, struct err *err);

static bool is_addr(const char *text)
{
	struct ip_addr addr;

	return ip_addr_parse(text, &addr) == 0;
}

static bool is_cidr(const char *text)
{
	struct cni_cidr cidr;

	return cni_cidr_parse(text, &cidr) == 0;
}

static bool is_text(const char *text)
{
	return true;
}

static bool is_there(const json_t *value)
{
	return value != NULL && !json_is_null(value);
}

/* object[key] is text of that kind. */
static int check_text(const json_t *object, const char *key, const char *at,
	bool (*is_kind)(const char *text), struct err *err)
{
	const char *text = json_string_value(json_object_get(object, key));

	if (text == NULL || !is_kind(text))
		return err_set(err, -EINVAL, "%s.%s: must be %s", at, key,
			is_kind == is_text   ? "text"
			: is_kind == is_addr ? "an address"
					     : "ADDRESS/LENGTH");
	return 0;
}

/* As check_text(), but it need not be there. Empty is as good as that. */
static int check_option(const json_t *object, const char *key, const char *at,
	bool (*is_kind)(const char *text), struct err *err)
{
	const json_t *value = json_object_get(object, key);
	const char *text = json_string_value(value);

	if (!is_there(value) || (text != NULL && text[0] == '\0'))
		return 0;
	return check_text(object, key, at, is_kind, err);
}

/* object[key] need not be there; if it is, it is an array whose items pass. */
static int check_array(const json_t *object, const char *key, const struct place *place,
	check_fn check, struct err *err)
{
	const json_t *array = json_object_get(object, key);
	const json_t *item;
	size_t i;
	int ret = 0;

	if (is_there(array) && !json_is_array(array))
		return err_set(err, -EINVAL, "%s.%s: must be an array ([ ... ])", place->at, key);
	json_array_foreach (array, i, item) {
		char at[AT_MAX];
		struct place inner = *place;

		snprintf(at, sizeof(at), "%s.%s[%zu]", place->at, key, i);
		inner.at = at;
		ret = check(item, &inner, err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static int check_object(const json_t *item, const char *at, struct err *err)
{
	return json_is_object(item) ? 0
				    : err_set(err, -EINVAL, "%s: must be an object ({ ... })", at);
}

static int check_interface(const json_t *item, const struct place *place, struct err *err)
{
	static const char *const options[] = { "mac", "sandbox", "socketPath" };
	int ret = check_object(item, place->at, err);

	if (ret == 0)
		ret = check_text(item, "name", place->at, is_text, err);
	for (size_t i = 0; ret == 0 && i < sizeof(options) / sizeof(options[0]); i++)
		ret = check_option(item, options[i], place->at, is_text, err);
	return ret;
}

/* Which of the interfaces has the address. */
static int check_index(const json_t *ip, const struct place *place, struct err *err)
{
	const json_t *value = json_object_get(ip, "interface");
	size_t n = json_array_size(json_object_get(place->result, "interfaces"));

	if (!is_there(value))
		return 0;
	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
		(size_t)json_integer_value(value) >= n)
		return err_set(err, -EINVAL, "%s.interface: must be the number of an interface",
			place->at);
	return 0;
}

/* Of an address that was checked; later versions have no such field. */
static int check_family(const json_t *ip, const struct place *place, struct err *err)
{
	const char *version = json_string_value(json_object_get(ip, "version"));
	const char *address = json_string_value(json_object_get(ip, "address"));
	const char *family = strchr(address, ':') != NULL ? "6" : "4";

	if (place->version >= CNI_1_0_0)
		return 0;
	if (version == NULL || strcmp(version, family) != 0)
		return err_set(err, -EINVAL, "%s.version: must be \"%s\"", place->at, family);
	return 0;
}

static int check_ip(const json_t *item, const struct place *place, struct err *err)
{
	int ret = check_object(item, place->at, err);

	if (ret == 0)
		ret = check_text(item, "address", place->at, is_cidr, err);
	if (ret == 0)
		ret = check_option(item, "gateway", place->at, is_addr, err);
	if (ret == 0)
		ret = check_family(item, place, err);
	return ret < 0 ? ret : check_index(item, place, err);
}

static int check_route(const json_t *item, const struct place *place, struct err *err)
{
	int ret = check_object(item, place->at, err);

	if (ret == 0)
		ret = check_text(item, "dst", place->at, is_cidr, err);
	return ret < 0 ? ret : check_option(item, "gw", place->at, is_addr, err);
}

static int check_word(const json_t *item, const struct place *place, struct err *err)
{
	return json_is_string(item) ? 0 : err_set(err, -EINVAL, "%s: must be text", place->at);
}

int cni_result_check_dns(const json_t *dns, const char *at, struct err *err)
{
	static const char *const lists[] = { "nameservers", "search", "options" };
	const struct place place = { .at = at };
	int ret;

	if (!is_there(dns))
		return 0;
	ret = check_object(dns, at, err);
	if (ret == 0)
		ret = check_option(dns, "domain", at, is_text, err);
	for (size_t i = 0; ret == 0 && i < sizeof(lists) / sizeof(lists[0]); i++)
		ret = check_array(dns, lists[i], &place, check_word, err);
	return ret;
}

static int check_version(
	const json_t *result, enum cni_version version, const char *at, struct err *err)
{
	const json_t *value = json_object_get(result, "cniVersion");
	const char *text = json_string_value(value);
	enum cni_version own;

	if (value == NULL)
		return 0;
	if (text == NULL)
		return err_set(err, -EINVAL, "%s.cniVersion: must be text", at);
	if (cni_version_parse(text, &own) < 0 || own != version)
		return err_set(err, -EPROTONOSUPPORT,
			"%s.cniVersion: is \"%.40s\", the configuration's is \"%s\"", at, text,
			cni_version_text(version));
	return 0;
}

int cni_result_check(
	const json_t *result, enum cni_version version, const char *at, struct err *err)
{
	const struct place place = { result, version, at };
	char dns_at[AT_MAX];
	int ret = check_version(result, version, at, err);

	snprintf(dns_at, sizeof(dns_at), "%s.dns", at);
	if (ret == 0)
		ret = check_array(result, "interfaces", &place, check_interface, err);
	if (ret == 0)
		ret = check_array(result, "ips", &place, check_ip, err);
	if (ret == 0)
		ret = check_array(result, "routes", &place, check_route, err);
	return ret < 0 ? ret : cni_result_check_dns(json_object_get(result, "dns"), dns_at, err);
}
