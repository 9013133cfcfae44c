/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * How much of something a port may still do in this second. Nothing is carried over: the most that
 * comes at once is what is allowed in a second, or twice that around its end.
 *
 * Workers' clocks may differ by a second, so a budget is renewed by a later second alone, not by
 * another one: two workers that serve one port do not renew it for each other.
 *
 * Thread-safety: fdb_budget_is_spent() anywhere, as a first look; fdb_budget_spend() under the
 * table's lock.
 */

#include <stdbool.h>
#include <stdint.h>

struct fdb_budget {
	uint32_t second;
	uint32_t left;
};

static inline bool fdb_budget_is_over(const struct fdb_budget *b, uint32_t now_s)
{
	return (int32_t)(now_s - __atomic_load_n(&b->second, __ATOMIC_RELAXED)) > 0;
}

static inline bool fdb_budget_is_spent(const struct fdb_budget *b, uint32_t now_s)
{
	return __atomic_load_n(&b->left, __ATOMIC_RELAXED) == 0 && !fdb_budget_is_over(b, now_s);
}

/* Spends one of `per_s`; false if there is none left. */
static inline bool fdb_budget_spend(struct fdb_budget *b, uint32_t now_s, uint32_t per_s)
{
	uint32_t left = __atomic_load_n(&b->left, __ATOMIC_RELAXED);

	if (fdb_budget_is_over(b, now_s)) {
		__atomic_store_n(&b->second, now_s, __ATOMIC_RELAXED);
		left = per_s;
	}
	if (left == 0)
		return false;
	__atomic_store_n(&b->left, left - 1, __ATOMIC_RELAXED);
	return true;
}
