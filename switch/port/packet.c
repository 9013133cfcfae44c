/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/port/packet.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>

#include "switch/port/packet_filter.h"
#include "switch/port/packet_port.h"

/* UDP segmentation through PACKET_VNET_HDR: Linux 6.2. */
static bool kernel_takes_udp_l4(void)
{
	struct utsname u;
	unsigned major = 0, minor = 0;

	if (uname(&u) < 0 || sscanf(u.release, "%u.%u", &major, &minor) != 2)
		return false;
	return major > 6 || (major == 6 && minor >= 2);
}

/* --- status ---------------------------------------------------------------------------------- */

static json_t *describe_queues(const struct packet_port *pp)
{
	json_t *queues = json_array();

	for (unsigned i = 0; i < pp->port.n_queues; i++) {
		const struct packet_queue *q = &pp->queue[i];
		uint64_t n = counter_read(&q->n_frames);
		bool bulk = __atomic_load_n(&q->bulk, __ATOMIC_RELAXED);

		json_array_append_new(
			queues, json_pack("{s:i, s:s, s:I}", "queue", (int)i, "mode",
					bulk ? "bulk" : "small", "frames", (json_int_t)n));
	}
	return queues;
}

static void describe_link(const struct packet_port *pp, json_t *out)
{
	const struct link_info *link = &pp->link;
	char mac[MAC_TEXT_MAX];

	json_object_set_new(out, "address",
		link->ifindex ? json_string(mac_format(&link->mac, mac)) : json_null());
	json_object_set_new(out, "mtu", link->ifindex ? json_integer(link->mtu) : json_null());
	json_object_set_new(out, "interface", json_string(pp->config.interface));
	json_object_set_new(
		out, "interface_index", link->ifindex ? json_integer(link->ifindex) : json_null());
	if (link->ifindex && strcmp(link->name, pp->config.interface) != 0)
		json_object_set_new(out, "interface_now", json_string(link->name));
}

static void packet_status(struct port *p, json_t *out)
{
	struct packet_port *pp = packet_port(p);
	struct err hint;
	const char *reason;

	packet_link_look(pp);
	reason = packet_link_reason(pp, &hint);
	json_object_set_new(out, "operstate", json_string(reason ? "down" : "up"));
	if (reason) {
		json_object_set_new(out, "reason", json_string(reason));
		json_object_set_new(out, "hint", json_string(hint.text));
	}
	describe_link(pp, out);
	json_object_set_new(out, "recoveries", json_integer((json_int_t)pp->n_recoveries));
	json_object_set_new(out, "queues", describe_queues(pp));
}

static void packet_stats(struct port *p, json_t *out)
{
	struct packet_port *pp = packet_port(p);

	for (unsigned i = 0; i < p->n_queues && pp->ifindex; i++)
		pp->kernel_drops += packet_socket_drops(packet_fd(&pp->queue[i]));
	json_object_set_new(out, "kernel_drops", json_integer((json_int_t)pp->kernel_drops));
}

/* --- life ------------------------------------------------------------------------------------ */

static void packet_service(struct port *p)
{
}

/* Also of a port that is not complete. */
static void packet_close(struct port *p)
{
	struct packet_port *pp = packet_port(p);

	if (pp->queue) {
		packet_link_stop(pp);
		munmap(pp->queue, p->n_queues * sizeof(*pp->queue));
	}
	free(pp);
}

/* What stays with the kernel, as the configuration says it and as it does without saying. */
static int read_kernel_ports(
	const struct port_config *config, struct l4_ports *out, struct err *err)
{
	int ret;

	*out = (struct l4_ports) { 0 };
	if (config->kernel_ports[0] == '\0')
		return 0;
	ret = l4_ports_parse(config->kernel_ports, out, err);
	for (enum l4_protocol protocol = L4_TCP; protocol <= L4_UDP && ret == 0; protocol++)
		ret = l4_ports_add(out,
			(struct l4_port_range) { protocol, PACKET_KERNEL_EPHEMERAL, UINT16_MAX });
	return ret == -E2BIG ? err_set(err, ret, "kernel-ports: too many ranges") : ret;
}

static int packet_set(struct port *p, const struct port_config *config, struct err *err)
{
	struct packet_port *pp = packet_port(p);
	struct l4_ports ports, before = pp->kernel_ports;
	int ret = read_kernel_ports(config, &ports, err);

	if (ret < 0)
		return ret;
	pp->kernel_ports = ports;
	ret = packet_sockets_filter(pp, err);
	if (ret < 0) {
		pp->kernel_ports = before;
		(void)packet_sockets_filter(pp, NULL);
		return ret;
	}
	pp->config = *config;
	return 0;
}

static const struct port_ops packet_ops = {
	.kind = "packet",
	.receive = packet_receive,
	.release = packet_release,
	.transmit = packet_transmit,
	.arm = packet_arm,
	.disarm = packet_disarm,
	.service = packet_service,
	.link_changed = packet_link_changed,
	.set = packet_set,
	.status = packet_status,
	.stats = packet_stats,
	.close = packet_close,
};

static unsigned kernel_caps(const struct port_config *config)
{
	unsigned caps = EGRESS_CSUM | EGRESS_TSO4 | EGRESS_TSO6 | EGRESS_ECN;

	return config->offload_uso && kernel_takes_udp_l4() ? caps | EGRESS_USO4 | EGRESS_USO6
							    : caps;
}

/* A mapping, not an allocation: most of it is never touched. */
static int make_queues(struct packet_port *pp, struct err *err)
{
	unsigned n = pp->port.n_queues;
	void *map = mmap(NULL, n * sizeof(*pp->queue), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (map == MAP_FAILED)
		return err_errno(err, errno, "cannot map receive buffers");
	pp->queue = map;
	for (unsigned i = 0; i < n; i++) {
		struct packet_queue *q = &pp->queue[i];

		q->port = &pp->port;
		q->caps = kernel_caps(&pp->config);
		q->fd = -1;
		rte_spinlock_init(&q->egress_lock);
	}
	return 0;
}

static unsigned wanted_queues(const struct port_config *config)
{
	if (config->queues == 0)
		return 1;
	return config->queues < QUEUES_MAX ? config->queues : QUEUES_MAX;
}

struct port *packet_open(
	const struct port_config *config, const struct port_host *host, struct err *err)
{
	struct packet_port *pp = NULL;

	if (posix_memalign((void **)&pp, 64, sizeof(*pp)) != 0) {
		err_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	memset(pp, 0, sizeof(*pp));
	pp->port.ops = &packet_ops;
	pp->port.n_queues = (uint16_t)wanted_queues(config);
	snprintf(pp->port.name, sizeof(pp->port.name), "%s", config->name);
	pp->config = *config;
	pp->host = host;
	if (read_kernel_ports(config, &pp->kernel_ports, err) < 0 || make_queues(pp, err) < 0 ||
		packet_link_start(pp, err) < 0) {
		packet_close(&pp->port);
		return NULL;
	}
	return &pp->port;
}
