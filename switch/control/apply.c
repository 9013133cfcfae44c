/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/control/apply.h"

#include <errno.h>
#include <string.h>

#include "config/config_edit.h"
#include "lib/log.h"
#include "switch/control/balance.h"
#include "switch/control/plan.h"
#include "switch/datapath/fdb.h"
#include "switch/port/ethdev.h"
#include "switch/port/packet.h"
#include "switch/port/vhost_net.h"

#define EACH_STEP(s, plan)                                                                         \
	struct step *s = (plan)->step;                                                             \
	s < (plan)->step + (plan)->n;                                                              \
	s++

/* --- ports ----------------------------------------------------------------------------------- */

static struct port *open_kind(
	const struct port_config *config, const struct port_host *host, struct err *err)
{
	switch (config->kind) {
	case PORT_KIND_PACKET:
		return packet_open(config, host, err);
	case PORT_KIND_VHOST_USER:
		return vhost_net_open(config, host, err);
	case PORT_KIND_ETHDEV:
		return ethdev_open(config, host, err);
	}
	err_set(err, -EINVAL, "unknown kind of port");
	return NULL;
}

static void close_port(struct sluice_switch *sw, struct port *p)
{
	p->ops->close(p);
	workers_del_port(&sw->workers, p);
}

static int open_port(struct sluice_switch *sw, const struct port_config *config, struct port **out,
	struct err *err)
{
	struct port *p = open_kind(config, &sw->host, err);

	if (!p)
		return err_wrap(err, -EIO, "port \"%s\"", config->name);
	if (workers_add_port(&sw->workers, p) < 0) {
		p->ops->close(p);
		return err_set(err, -ENOMEM, "port \"%s\": out of memory", config->name);
	}
	*out = p;
	return 0;
}

/* Opens what is new: what claims nothing of the ports that go (late false), or what does. */
static int open_ports(struct sluice_switch *sw, struct plan *plan, bool late, struct err *err)
{
	for (EACH_STEP(s, plan)) {
		int ret = 0;

		if ((s->kind == STEP_ADD || s->kind == STEP_REPLACE) && s->late == late)
			ret = open_port(sw, s->to, &s->new, err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static void close_new(struct sluice_switch *sw, struct plan *plan)
{
	for (EACH_STEP(s, plan)) {
		if (!s->new || s->new == s->old)
			continue;
		close_port(sw, s->new);
		s->new = NULL;
	}
}

/* Whether a slot is taken by a port that the workers see. */
static bool id_taken(const struct sluice_switch *sw, unsigned id)
{
	for (unsigned i = 0; i < sw->n_ports; i++)
		if (sw->port[i]->id == id)
			return true;
	return false;
}

static void show_port(struct sluice_switch *sw, struct port *p)
{
	unsigned id = 0;

	for (unsigned i = 0; i < sw->n_ports; i++)
		if (sw->port[i] == p)
			return;
	while (id_taken(sw, id))
		id++;
	p->id = (uint16_t)id;
	sw->port[sw->n_ports++] = p;
}

/* --- the steps of apply.h -------------------------------------------------------------------- */

/* Step 2. Until this nothing was visible; what fails from here on is put back. */
static int take_down(struct sluice_switch *sw, struct plan *plan, struct err *err)
{
	struct port *before[PORT_MAX];
	unsigned n = sw->n_ports, n_gone = 0;

	memcpy(before, sw->port, sizeof(before));
	sw->n_ports = 0;
	for (EACH_STEP(s, plan)) {
		if (s->old && s->new == s->old)
			sw->port[sw->n_ports++] = s->old;
		n_gone += s->old && s->new != s->old;
	}
	if (n_gone == 0 || switch_publish(sw, err) == 0) {
		for (EACH_STEP(s, plan)) {
			if (!s->old || s->new == s->old)
				continue;
			(void)fdb_forget_port(sw->fdb, s->old->id);
			pod_control_forget_port(sw, s->old->id);
			close_port(sw, s->old);
			s->old = NULL;
		}
		return 0;
	}
	memcpy(sw->port, before, sizeof(before));
	sw->n_ports = n;
	return -ENOMEM;
}

/* The workers see what the steps' new ports are. Queues that move rest for one grace period. */
static int show(struct sluice_switch *sw, struct plan *plan, struct err *err)
{
	unsigned n = 0;
	int ret;

	if (balance_release(sw, plan->spread)) {
		ret = switch_publish(sw, err);
		if (ret < 0) {
			balance_take_back(sw);
			return ret;
		}
	}
	for (EACH_STEP(s, plan))
		if (s->new)
			show_port(sw, s->new);
	for (EACH_STEP(s, plan)) /* in the order of the configuration */
		if (s->new)
			sw->port[n++] = s->new;
	balance_hand_out(sw);
	ret = switch_publish(sw, err);
	workers_wake(&sw->workers);
	return ret;
}

/* --- addresses ------------------------------------------------------------------------------- */

static void add_static(struct sluice_switch *sw, const struct fdb_static_config *entry)
{
	const struct port *p = switch_port(sw, entry->port);
	uint64_t key = fdb_key(entry->vlan, &entry->mac);
	char mac[MAC_TEXT_MAX];
	int ret;

	if (!p)
		return;
	ret = fdb_add_static(sw->fdb, key, p->id);
	if (ret == -ENOSPC) {
		workers_quiesce(&sw->workers); /* what was deleted can be used again */
		ret = fdb_add_static(sw->fdb, key, p->id);
	}
	if (ret < 0)
		log_error("no room for a static address",
			log_str("mac", mac_format(&entry->mac, mac)), log_str("port", p->name));
}

/* Static addresses and limits: ports that were opened have lost theirs. */
static void set_addresses(struct sluice_switch *sw)
{
	for (unsigned i = 0; i < sw->n_ports; i++) {
		const struct port_config *c = switch_port_config(sw, sw->port[i]->name);

		if (!c)
			continue;
		fdb_set_limit(sw->fdb, sw->port[i]->id, c->mac_limit);
		/* Whatever is behind a link to other switches may reflect our guests' frames. */
		fdb_set_hold(sw->fdb, sw->port[i]->id, c->kind != PORT_KIND_VHOST_USER);
	}
	for (size_t i = 0; i < sw->config.n_fdb_static; i++)
		add_static(sw, &sw->config.fdb_static[i]);
	pod_control_sync(sw);
}

/* What was learned in VLANs that were other ones is not true any more. */
static void update_addresses(
	struct sluice_switch *sw, const struct plan *plan, const struct sluiced_config *before)
{
	for (size_t i = 0; i < before->n_fdb_static; i++) {
		const struct fdb_static_config *s = &before->fdb_static[i];

		if (!sluiced_config_static(&sw->config, &s->mac, s->vlan))
			(void)fdb_del(sw->fdb, fdb_key(s->vlan, &s->mac));
	}
	for (EACH_STEP(s, plan))
		if (s->new && s->vlans_differ)
			(void)fdb_flush(sw->fdb, s->new->id);
	set_addresses(sw);
}

/* --- when step 3 failed ---------------------------------------------------------------------- */

/* Opens again what was closed. Whoever was connected to it has to connect again. */
static void reopen(struct sluice_switch *sw, struct step *s, struct err *err)
{
	struct err why = { "" };

	if (open_port(sw, s->from, &s->old, &why) == 0) {
		switch_event(sw, "port-replaced", s->from->name, "opened again: a change failed");
		return;
	}
	log_error("port lost", log_str("port", s->from->name), log_str("reason", why.text));
	switch_event(sw, "port-removed", s->from->name, why.text);
	(void)err_wrap(err, 0, "port \"%s\" is lost (it could not be opened again)", s->from->name);
}

/* What is not there any more is not in the configuration either: so a reload makes it again. */
static void forget_lost(struct sluice_switch *sw)
{
	for (size_t i = sw->config.n_ports; i-- > 0;) {
		char name[PORT_NAME_MAX];

		memcpy(name, sw->config.ports[i].name, sizeof(name));
		if (!switch_port(sw, name))
			(void)sluiced_config_del_port(&sw->config, name, NULL);
	}
}

/* The old ports come back; sw->config is the old configuration again. */
static void put_back(struct sluice_switch *sw, struct plan *plan, struct err *err)
{
	close_new(sw, plan);
	sw->n_ports = 0;
	for (EACH_STEP(s, plan))
		if (s->old)
			sw->port[sw->n_ports++] = s->old;
	for (EACH_STEP(s, plan)) {
		if (!s->old && s->from)
			reopen(sw, s, err);
		s->new = s->old;
		if (s->kind == STEP_SET && s->old->ops->set)
			(void)s->old->ops->set(s->old, s->from, NULL);
	}
	(void)show(sw, plan, NULL);
	forget_lost(sw);
	set_addresses(sw);
}

/* --- the whole ------------------------------------------------------------------------------- */

static void tell_steps(struct sluice_switch *sw, const struct plan *plan)
{
	for (EACH_STEP(s, plan)) {
		if (s->kind == STEP_ADD)
			switch_event(sw, "port-added", s->to->name, s->new->ops->kind);
		else if (s->kind == STEP_REMOVE)
			switch_event(sw, "port-removed", s->from->name, NULL);
		else if (s->kind == STEP_REPLACE)
			switch_event(sw, "port-replaced", s->to->name, s->new->ops->kind);
		else if (s->kind == STEP_SET)
			switch_event(sw, "port-changed", s->to->name, NULL);
	}
}

/* What ports that stay have to know; put_back() sets back what was set before a failure. */
static int set_ports(const struct plan *plan, struct err *err)
{
	for (EACH_STEP(s, plan)) {
		int ret = 0;

		if (s->kind == STEP_SET && s->new->ops->set)
			ret = s->new->ops->set(s->new, s->to, err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* Steps 2 to 5 with sw->config being the new configuration already. */
static int carry_out(struct sluice_switch *sw, struct plan *plan, struct err *err)
{
	int ret = take_down(sw, plan, err);

	if (ret == 0)
		ret = open_ports(sw, plan, true, err);
	if (ret == 0)
		ret = set_ports(plan, err);
	return ret == 0 ? show(sw, plan, err) : ret;
}

/* Step 1. On failure nothing has happened. */
static int prepare(struct sluice_switch *sw, struct plan *plan, const struct sluiced_config *to,
	struct err *err)
{
	const struct sluiced_config *from = &sw->config;
	unsigned n_before = sw->workers.n;
	int ret = workers_grow(&sw->workers, to->n_workers, to->worker_cpus, to->spin_us, err);

	if (ret < 0)
		return ret;
	ret = workers_bind(&sw->workers, to->n_workers, to->worker_cpus, err);
	if (ret == 0)
		ret = pod_control_prepare(sw, to, err);
	if (ret == 0)
		ret = open_ports(sw, plan, false, err);
	if (ret < 0) {
		close_new(sw, plan);
		workers_shrink(&sw->workers, n_before);
		(void)workers_bind(&sw->workers, from->n_workers, from->worker_cpus, NULL);
	}
	return ret;
}

static int apply_plan(
	struct sluice_switch *sw, struct plan *plan, struct sluiced_config *config, struct err *err)
{
	struct sluiced_config before = sw->config;
	int ret = prepare(sw, plan, config, err);

	if (ret < 0)
		return ret;
	sw->config = *config;
	pod_control_look(sw);
	ret = carry_out(sw, plan, err);
	if (ret < 0) {
		sw->config = before;
		pod_control_look(sw);
		put_back(sw, plan, err);
		workers_shrink(&sw->workers, before.n_workers);
		(void)workers_bind(&sw->workers, before.n_workers, before.worker_cpus, NULL);
		return ret;
	}
	workers_shrink(&sw->workers, config->n_workers);
	workers_set_spin(&sw->workers, config->spin_us);
	log_configure(config->log_level, config->log_format);
	update_addresses(sw, plan, &before);
	tell_steps(sw, plan);
	*config = before;
	return 0;
}

int switch_apply(
	struct sluice_switch *sw, struct sluiced_config *config, json_t *changes, struct err *err)
{
	struct plan plan;
	int ret = plan_make(&plan, sw, config, err);

	if (ret < 0)
		return ret;
	if (changes)
		plan_describe(&plan, changes);
	ret = apply_plan(sw, &plan, config, err);
	plan_free(&plan);
	if (ret == 0)
		sluiced_config_free(config);
	else if (changes)
		json_array_clear(changes);
	return ret;
}

int switch_preview(struct sluice_switch *sw, const struct sluiced_config *config, json_t *changes,
	struct err *err)
{
	struct plan plan;
	int ret = plan_make(&plan, sw, config, err);

	if (ret < 0)
		return ret;
	plan_describe(&plan, changes);
	plan_free(&plan);
	return 0;
}
