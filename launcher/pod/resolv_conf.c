/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/pod/resolv_conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define BLANKS " \t"

/* A piece of the text, not terminated. */
struct span {
	const char *at;
	size_t len;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Takes the next word off the front of *rest; false if there is none. */
static bool next_word(struct span *rest, struct span *word)
{
	size_t n = 0;

	while (rest->len > 0 && is_blank(*rest->at)) {
		rest->at++;
		rest->len--;
	}
	while (n < rest->len && !is_blank(rest->at[n]))
		n++;
	*word = (struct span) { rest->at, n };
	rest->at += n;
	rest->len -= n;
	return n > 0;
}

static bool span_is(const struct span *s, const char *text)
{
	return s->len == strlen(text) && memcmp(s->at, text, s->len) == 0;
}

static bool is_printable(const struct span *s)
{
	for (size_t i = 0; i < s->len; i++)
		if (s->at[i] < 0x20 || s->at[i] > 0x7e)
			if (s->at[i] != '\t')
				return false;
	return true;
}

static void free_words(char ***words, size_t *n)
{
	for (size_t i = 0; i < *n; i++)
		free((*words)[i]);
	free(*words);
	*words = NULL;
	*n = 0;
}

static int add_word(char ***words, size_t *n, const struct span *word)
{
	char *copy = strndup(word->at, word->len);
	char **grown = realloc(*words, (*n + 1) * sizeof(**words));

	if (grown != NULL)
		*words = grown;
	if (grown == NULL || copy == NULL) {
		free(copy);
		return -ENOMEM;
	}
	grown[(*n)++] = copy;
	return 0;
}

/* -EINVAL: no address. glibc lets a comment follow the address, and ignores what else does. */
static int parse_nameserver(struct resolv_conf *conf, struct span rest)
{
	struct resolv_nameserver ns = { .scope = "" };
	char text[IP_ADDR_TEXT_MAX + IFNAMSIZ];
	struct span word;
	char *scope;

	if (!next_word(&rest, &word) || word.len >= sizeof(text))
		return -EINVAL;
	memcpy(text, word.at, word.len);
	text[word.len] = '\0';
	text[strcspn(text, ";#")] = '\0';
	scope = strchr(text, '%');
	if (scope != NULL) {
		*scope++ = '\0';
		if (scope[0] == '\0' || strlen(scope) >= sizeof(ns.scope))
			return -EINVAL;
		memcpy(ns.scope, scope, strlen(scope) + 1);
	}
	if (ip_addr_parse(text, &ns.addr) < 0 || (scope != NULL && ip_addr_is_v4(&ns.addr)))
		return -EINVAL;
	if (conf->n_nameservers < RESOLV_CONF_NAMESERVERS)
		conf->nameservers[conf->n_nameservers++] = ns;
	return 0;
}

/* A line without a name leaves things as they are. */
static int parse_search(struct resolv_conf *conf, struct span rest, size_t max)
{
	struct span word;
	int ret = 0;

	if (!next_word(&rest, &word))
		return 0;
	free_words(&conf->search, &conf->n_search);
	do {
		ret = add_word(&conf->search, &conf->n_search, &word);
	} while (ret == 0 && conf->n_search < max && next_word(&rest, &word));
	return ret;
}

/* "ndots:5" of the name "ndots:" sets *value to 5, or to `max` if that is less. */
static bool take_number(const struct span *option, const char *name, unsigned max, unsigned *value)
{
	size_t i = strlen(name);
	unsigned n = 0;

	if (option->len <= i || memcmp(option->at, name, i) != 0)
		return false;
	for (; i < option->len; i++) {
		if (option->at[i] < '0' || option->at[i] > '9')
			return false;
		n = n * 10 + (unsigned)(option->at[i] - '0');
		if (n > max)
			n = max;
	}
	*value = n;
	return true;
}

/* Up to the colon: what makes two options the same. */
static size_t name_len(const char *option, size_t len)
{
	const char *colon = memchr(option, ':', len);

	return colon != NULL ? (size_t)(colon - option) : len;
}

static void forget_option(struct resolv_conf *conf, const struct span *option)
{
	size_t len = name_len(option->at, option->len);

	for (size_t i = 0; i < conf->n_options; i++) {
		char *old = conf->options[i];

		if (name_len(old, strlen(old)) != len || memcmp(old, option->at, len) != 0)
			continue;
		free(old);
		conf->n_options--;
		memmove(conf->options + i, conf->options + i + 1,
			(conf->n_options - i) * sizeof(*conf->options));
		return;
	}
}

static int parse_options(struct resolv_conf *conf, struct span rest)
{
	struct span word;
	int ret = 0;

	while (ret == 0 && next_word(&rest, &word)) {
		if (!take_number(&word, "ndots:", 15, &conf->ndots) &&
			!take_number(&word, "timeout:", 30, &conf->timeout_s))
			(void)take_number(&word, "attempts:", 5, &conf->attempts);
		forget_option(conf, &word);
		if (conf->n_options == RESOLV_CONF_OPTIONS_MAX)
			return -EINVAL;
		ret = add_word(&conf->options, &conf->n_options, &word);
	}
	return ret;
}

/* -EINVAL: malformed. */
static int parse_line(struct resolv_conf *conf, struct span line)
{
	struct span word, rest = line;

	if (line.len == 0 || is_blank(*line.at) || *line.at == ';' || *line.at == '#')
		return 0;
	if (!is_printable(&line))
		return -EINVAL;
	(void)next_word(&rest, &word);
	if (span_is(&word, "nameserver"))
		return parse_nameserver(conf, rest);
	if (span_is(&word, "domain"))
		return parse_search(conf, rest, 1);
	if (span_is(&word, "search"))
		return parse_search(conf, rest, RESOLV_CONF_SIZE_MAX);
	if (span_is(&word, "options"))
		return parse_options(conf, rest);
	return 0;
}

int resolv_conf_decode(struct resolv_conf *conf, const char *text, size_t size)
{
	unsigned n_lines = 0;

	*conf = (struct resolv_conf) { .ndots = 1, .timeout_s = 5, .attempts = 2 };
	while (size > 0) {
		const char *end = memchr(text, '\n', size);
		size_t len = end != NULL ? (size_t)(end - text) : size;
		int ret = parse_line(conf, (struct span) { text, len });

		n_lines++;
		if (ret == -ENOMEM) {
			resolv_conf_free(conf);
			return ret;
		}
		if (ret < 0 && conf->bad_line == 0)
			conf->bad_line = n_lines;
		len += end != NULL;
		text += len;
		size -= len;
	}
	return 0;
}

/* The whole of a file, at most `size` bytes: how many. */
static ssize_t read_all(int fd, char *text, size_t size)
{
	size_t len = 0;

	while (len < size) {
		ssize_t n = read(fd, text + len, size - len);

		if (n == 0)
			break;
		if (n < 0 && errno != EINTR)
			return -errno;
		len += n > 0 ? (size_t)n : 0;
	}
	return (ssize_t)len;
}

int resolv_conf_read(struct resolv_conf *conf, const char *path, struct err *err)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	cleanup_free char *text = malloc(RESOLV_CONF_SIZE_MAX + 1);
	ssize_t len;
	int ret;

	*conf = (struct resolv_conf) { .n_search = 0 };
	if (text == NULL)
		return err_errno(err, ENOMEM, "cannot read %s", path);
	if (fd < 0 && errno != ENOENT)
		return err_errno(err, errno, "cannot read %s", path);
	len = fd < 0 ? 0 : read_all(fd, text, RESOLV_CONF_SIZE_MAX + 1);
	if (len < 0)
		return err_errno(err, (int)-len, "cannot read %s", path);
	if (len > RESOLV_CONF_SIZE_MAX)
		return err_set(err, -EFBIG, "cannot read %s: it has more than %d bytes", path,
			RESOLV_CONF_SIZE_MAX);
	ret = resolv_conf_decode(conf, text, (size_t)len);
	return ret < 0 ? err_errno(err, -ret, "cannot read %s", path) : 0;
}

void resolv_conf_free(struct resolv_conf *conf)
{
	free_words(&conf->search, &conf->n_search);
	free_words(&conf->options, &conf->n_options);
	*conf = (struct resolv_conf) { .n_search = 0 };
}

bool resolv_nameserver_is_loopback(const struct resolv_nameserver *ns)
{
	return ip_addr_is_loopback(&ns->addr);
}

bool resolv_nameserver_is_link_local(const struct resolv_nameserver *ns)
{
	const uint8_t *b = ns->addr.byte;

	return ip_addr_is_v4(&ns->addr) ? b[12] == 169 && b[13] == 254
					: ip_addr_is_link_local(&ns->addr);
}
