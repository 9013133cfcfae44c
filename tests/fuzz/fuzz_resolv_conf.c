/* SPDX-License-Identifier: BSD-3-Clause */

/* resolv.conf's decoder: whatever the bytes, words that can be written into another such file. */

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "launcher/pod/resolv_conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_words(char **words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		assert(words[i][0] != '\0');
		for (const char *c = words[i]; *c != '\0'; c++)
			assert(*c > 0x20 && *c < 0x7f);
	}
}

static void check_nameserver(const struct resolv_nameserver *ns)
{
	assert(memchr(ns->scope, '\0', sizeof(ns->scope)) != NULL);
	assert(ns->scope[0] == '\0' || !ip_addr_is_v4(&ns->addr));
	assert(!(resolv_nameserver_is_loopback(ns) && resolv_nameserver_is_link_local(ns)));
}

struct text {
	char *bytes;
	size_t len;
};

static void write_word(struct text *out, const char *before, const char *word)
{
	size_t n = strlen(before), m = strlen(word);

	memcpy(out->bytes + out->len, before, n);
	memcpy(out->bytes + out->len + n, word, m);
	out->len += n + m;
}

/* What it says, written out again; at most a few bytes a word more than what was read. */
static struct text written(const struct resolv_conf *conf, size_t size)
{
	struct text out = { malloc(size * 2 + 1024), 0 };

	if (out.bytes == NULL)
		abort();
	for (size_t i = 0; i < conf->n_nameservers; i++) {
		const struct resolv_nameserver *ns = &conf->nameservers[i];
		char addr[IP_ADDR_TEXT_MAX];

		write_word(&out, "nameserver ", ip_addr_format(&ns->addr, addr));
		write_word(&out, ns->scope[0] != '\0' ? "%" : "", ns->scope);
		write_word(&out, "\n", "");
	}
	for (size_t i = 0; i < conf->n_search; i++)
		write_word(&out, i == 0 ? "search " : " ", conf->search[i]);
	for (size_t i = 0; i < conf->n_options; i++)
		write_word(&out, i == 0 ? "\noptions " : " ", conf->options[i]);
	return out;
}

static void check_same_words(char **a, size_t n, char **b, size_t m)
{
	assert(n == m);
	for (size_t i = 0; i < n; i++)
		assert(strcmp(a[i], b[i]) == 0);
}

/* A guest that is given the same text must read the same. */
static void check_round_trip(const struct resolv_conf *conf, size_t size)
{
	struct text text = written(conf, size);
	struct resolv_conf again;

	if (resolv_conf_decode(&again, text.bytes, text.len) < 0)
		abort();
	assert(again.bad_line == 0 && again.n_nameservers == conf->n_nameservers);
	assert(memcmp(again.nameservers, conf->nameservers, sizeof(again.nameservers)) == 0);
	check_same_words(again.search, again.n_search, conf->search, conf->n_search);
	check_same_words(again.options, again.n_options, conf->options, conf->n_options);
	resolv_conf_free(&again);
	free(text.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct resolv_conf conf;

	if (resolv_conf_decode(&conf, (const char *)data, size) < 0)
		abort();
	assert(conf.n_nameservers <= RESOLV_CONF_NAMESERVERS);
	for (size_t i = 0; i < conf.n_nameservers; i++)
		check_nameserver(&conf.nameservers[i]);
	assert(conf.n_options <= RESOLV_CONF_OPTIONS_MAX);
	check_words(conf.search, conf.n_search);
	check_words(conf.options, conf.n_options);
	assert(conf.ndots <= 15 && conf.timeout_s <= 30 && conf.attempts <= 5);
	check_round_trip(&conf, size);
	resolv_conf_free(&conf);
	assert(conf.search == NULL && conf.options == NULL);
	return 0;
}
