/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/switch/attack.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

void attack_start(struct guests *g)
{
	guests_start(g, 3, NULL);
	for (unsigned i = 0; i < 3; i++)
		guests_connect(g, i, &guest_full);
	guests_cross(g, WITNESS, BYSTANDER, 60, 0);
	guests_cross(g, BYSTANDER, WITNESS, 60, 0);
}

/* Takes what was flooded on an attack's way. */
static void forget_frames(struct frontend *f)
{
	static struct packet in;
	struct virtio_net_hdr_mrg_rxbuf hdr;
	ssize_t n;

	do
		n = frontend_recv(f, in.byte, sizeof(in.byte), &hdr, 1);
	while (n >= 0);
	assert_int_equal(n, -ETIMEDOUT);
}

void attack_others_go_on(struct guests *g, const char *name, uint32_t seed)
{
	if (!testbed_alive(&g->t))
		fail_msg("%s ended sluiced", name);
	/* What they sent has arrived wherever it was flooded to. */
	guest_check(&g->f[WITNESS], frontend_drain(&g->f[WITNESS], RECV_MS));
	guest_check(&g->f[BYSTANDER], frontend_drain(&g->f[BYSTANDER], RECV_MS));
	forget_frames(&g->f[WITNESS]);
	forget_frames(&g->f[BYSTANDER]);
	guests_cross(g, WITNESS, BYSTANDER, 1500, seed);
	guests_cross(g, BYSTANDER, WITNESS, 1500, seed);
}

void attack_expect_hangup(struct guests *g, const char *name)
{
	if (frontend_wait_hangup(&g->f[ATTACKER], RECV_MS) < 0)
		fail_msg("%s: still connected after %d ms", name, RECV_MS);
}
