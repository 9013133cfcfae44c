/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/pod/guard_show.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <nftables/libnftables.h>

#include "launcher/pod/guard_holder.h"
#include "launcher/pod/guard_rules.h"
#include "launcher/pod/nft.h"

/* What a command says, in a context that the caller frees: it holds the text. */
static int list(const char *command, unsigned flags, struct nft_ctx **ctx, const char **said,
	struct err *err)
{
	int ret = nft_open(ctx, err);

	if (ret < 0)
		return ret;
	nft_ctx_output_set_flags(*ctx, flags);
	ret = nft_run(*ctx, command, err);
	if (ret < 0) {
		nft_ctx_free(*ctx);
		return ret;
	}
	*said = nft_ctx_get_output_buffer(*ctx);
	return 0;
}

static int format_text(const struct guard_holder *holder, const char *said, char **text)
{
	char who[GUARD_HOLDER_TEXT_MAX];

	return asprintf(text, "held by %s\n%s", guard_holder_format(holder, who), said);
}

int guard_show_text(char **text, struct err *err)
{
	struct guard_holder holder;
	struct nft_ctx *ctx;
	const char *said;
	int ret = guard_find_holder(&holder, err);

	if (ret < 0)
		return ret;
	if (!holder.exists) {
		*text = strdup("no guard\n");
		return *text != NULL ? 0 : err_set(err, -ENOMEM, "out of memory");
	}
	ret = list("list table netdev " GUARD_TABLE, 0, &ctx, &said, err);
	if (ret < 0)
		return ret;
	ret = format_text(&holder, said, text);
	nft_ctx_free(ctx);
	return ret >= 0 ? 0 : err_set(err, -ENOMEM, "out of memory");
}

/* --- JSON ------------------------------------------------------------------------------------ */

static json_t *holder_json(const struct guard_holder *holder)
{
	if (!holder->owned)
		return json_null();
	if (holder->pid == 0)
		return json_pack("{s:I}", "netlink-port", (json_int_t)holder->port);
	return json_pack("{s:I, s:i, s:s}", "netlink-port", (json_int_t)holder->port, "pid",
		(int)holder->pid, "program", holder->program);
}

/*
 * Adds the objects of a listing to `all`. Never of the table itself: libnftables before 1.0.9 uses
 * a table's flags after it has freed them (table_flags_json()).
 */
static int add_listing(json_t *all, const char *command, struct err *err)
{
	struct nft_ctx *ctx;
	const char *said;
	json_t *root, *entry;
	size_t i;
	int ret = list(command, NFT_CTX_OUTPUT_JSON, &ctx, &said, err);

	if (ret < 0)
		return ret;
	root = json_loads(said, 0, NULL);
	nft_ctx_free(ctx);
	if (root == NULL)
		return err_set(err, -EIO, "cannot make sense of what libnftables lists");
	json_array_foreach (json_object_get(root, "nftables"), i, entry)
		if (json_object_get(entry, "metainfo") == NULL)
			json_array_append(all, entry);
	json_decref(root);
	return 0;
}

static json_t *counters_json(const json_t *listed)
{
	json_t *counters = json_object();
	const json_t *entry;
	size_t i;

	json_array_foreach (listed, i, entry) {
		const json_t *counter = json_object_get(entry, "counter");
		const char *name = json_string_value(json_object_get(counter, "name"));

		if (name != NULL)
			json_object_set_new(counters, name,
				json_pack("{s:O, s:O}", "packets",
					json_object_get(counter, "packets"), "bytes",
					json_object_get(counter, "bytes")));
	}
	return counters;
}

/* Which chains there are is told by the counters: see guard_rules.c. */
static int add_chains(json_t *chains, const json_t *counters, struct err *err)
{
	int ret = add_listing(chains, "list chain netdev " GUARD_TABLE " uplink", err);

	if (ret == 0 && json_object_get(counters, "host_stray") != NULL) {
		ret = add_listing(chains, "list chain netdev " GUARD_TABLE " host_port", err);
		if (ret == 0)
			ret = add_listing(
				chains, "list chain netdev " GUARD_TABLE " host_far_end", err);
	}
	if (ret == 0 && json_object_get(counters, "guest_tap") != NULL)
		ret = add_listing(chains, "list chain netdev " GUARD_TABLE " guest_tap", err);
	return ret;
}

static int show_table(const struct guard_holder *holder, json_t **shown, struct err *err)
{
	json_t *listed = json_array(), *chains = json_array(), *counters = NULL;
	int ret = add_listing(listed, "list counters table netdev " GUARD_TABLE, err);

	if (ret == 0) {
		counters = counters_json(listed);
		ret = add_chains(chains, counters, err);
	}
	if (ret == 0)
		*shown = json_pack("{s:o, s:O, s:O}", "holder", holder_json(holder), "counters",
			counters, "nftables", chains);
	json_decref(counters);
	json_decref(chains);
	json_decref(listed);
	return ret;
}

int guard_show_json(json_t **shown, struct err *err)
{
	struct guard_holder holder;
	int ret = guard_find_holder(&holder, err);

	if (ret < 0)
		return ret;
	*shown = NULL;
	if (!holder.exists)
		*shown = json_null();
	else
		ret = show_table(&holder, shown, err);
	if (ret == 0 && *shown == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	return ret;
}
