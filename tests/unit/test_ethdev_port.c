/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The life of an ethdev port: devices come and go in a running process, what is wrong about one is
 * said in one line, and nothing of it is left.
 */

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include <rte_malloc.h>

#include "switch/control/eal.h"
#include "switch/port/ethdev.h"

static char dir[] = "/tmp/sluice-ethdev-XXXXXX";
static int n_watched;

static int watch(void *ctx, const struct port *port, unsigned queue, int fd)
{
	n_watched++;
	return 0;
}

static void unwatch(void *ctx, int fd)
{
	n_watched--;
}

static void ignore(void *ctx)
{
}

static void ignore_event(void *ctx, const struct port *port, const char *event, const char *detail)
{
}

static struct port_host host = {
	.quiesce = ignore,
	.watch = watch,
	.unwatch = unwatch,
	.wake = ignore,
	.event = ignore_event,
};

static int start(void **state)
{
	struct err err = { "" };

	host.attention_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!mkdtemp(dir) || eal_start(16, false, &err) < 0) {
		print_error("%s\n", err.text);
		return -1;
	}
	return 0;
}

static int stop(void **state)
{
	eal_stop();
	close(host.attention_fd);
	return rmdir(dir);
}

/* "DIR" in the text becomes the directory. */
static struct port *open_queues(const char *devargs, uint16_t n_queues, struct err *err)
{
	struct port_config config = { .name = "dev", .kind = PORT_KIND_ETHDEV };
	const char *at = strstr(devargs, "DIR");

	if (at)
		snprintf(config.devargs, sizeof(config.devargs), "%.*s%s%s", (int)(at - devargs),
			devargs, dir, at + 3);
	else
		snprintf(config.devargs, sizeof(config.devargs), "%s", devargs);
	config.queues = n_queues;
	return ethdev_open(&config, &host, err);
}

static struct port *open_device(const char *devargs, struct err *err)
{
	return open_queues(devargs, 1, err);
}

static struct port *must_open(const char *devargs)
{
	struct err err = { "" };
	struct port *p = open_device(devargs, &err);

	if (!p)
		fail_msg("%s: %s", devargs, err.text);
	return p;
}

static unsigned count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* Lines in /proc/self/maps: a pool is a mapping. */
static unsigned count_maps(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned n = 0;
	int c;

	assert_non_null(f);
	while ((c = fgetc(f)) != EOF)
		n += c == '\n';
	fclose(f);
	return n;
}

/* Bytes in use in DPDK's heap. */
static size_t heap_use(void)
{
	struct rte_malloc_socket_stats stats;

	assert_int_equal(rte_malloc_get_socket_stats(0, &stats), 0);
	return stats.heap_allocsz_bytes;
}

/*
 * Those whose drivers clean up themselves. In DPDK 22.11 net_null forgets a packet of each queue
 * (384 bytes), and net_memif as a server the socket it listens on.
 */
static const char *const devices[] = { "net_ring0", "net_vhost0,iface=DIR/v.sock" };
#define N_DEVICES (sizeof(devices) / sizeof(devices[0]))

static void send_burst(struct port *p, unsigned queue, struct counters *c)
{
	static struct frame burst[BURST_MAX];
	struct frame *frames[BURST_MAX];

	for (unsigned i = 0; i < BURST_MAX; i++) {
		burst[i] = (struct frame) { .len = 60, .head_len = 60, .l3_offset = 14 };
		burst[i].head = burst[i].head_room + VLAN_TAG_LEN;
		burst[i].head[20] = 0x5a;
		frames[i] = &burst[i];
	}
	p->ops->transmit(p, queue, frames, BURST_MAX, c);
}

/* Frames that are received and never released are given back too. */
static void use(struct port *p)
{
	static struct frame burst[BURST_MAX];
	struct counters c = { 0 };
	unsigned n;

	send_burst(p, 0, &c);
	assert_int_equal(c.tx.packets + c.drop[DROP_RING_FULL] + c.drop[DROP_PORT_DOWN], BURST_MAX);
	n = p->ops->receive(p, 0, burst, BURST_MAX, NULL, &c);
	assert_int_equal(n, c.rx.packets);
}

static void test_life(void **state)
{
	unsigned fds = 0, maps = 0;
	size_t heap = 0;

	for (unsigned round = 0; round < 40; round++) {
		struct port *p[N_DEVICES];

		for (size_t i = 0; i < N_DEVICES; i++) {
			p[i] = must_open(devices[i]);
			use(p[i]);
		}
		for (size_t i = 0; i < N_DEVICES; i++)
			p[i]->ops->close(p[i]);
		assert_int_equal(n_watched, 0);
		if (round == 2) {
			fds = count_fds();
			maps = count_maps();
			heap = heap_use();
		}
	}
	assert_int_equal(count_fds(), fds);
	assert_int_equal(heap_use(), heap);
	assert_true(count_maps() < maps + 10);
}

static void test_status(void **state)
{
	struct port *p = must_open("net_vhost0,iface=DIR/v.sock");
	json_t *o = json_object();

	p->ops->status(p, o);
	assert_string_equal(json_string_value(json_object_get(o, "operstate")), "down");
	assert_string_equal(json_string_value(json_object_get(o, "driver")), "net_vhost");
	assert_true(json_is_true(json_object_get(o, "sleeps")));
	assert_non_null(json_object_get(o, "hint"));
	assert_false(p->ops->arm(p, 0));
	p->ops->disarm(p, 0);
	json_decref(o);
	p->ops->close(p);
	p = must_open("net_null0");
	assert_true(p->ops->arm(p, 0)); /* it cannot be slept on */
	p->ops->close(p);
}

/* Each queue is one to receive and to transmit by; what came in by a queue leaves by its number. */
static void test_queues(void **state)
{
	static struct frame burst[BURST_MAX];
	struct counters c = { 0 };
	struct err err = { "" };
	struct port *p = open_queues("net_null0", 4, &err);
	json_t *o = json_object();

	if (!p)
		fail_msg("%s", err.text);
	assert_int_equal(p->n_queues, 4);
	for (unsigned q = 0; q < 4; q++) {
		assert_int_equal(p->ops->receive(p, q, burst, BURST_MAX, NULL, &c), BURST_MAX);
		p->ops->release(p, q, &c);
	}
	for (unsigned q = 0; q < 9; q++)
		send_burst(p, q, &c);
	p->ops->stats(p, o);
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(o, "device"), "opackets")),
		9 * BURST_MAX);
	json_decref(o);
	p->ops->close(p);
	p = open_queues("net_vhost0,iface=DIR/v.sock", 2, &err);
	if (!p)
		fail_msg("%s", err.text);
	assert_int_equal(n_watched, 2);
	p->ops->close(p);
	assert_null(open_queues("net_vhost0,iface=DIR/v.sock,queues=1", 2, &err));
	assert_non_null(strstr(err.text, "2 queues are more than the device has"));
}

/* Two ports, each other's peers: what one sends the other receives. */
static void test_memif(void **state)
{
	static struct frame burst[BURST_MAX];
	struct port *server =
		must_open("net_memif0,role=server,socket=DIR/m.sock,socket-abstract=no");
	struct port *client =
		must_open("net_memif1,role=client,socket=DIR/m.sock,socket-abstract=no");
	struct counters c = { 0 };
	unsigned n = 0;

	/* They connect in a thread of DPDK's. */
	for (unsigned round = 0; round < 30000 && n == 0; round++) {
		send_burst(client, 0, &c);
		n = server->ops->receive(server, 0, burst, BURST_MAX, NULL, &c);
		if (n > 0)
			assert_true(burst[0].len == 60 && burst[0].head[20] == 0x5a);
		server->ops->release(server, 0, &c);
		usleep(1000);
	}
	assert_true(n > 0);
	client->ops->close(client);
	server->ops->close(server);
}

/* A socket that a killed process left behind is in nobody's way. */
static void test_stale_socket(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct err err = { "" };
	struct port *p;

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/v.sock", dir);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_null(open_device("net_vhost0,iface=DIR/v.sock", &err));
	assert_non_null(strstr(err.text, "another process listens"));
	assert_int_equal(access(addr.sun_path, F_OK), 0);
	close(fd);
	assert_int_equal(access(addr.sun_path, F_OK), 0);
	p = must_open("net_vhost0,iface=DIR/v.sock");
	p->ops->close(p);
	assert_int_equal(access(addr.sun_path, F_OK), -1);
}

/* What is wrong, which device, and what to do. */
static void test_errors(void **state)
{
	static const struct {
		const char *devargs;
		const char *say[3];
	} rows[] = {
		{ "net_ixgbe0", { "net_ixgbe0", "linked are net_af_packet", "net_virtio_user" } },
		{ "0000:01:00.0", { "0000:01:00.0", "linked are" } },
		{ "net_af_packet0,iface=nosuch", { "net_af_packet0", "No such device", "iface=" } },
		{ "net_af_packet0", { "net_af_packet0", "iface=" } },
		{ "net_vhost0", { "net_vhost0", "iface=" } },
		{ "net_vhost0,iface=/no/such/dir/v.sock", { "cannot configure" } },
		{ "net_virtio_user0,path=/no/such/socket", { "net_virtio_user0", "path=" } },
		{ "net_null0,bogus=1", { "net_null0" } },
		{ ",", { "device's name" } },
	};
	unsigned fds = count_fds();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err err = { "" };

		assert_null(open_device(rows[i].devargs, &err));
		assert_null(strchr(err.text, '\n'));
		for (unsigned k = 0; k < 3 && rows[i].say[k]; k++)
			if (!strstr(err.text, rows[i].say[k]))
				fail_msg("%s: \"%s\" does not say \"%s\"", rows[i].devargs,
					err.text, rows[i].say[k]);
	}
	assert_int_equal(count_fds(), fds);
}

static void test_taken(void **state)
{
	struct port *p = must_open("net_null7");
	struct err err = { "" };

	assert_null(open_device("net_null7,size=100", &err));
	assert_non_null(strstr(err.text, "another port's"));
	use(p);
	p->ops->close(p);
	p = must_open("net_null7,size=100");
	p->ops->close(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_queues),
		cmocka_unit_test(test_memif),
		cmocka_unit_test(test_stale_socket),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_taken),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
