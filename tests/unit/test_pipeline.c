/* SPDX-License-Identifier: BSD-3-Clause */

/* The pipeline between fake ports: where frames go, where they never go, and in which order. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <rte_rcu_qsbr.h>

#include "switch/control/eal.h"
#include "switch/datapath/pipeline.h"

#define N_PORTS 3

struct fake_port {
	struct port port;
	struct frame *got[BURST_MAX];
	unsigned n_got;
};

struct fixture {
	struct rte_rcu_qsbr *qsbr;
	struct fdb *fdb;
	struct pipeline pipeline;
	struct fake_port port[N_PORTS];
	struct frame burst[BURST_MAX];
	struct topology topology;
};

static void fake_transmit(
	struct port *p, unsigned queue, struct frame **frames, unsigned n, struct counters *c)
{
	struct fake_port *fp = (struct fake_port *)p;

	for (unsigned i = 0; i < n; i++)
		fp->got[fp->n_got++] = frames[i];
}

static const struct port_ops fake_ops = { .kind = "fake", .transmit = fake_transmit };

static int setup(void **state)
{
	size_t size = rte_rcu_qsbr_get_memsize(1);
	struct fixture *f = NULL;
	struct err err;

	assert_int_equal(posix_memalign((void **)&f, 64, sizeof(*f)), 0);
	memset(f, 0, sizeof(*f));
	assert_int_equal(posix_memalign((void **)&f->qsbr, 64, size), 0);
	rte_rcu_qsbr_init(f->qsbr, 1);
	f->fdb = fdb_new(64, f->qsbr, &err);
	assert_non_null(f->fdb);
	for (unsigned i = 0; i < N_PORTS; i++) {
		f->port[i].port.ops = &fake_ops;
		f->port[i].port.id = (uint16_t)i;
		f->topology.port[i] = f->topology.by_id[i] = &f->port[i].port;
	}
	f->topology.n_ports = N_PORTS;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	fdb_free(f->fdb);
	free(f->qsbr);
	free(f);
	return 0;
}

/* A frame from host `from` to host `to` (0xff: broadcast) in the i-th place of the burst. */
static void make(struct fixture *f, unsigned i, uint8_t from, uint8_t to, uint16_t vlan)
{
	struct frame *frame = &f->burst[i];
	const struct mac src = { { 2, 0, 0, 0, 0, from } };
	struct mac dst = { { 2, 0, 0, 0, 0, to } };

	if (to == 0xff)
		memset(&dst, 0xff, sizeof(dst));
	*frame = (struct frame) { .len = 64, .head_len = 64, .vlan = vlan };
	frame->head = frame->head_room + (vlan ? 0 : VLAN_TAG_LEN);
	memcpy(frame->head, &dst, sizeof(dst));
	memcpy(frame->head + sizeof(dst), &src, sizeof(src));
	if (vlan)
		memcpy(frame->head + 12, (uint8_t[]) { 0x81, 0, 0, (uint8_t)vlan }, 4);
}

static void run(struct fixture *f, unsigned ingress, unsigned n)
{
	const struct rx_queue from = { &f->port[ingress].port, 0 };

	for (unsigned i = 0; i < N_PORTS; i++)
		f->port[i].n_got = 0;
	pipeline_run(&f->pipeline, f->fdb, &f->topology, &from, f->burst, n, 0, 1);
}

static void one(struct fixture *f, unsigned ingress, uint8_t from, uint8_t to, uint16_t vlan)
{
	make(f, 0, from, to, vlan);
	run(f, ingress, 1);
}

static void test_unknown_and_broadcast_are_flooded(void **state)
{
	struct fixture *f = *state;

	one(f, 0, 1, 9, 0);
	assert_int_equal(f->port[0].n_got, 0);
	assert_int_equal(f->port[1].n_got, 1);
	assert_int_equal(f->port[2].n_got, 1);
	one(f, 1, 2, 0xff, 0);
	assert_int_equal(f->port[0].n_got, 1);
	assert_int_equal(f->port[1].n_got, 0);
	assert_int_equal(f->port[2].n_got, 1);
}

static void test_known_goes_to_its_port_only(void **state)
{
	struct fixture *f = *state;

	one(f, 2, 7, 0xff, 0);
	one(f, 0, 1, 7, 0);
	assert_int_equal(f->port[1].n_got, 0);
	assert_int_equal(f->port[2].n_got, 1);
	assert_ptr_equal(f->port[2].got[0], &f->burst[0]);
}

static void test_other_vlan_is_unknown(void **state)
{
	struct fixture *f = *state;

	one(f, 2, 7, 0xff, 10);
	one(f, 0, 1, 7, 20);
	assert_int_equal(f->port[1].n_got, 1);
	assert_int_equal(f->port[2].n_got, 1);
}

static void test_never_out_of_the_ingress(void **state)
{
	struct fixture *f = *state;

	one(f, 0, 7, 0xff, 0);
	one(f, 0, 1, 7, 0);
	for (unsigned i = 0; i < N_PORTS; i++)
		assert_int_equal(f->port[i].n_got, 0);
	assert_int_equal(f->port[0].port.counters[0].drop[DROP_HAIRPIN], 1);
}

static void test_multicast_source_is_not_learned(void **state)
{
	struct fixture *f = *state;
	struct fdb_row row;
	uint32_t cursor = 0;

	make(f, 0, 1, 2, 0);
	f->burst[0].head[6] |= 1;
	run(f, 0, 1);
	assert_false(fdb_next(f->fdb, &cursor, &row));
	assert_int_equal(f->port[1].n_got, 1);
}

static void test_nowhere_to_go_is_counted(void **state)
{
	struct fixture *f = *state;

	f->topology.n_ports = 1;
	one(f, 0, 1, 2, 0);
	assert_int_equal(f->port[0].port.counters[0].drop[DROP_NO_DESTINATION], 1);
}

static void test_order_is_kept_per_egress(void **state)
{
	struct fixture *f = *state;

	one(f, 1, 2, 0xff, 0);
	one(f, 2, 3, 0xff, 0);
	for (unsigned i = 0; i < BURST_MAX; i++)
		make(f, i, 1, i % 3 == 0 ? 2 : i % 3 == 1 ? 3 : 0xff, 0);
	run(f, 0, BURST_MAX);
	for (unsigned p = 1; p < N_PORTS; p++) {
		assert_true(f->port[p].n_got > 20);
		for (unsigned i = 1; i < f->port[p].n_got; i++)
			assert_true(f->port[p].got[i] > f->port[p].got[i - 1]);
	}
}

static void test_vlans_go_where_they_are_carried(void **state)
{
	static const struct vlan_policy access10 = { .vlan = 10 }, access20 = { .vlan = 20 };
	struct fixture *f = *state;

	f->topology.vlans = true;
	f->topology.vlan[0] = &access10;
	f->topology.vlan[1] = &access20;
	one(f, 0, 1, 0xff, 0);
	assert_int_equal(f->port[1].n_got, 0);
	assert_int_equal(f->port[2].n_got, 1);
	/* Port 2 has no policy: it carries VLAN 10 with its tag. */
	assert_int_equal(frame_be16(&f->burst[0], 12), ETHERTYPE_VLAN);
	one(f, 2, 2, 1, 10);
	assert_int_equal(f->port[0].n_got, 1);
	assert_int_equal(f->port[1].n_got, 0);
	assert_int_not_equal(frame_be16(&f->burst[0], 12), ETHERTYPE_VLAN);
	one(f, 0, 1, 2, 10);
	assert_int_equal(f->port[0].port.counters[0].drop[DROP_VLAN], 1);
}

static void test_reserved_multicast_crosses_if_asked(void **state)
{
	static const struct mac stp = { { 0x01, 0x80, 0xc2, 0, 0, 0 } };
	static const struct mac lldp = { { 0x01, 0x80, 0xc2, 0, 0, 0x0e } };
	static const struct mac group = { { 0x01, 0x80, 0xc2, 0, 0, 0x10 } };
	struct fixture *f = *state;

	for (unsigned i = 0; i < 3; i++)
		make(f, i, 1, 2, 0);
	memcpy(f->burst[0].head, &stp, sizeof(stp));
	memcpy(f->burst[1].head, &lldp, sizeof(lldp));
	memcpy(f->burst[2].head, &group, sizeof(group));
	run(f, 0, 3);
	assert_int_equal(f->port[1].n_got, 1);
	assert_int_equal(f->port[0].port.counters[0].drop[DROP_RESERVED], 2);
	f->topology.forward_reserved = true;
	run(f, 0, 3);
	assert_int_equal(f->port[1].n_got, 3);
	assert_int_equal(f->port[0].port.counters[0].drop[DROP_RESERVED], 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_unknown_and_broadcast_are_flooded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_known_goes_to_its_port_only, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_vlan_is_unknown, setup, teardown),
		cmocka_unit_test_setup_teardown(test_never_out_of_the_ingress, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_multicast_source_is_not_learned, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nowhere_to_go_is_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_order_is_kept_per_egress, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_vlans_go_where_they_are_carried, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_reserved_multicast_crosses_if_asked, setup, teardown),
	};
	struct err err = { "" };

	if (eal_start(32, false, &err) < 0) {
		print_error("%s\n", err.text);
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
