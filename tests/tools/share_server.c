/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Serves a virtio-fs device as sluice-vm does, without the rest of it:
 *
 *      share_server SOCKET RUN_DIR TAG RELAY CACHE ROOTFS [VOLUME]...
 *
 * RELAY is the program sluice-fs-relay, or "-" for a VMM that knows the tag itself; CACHE a number
 * of enum virtiofsd_cache; a path that ends in ":ro" is shared read-only, one that begins with
 * "ready:" is exported as it is. Says "ready ROOT" when the VMM can connect, ROOT being where the
 * root is in the share, and runs until it gets SIGTERM, or something ends: "ended WHAT".
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "launcher/storage/virtiofs.h"

#define VOLUMES_MAX 16

static struct event_base *loop;

static void on_ended(void *owner, const char *what)
{
	printf("ended %s\n", what);
	event_base_loopbreak(loop);
}

static void on_signal(evutil_socket_t signo, short what, void *arg)
{
	event_base_loopbreak(loop);
}

static struct share_item item_of(char *word)
{
	char *end = strstr(word, ":ro");
	bool readonly = end != NULL && end[3] == '\0';

	if (readonly)
		*end = '\0';
	return (struct share_item) { .path = word, .readonly = readonly };
}

static int open_shares(
	char **words, int n_words, const char *run_dir, struct share **share, struct err *err)
{
	struct share_item volumes[VOLUMES_MAX];
	struct share_plan plan = { .run_dir = run_dir, .volumes = volumes };

	if (strncmp(words[0], "ready:", 6) == 0)
		plan.ready = words[0] + 6;
	else
		plan.root = item_of(words[0]);
	for (int i = 1; i < n_words && i <= VOLUMES_MAX; i++)
		volumes[plan.n_volumes++] = item_of(words[i]);
	return share_open(&plan, share, err);
}

static int serve(char **argv, const struct share *share, struct err *err)
{
	const struct virtiofs_plan plan = {
		.socket = argv[1],
		.tag = argv[3],
		.relay = strcmp(argv[4], "-") != 0,
		.relay_program = argv[4],
		.share = share,
		.cache = (enum virtiofsd_cache)atoi(argv[5]),
		.log = 2,
		.ended = on_ended,
	};
	struct virtiofs *fs;
	int ret = virtiofs_start(loop, &plan, &fs, err);

	if (ret < 0)
		return ret;
	printf("ready %s\n", share_root(share));
	event_base_dispatch(loop);
	virtiofs_stop(fs);
	return 0;
}

int main(int argc, char **argv)
{
	struct share *share = NULL;
	struct err err = { "" };
	struct event *term;
	int ret;

	if (argc < 7) {
		fputs("usage: share_server SOCKET RUN_DIR TAG RELAY CACHE ROOTFS [VOLUME]...\n",
			stderr);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	loop = event_base_new();
	term = evsignal_new(loop, SIGTERM, on_signal, NULL);
	event_add(term, NULL);
	ret = open_shares(argv + 6, argc - 6, argv[2], &share, &err);
	if (ret == 0)
		ret = serve(argv, share, &err);
	if (ret < 0)
		printf("failed %s\n", err.text);
	share_close(share);
	event_free(term);
	event_base_free(loop);
	return ret < 0;
}
