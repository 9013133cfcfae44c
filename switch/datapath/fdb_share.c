/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/datapath/fdb_share.h"

#include <errno.h>

#include <rte_malloc.h>

#define SECOND_CHANCES 8

int fdb_share_init(struct fdb_share *s, uint32_t n_positions, uint32_t size)
{
	s->entry = rte_zmalloc("fdb_entry", n_positions * sizeof(*s->entry), 64);
	s->rank = rte_zmalloc("fdb_rank", (size + 1) * sizeof(*s->rank), 64);
	if (!s->entry || !s->rank)
		return -ENOMEM;
	s->n_positions = n_positions;
	for (uint32_t i = 0; i < n_positions; i++)
		s->entry[i].port = FDB_PORT_NONE;
	for (uint32_t i = 0; i <= size; i++)
		s->rank[i] = FDB_PORT_NONE;
	for (unsigned i = 0; i < FDB_PORT_MAX; i++)
		s->port[i].first = s->port[i].last = FDB_POSITION_NONE;
	return 0;
}

void fdb_share_free(struct fdb_share *s)
{
	rte_free(s->entry);
	rte_free(s->rank);
}

static void leave_rank(struct fdb_share *s, struct fdb_share_port *p)
{
	if (p->next != FDB_PORT_NONE)
		s->port[p->next].prev = p->prev;
	if (p->prev != FDB_PORT_NONE)
		s->port[p->prev].next = p->next;
	else
		s->rank[p->n] = p->next;
}

static void enter_rank(struct fdb_share *s, struct fdb_share_port *p)
{
	uint16_t id = (uint16_t)(p - s->port);

	p->prev = FDB_PORT_NONE;
	p->next = s->rank[p->n];
	if (p->next != FDB_PORT_NONE)
		s->port[p->next].prev = id;
	s->rank[p->n] = id;
}

/* n is one more or one less than before. */
static void set_count(struct fdb_share *s, struct fdb_share_port *p, uint32_t n)
{
	if (p->n > 0)
		leave_rank(s, p);
	p->n = n;
	if (n > 0)
		enter_rank(s, p);
	if (n > s->most)
		s->most = n;
	else if (s->rank[s->most] == FDB_PORT_NONE)
		s->most--;
}

static void append(struct fdb_share *s, uint32_t position)
{
	struct fdb_entry *e = &s->entry[position];
	struct fdb_share_port *p = &s->port[e->port];

	e->next = FDB_POSITION_NONE;
	e->prev = p->last;
	if (p->last != FDB_POSITION_NONE)
		s->entry[p->last].next = position;
	else
		p->first = position;
	p->last = position;
}

static void take_out(struct fdb_share *s, uint32_t position)
{
	struct fdb_entry *e = &s->entry[position];
	struct fdb_share_port *p = &s->port[e->port];

	if (e->next != FDB_POSITION_NONE)
		s->entry[e->next].prev = e->prev;
	else
		p->last = e->prev;
	if (e->prev != FDB_POSITION_NONE)
		s->entry[e->prev].next = e->next;
	else
		p->first = e->next;
}

void fdb_share_join(struct fdb_share *s, uint32_t position)
{
	struct fdb_entry *e = &s->entry[position];
	struct fdb_share_port *p = &s->port[e->port];

	e->queued_s = __atomic_load_n(&e->seen_s, __ATOMIC_RELAXED);
	append(s, position);
	set_count(s, p, p->n + 1);
}

void fdb_share_leave(struct fdb_share *s, uint32_t position)
{
	struct fdb_share_port *p = &s->port[s->entry[position].port];

	take_out(s, position);
	set_count(s, p, p->n - 1);
}

uint16_t fdb_share_largest(const struct fdb_share *s, uint16_t preferred)
{
	if (s->most == 0)
		return FDB_PORT_NONE;
	if (preferred != FDB_PORT_NONE && s->port[preferred].n == s->most)
		return preferred;
	return s->rank[s->most];
}

uint32_t fdb_share_oldest(struct fdb_share *s, uint16_t port)
{
	struct fdb_share_port *p = &s->port[port];
	uint32_t oldest = FDB_POSITION_NONE, oldest_s = 0;

	for (unsigned i = 0; i < SECOND_CHANCES; i++) {
		uint32_t position = p->first;
		struct fdb_entry *e = &s->entry[position];
		uint32_t seen_s = __atomic_load_n(&e->seen_s, __ATOMIC_RELAXED);

		if (oldest == FDB_POSITION_NONE || (int32_t)(seen_s - oldest_s) < 0) {
			oldest = position;
			oldest_s = seen_s;
		}
		if (seen_s == e->queued_s)
			break;
		take_out(s, position);
		e->queued_s = seen_s;
		append(s, position);
	}
	return oldest;
}
