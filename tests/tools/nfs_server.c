/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * An NFS server as sluice-vm starts it, on its own:
 *
 *      nfs_server RUN_DIR ADDRESS PORT CLIENT EXPORT...
 *
 * An export that ends in ":ro" is read-only; "shared:" before one is the administrator's word that
 * all of its file system may be reached. Says "ready" when it takes connections, and runs until
 * SIGTERM, or until the server has ended for good: "ended HOW".
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "launcher/storage/nfs.h"

#define EXPORTS_MAX 16

static struct event_base *loop;

static void on_ready(void *owner)
{
	puts("ready");
}

static void on_ended(void *owner, const char *how)
{
	printf("ended %s\n", how);
	event_base_loopbreak(loop);
}

static void on_signal(evutil_socket_t signo, short what, void *arg)
{
	event_base_loopbreak(loop);
}

static struct nfs_export export_of(char *word, bool *shared)
{
	char *end = strstr(word, ":ro");
	bool readonly = end != NULL && end[3] == '\0';

	if (readonly)
		*end = '\0';
	if (strncmp(word, "shared:", 7) == 0) {
		*shared = true;
		word += 7;
	}
	return (struct nfs_export) { .path = word, .readonly = readonly };
}

int main(int argc, char **argv)
{
	struct nfs_export exports[EXPORTS_MAX];
	struct nfs_plan plan = {
		.log = 2, .ready = on_ready, .ended = on_ended, .exports = exports
	};
	struct err err = { "" };
	struct nfs *nfs = NULL;
	struct event *term;
	int ret;

	if (argc < 6) {
		fputs("usage: nfs_server RUN_DIR ADDRESS PORT CLIENT EXPORT...\n", stderr);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	plan.run_dir = argv[1];
	plan.address = argv[2];
	plan.port = (uint16_t)atoi(argv[3]);
	plan.client = argv[4];
	for (int i = 5; i < argc && plan.n_exports < EXPORTS_MAX; i++)
		exports[plan.n_exports++] = export_of(argv[i], &plan.allow_shared);
	loop = event_base_new();
	term = evsignal_new(loop, SIGTERM, on_signal, NULL);
	event_add(term, NULL);
	ret = nfs_start(loop, &plan, &nfs, &err);
	if (ret < 0)
		printf("failed %s\n", err.text);
	else
		event_base_dispatch(loop);
	nfs_stop(nfs);
	event_free(term);
	event_base_free(loop);
	return ret < 0;
}
