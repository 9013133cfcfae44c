/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/pod/resolv_conf_text.h"

#include <stdio.h>

#include "lib/memstream.h"

bool resolv_conf_needs_relay(const struct resolv_conf *conf)
{
	for (size_t i = 0; i < conf->n_nameservers; i++)
		if (resolv_nameserver_is_loopback(&conf->nameservers[i]))
			return true;
	return conf->n_nameservers == 0;
}

static void write_nameserver(FILE *out, const struct resolv_nameserver *ns)
{
	char text[IP_ADDR_TEXT_MAX];

	fprintf(out, "nameserver %s%s%s\n", ip_addr_format(&ns->addr, text),
		ns->scope[0] != '\0' ? "%" : "", ns->scope);
}

/* The relay comes once, where the first of those stood that it stands for. */
static void write_nameservers(
	FILE *out, const struct resolv_conf *conf, const struct ip_addr *relay)
{
	bool relayed = false;
	char text[IP_ADDR_TEXT_MAX];

	for (size_t i = 0; i < conf->n_nameservers; i++) {
		const struct resolv_nameserver *ns = &conf->nameservers[i];

		if (!resolv_nameserver_is_loopback(ns)) {
			write_nameserver(out, ns);
		} else if (relay == NULL) {
			fprintf(out, "# %s is on the pod's loopback, out of reach from here\n",
				ip_addr_format(&ns->addr, text));
		} else if (!relayed) {
			fprintf(out, "nameserver %s\n", ip_addr_format(relay, text));
			relayed = true;
		}
	}
	if (conf->n_nameservers == 0 && relay != NULL)
		fprintf(out, "nameserver %s\n", ip_addr_format(relay, text));
	else if (conf->n_nameservers == 0)
		fputs("# the pod names no nameserver\n", out);
}

static void write_words(FILE *out, const char *keyword, char **words, size_t n)
{
	if (n == 0)
		return;
	fputs(keyword, out);
	for (size_t i = 0; i < n; i++)
		fprintf(out, " %s", words[i]);
	fputc('\n', out);
}

char *resolv_conf_text(const struct resolv_conf *conf, const struct ip_addr *relay)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (out == NULL)
		return NULL;
	write_words(out, "search", conf->search, conf->n_search);
	write_nameservers(out, conf, relay);
	write_words(out, "options", conf->options, conf->n_options);
	return memstream_text(out, &text);
}
