/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/pod/guard.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include <nftables/libnftables.h>

#include "launcher/pod/nft.h"
#include "lib/cleanup.h"

struct guard {
	struct nft_ctx *nft; /* its socket owns the table */
	enum guard_mode mode;
	bool host_port;
	bool owned;
};

static int run_text(struct guard *guard, const char *text, struct err *err)
{
	if (text == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	return nft_run(guard->nft, text, err);
}

static int create_table(struct guard *guard, const struct guard_plan *plan, struct err *err)
{
	cleanup_free char *text = guard_rules_create(plan, guard->owned);

	return run_text(guard, text, err);
}

/* A kernel refuses a flag that it does not know. Whatever else was wrong is wrong without it too. A
 * redirection that nobody owns would leave a pod that goes on deaf. */
static int create(struct guard *guard, const struct guard_plan *plan, struct err *err)
{
	int ret = create_table(guard, plan, err);

	if (ret < 0 && guard->owned && plan->mode != GUARD_REDIRECT) {
		guard->owned = false;
		ret = create_table(guard, plan, err);
	}
	return ret;
}

int guard_hold(const struct guard_plan *plan, bool plain, struct guard **out, struct err *err)
{
	struct guard *guard;
	int ret;

	if (!guard_interface_is_plain(plan->interface))
		return err_set(err, -EINVAL, "\"%s\" is no name of an interface to guard",
			plan->interface);
	/* Kernels from 6.16 on would wait for one to come. */
	if (if_nametoindex(plan->interface) == 0)
		return err_set(err, -ENODEV, "there is no interface \"%s\"", plan->interface);
	guard = calloc(1, sizeof(*guard));
	if (guard == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	guard->mode = plan->mode;
	guard->host_port = plan->host_port;
	guard->owned = !plain && plan->mode != GUARD_OFF;
	ret = nft_open(&guard->nft, err);
	if (ret == 0)
		ret = create(guard, plan, err);
	if (ret < 0) {
		if (guard->nft != NULL)
			nft_ctx_free(guard->nft);
		free(guard);
		return err_wrap(err, ret, "cannot guard %s", plan->interface);
	}
	*out = guard;
	return 0;
}

bool guard_is_owned(const struct guard *guard)
{
	return guard->owned;
}

int guard_update(struct guard *guard, const struct guard_plan *plan, struct err *err)
{
	cleanup_free char *text = NULL;
	int ret;

	assert((plan->mode == GUARD_OFF) == (guard->mode == GUARD_OFF));
	assert(plan->host_port == guard->host_port);
	if (plan->mode == GUARD_OFF)
		return 0;
	text = guard_rules_update(plan, guard->owned);
	ret = run_text(guard, text, err);
	return ret < 0 ? err_wrap(err, ret, "cannot change the guard of %s", plan->interface) : 0;
}

void guard_release(struct guard *guard)
{
	if (guard == NULL)
		return;
	if (guard->mode != GUARD_OFF)
		(void)nft_run(guard->nft, "delete table netdev " GUARD_TABLE, NULL);
	nft_ctx_free(guard->nft);
	free(guard);
}
