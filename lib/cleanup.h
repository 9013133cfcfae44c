/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Scope-bound ownership for control-plane code. An owned local is initialised where it is
 * declared (NULL, -1) and handed over with steal_ptr() or steal_fd(); whatever is still owned at
 * the end of the scope is released. errno survives the release.
 */

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define cleanup_free  __attribute__((cleanup(cleanup_free_)))
#define cleanup_close __attribute__((cleanup(cleanup_close_)))

static inline void cleanup_free_(void *p)
{
	int saved = errno;

	free(*(void **)p);
	errno = saved;
}

static inline void cleanup_close_(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

/* Returns *fd and leaves -1 in its place. */
static inline int steal_fd(int *fd)
{
	int out = *fd;

	*fd = -1;
	return out;
}

static inline void *steal_ptr_(void *pp)
{
	void *out = *(void **)pp;

	*(void **)pp = NULL;
	return out;
}

/* Returns *pp and leaves NULL in its place. */
#define steal_ptr(pp) ((__typeof__(*(pp)))steal_ptr_(pp))
