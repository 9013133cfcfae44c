/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/cni/cni_result.h"

#include <errno.h>
#include <string.h>

static bool names_socket(const struct cni_config *config)
{
	return config->socket_dir != NULL && config->version >= CNI_1_1_0;
}

json_t *cni_result_interface(const json_t *result, const struct cni_attachment *who)
{
	json_t *interface;
	size_t i;

	json_array_foreach (json_object_get(result, "interfaces"), i, interface) {
		const char *name = json_string_value(json_object_get(interface, "name"));
		const char *sandbox = json_string_value(json_object_get(interface, "sandbox"));

		if (name != NULL && strcmp(name, who->ifname) == 0 && sandbox != NULL &&
			sandbox[0] != '\0')
			return interface;
	}
	return NULL;
}

static int add_socket(const struct cni_config *config, const struct cni_attachment *who,
	json_t *result, struct err *err)
{
	json_t *interface = cni_result_interface(result, who);
	char path[CNI_SOCKET_PATH_MAX];
	int ret;

	if (interface == NULL)
		return err_set(err, -EINVAL,
			"prevResult.interfaces: has no \"%s\" in a sandbox whose socket socketDir "
			"could say",
			who->ifname);
	ret = cni_attachment_socket(who, config->socket_dir, path, err);
	if (ret == 0 && json_object_set_new(interface, "socketPath", json_string(path)) < 0)
		return err_errno(err, ENOMEM, "cannot say where the socket is");
	return ret;
}

static json_t *make_interfaces(const struct cni_attachment *who)
{
	struct mac mac = cni_attachment_mac(who);
	char text[MAC_TEXT_MAX];

	return json_pack("[{s:s, s:s, s:s}]", "name", who->ifname, "mac", mac_format(&mac, text),
		"sandbox", who->netns);
}

static json_t *make_ip(const struct cni_given *given, enum cni_version version)
{
	const struct cni_cidr cidr = { given->addr, given->range->subnet.len };
	const char *family = ip_addr_is_v4(&given->addr) ? "4" : "6";
	char address[CNI_CIDR_TEXT_MAX], gateway[IP_ADDR_TEXT_MAX];

	return json_pack("{s:s*, s:s, s:s, s:i}", "version", version < CNI_1_0_0 ? family : NULL,
		"address", cni_cidr_format(&cidr, address), "gateway",
		ip_addr_format(&given->range->gateway, gateway), "interface", 0);
}

static json_t *make_ips(const struct cni_given *given, size_t n, enum cni_version version)
{
	json_t *ips = json_array();

	for (size_t i = 0; i < n; i++) {
		if (json_array_append_new(ips, make_ip(&given[i], version)) < 0) {
			json_decref(ips);
			return NULL;
		}
	}
	return ips;
}

int cni_result_make(const struct cni_config *config, const struct cni_attachment *who,
	const struct cni_given *given, size_t n, json_t **result, struct err *err)
{
	json_t *made = json_pack("{s:s, s:o, s:o, s:O*}", "cniVersion",
		cni_version_text(config->version), "interfaces", make_interfaces(who), "ips",
		make_ips(given, n, config->version), "dns", config->dns);
	int ret = 0;

	if (made == NULL)
		return err_errno(err, ENOMEM, "cannot make the result");
	if (names_socket(config))
		ret = add_socket(config, who, made, err);
	if (ret == 0)
		*result = json_incref(made);
	json_decref(made);
	return ret;
}

int cni_result_pass_on(const struct cni_config *config, const struct cni_attachment *who,
	json_t **result, struct err *err)
{
	json_t *copy = json_deep_copy(config->prev_result);
	int ret = 0;

	if (copy == NULL)
		return err_errno(err, ENOMEM, "cannot copy prevResult");
	if (json_object_get(copy, "cniVersion") == NULL)
		json_object_set_new(
			copy, "cniVersion", json_string(cni_version_text(config->version)));
	if (names_socket(config))
		ret = add_socket(config, who, copy, err);
	if (ret == 0)
		*result = json_incref(copy);
	json_decref(copy);
	return ret;
}

bool cni_result_has_socket(
	const json_t *result, const struct cni_config *config, const struct cni_attachment *who)
{
	const json_t *interface = cni_result_interface(result, who);
	const char *said = json_string_value(json_object_get(interface, "socketPath"));
	char path[CNI_SOCKET_PATH_MAX];

	if (!names_socket(config))
		return true;
	return said != NULL && cni_attachment_socket(who, config->socket_dir, path, NULL) == 0 &&
	       strcmp(said, path) == 0;
}

bool cni_result_has_addr(const json_t *result, const struct ip_addr *addr)
{
	const json_t *ip;
	size_t i;

	json_array_foreach (json_object_get(result, "ips"), i, ip) {
		const char *text = json_string_value(json_object_get(ip, "address"));
		struct cni_cidr cidr;

		if (text != NULL && cni_cidr_parse(text, &cidr) == 0 &&
			ip_addr_equal(&cidr.addr, addr))
			return true;
	}
	return false;
}
