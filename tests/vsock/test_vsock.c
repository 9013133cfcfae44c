/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * sluice-vsock, as a guest that keeps the rules and the host's processes see it.
 */

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/vsock_config.h"
#include "switch/vsock/vsock_connect.h"
#include "tests/vsock/vsock_fixture.h"

#define PORT 1024u

static uint8_t bytes[16 * WINDOW];

static void fill_bytes(void)
{
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + i / 251);
}

/* --- the device ------------------------------------------------------------------------------ */

static void test_device_tells_its_cid(void **state)
{
	struct vsock_lab *lab = *state;
	uint64_t cid = 0;
	struct stat st;

	lab_boot_simply(lab);
	assert_return_code(frontend_get_config(&lab->f, 0, &cid, sizeof(cid)), errno);
	assert_int_equal(cid, GUEST_CID);
	assert_true(lab->f.offered & VF_VERSION_1 && lab->f.offered & VF_INDIRECT);
	assert_false(lab->f.protocol_offered & VU_PROTOCOL_STATUS);
	assert_return_code(stat(lab->host, &st), errno);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_return_code(stat(lab->device, &st), errno);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void test_client_before_the_driver_is_closed(void **state)
{
	struct vsock_lab *lab = *state;
	int fd = host_say(lab, "CONNECT 1024\n");

	host_expect_end(fd);
	close(fd);
	lab_boot_simply(lab);
	guest_expect_nothing(lab);
}

static void test_process_ends_with_its_vmm(void **state)
{
	struct vsock_lab *lab = *state;
	uint32_t host_port;
	char got[5];
	int fd;

	lab_boot_simply(lab);
	fd = host_connect(lab, PORT, &host_port);
	guest_write(lab, PORT, host_port, "final", 5);
	frontend_disconnect(&lab->f);
	host_read(fd, got, 5);
	assert_memory_equal(got, "final", 5);
	host_expect_end(fd);
	assert_int_equal(lab_wait_exit(lab), 0);
	assert_int_equal(access(lab->host, F_OK), -1);
	assert_int_equal(access(lab->device, F_OK), -1);
	close(fd);
}

/* What the guest sent before its end still reaches a client that is slow. */
static void test_last_words_are_delivered(void **state)
{
	static uint8_t got[WINDOW];
	struct vsock_lab *lab = *state;
	uint32_t host_port;
	int fd, size = 4096;

	fill_bytes();
	lab_boot_simply(lab);
	fd = host_connect(lab, PORT, &host_port);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	guest_write(lab, PORT, host_port, bytes, WINDOW / 2);
	guest_write(lab, PORT, host_port, bytes + WINDOW / 2, WINDOW / 2);
	frontend_disconnect(&lab->f);
	host_read(fd, got, WINDOW);
	assert_memory_equal(got, bytes, WINDOW);
	host_expect_end(fd);
	assert_int_equal(lab_wait_exit(lab), 0);
	close(fd);
}

static void test_probe_is_no_vmm(void **state)
{
	struct vsock_lab *lab = *state;
	const struct frontend_options options = { .no_header = true };

	assert_return_code(frontend_init(&lab->f, &options), errno);
	assert_return_code(frontend_connect(&lab->f, lab->device), errno);
	frontend_close(&lab->f);
	lab_boot_simply(lab);
	guest_expect_nothing(lab);
}

static void test_sigterm(void **state)
{
	struct vsock_lab *lab = *state;
	uint32_t host_port;
	int fd;

	lab_boot_simply(lab);
	fd = host_connect(lab, PORT, &host_port);
	kill(lab->pid, SIGTERM);
	assert_int_equal(lab_wait_exit(lab), 0);
	host_expect_end(fd);
	assert_int_equal(access(lab->host, F_OK), -1);
	assert_int_equal(access(lab->device, F_OK), -1);
	close(fd);
}

static void test_driver_that_stops_forgets_all(void **state)
{
	struct vsock_lab *lab = *state;
	uint32_t host_port;
	uint16_t base;
	int fd;

	lab_boot_simply(lab);
	fd = host_connect(lab, PORT, &host_port);
	assert_return_code(frontend_stop_queue(&lab->f, 0, &base), errno);
	host_expect_end(fd);
	close(fd);
	fd = host_say(lab, "CONNECT 1\n");
	host_expect_end(fd);
	close(fd);
	assert_true(lab_is_alive(lab));
}

/* --- connections ----------------------------------------------------------------------------- */

static void both_ways(struct vsock_lab *lab)
{
	struct packet p;
	uint32_t host_port;
	char got[6];
	int fd = host_connect(lab, PORT, &host_port);

	assert_int_equal(send(fd, "hello", 5, 0), 5);
	guest_expect(lab, VIRTIO_VSOCK_OP_RW, &p);
	assert_int_equal(p.len, 5);
	assert_memory_equal(p.data, "hello", 5);
	assert_int_equal(p.h.src_port, host_port);
	assert_int_equal(p.h.dst_port, PORT);
	guest_write(lab, PORT, host_port, "answer", 6);
	host_read(fd, got, 6);
	assert_memory_equal(got, "answer", 6);
	close(fd);
	guest_expect(lab, VIRTIO_VSOCK_OP_SHUTDOWN, &p);
	assert_int_equal(p.h.flags, VIRTIO_VSOCK_SHUTDOWN_RCV | VIRTIO_VSOCK_SHUTDOWN_SEND);
	guest_send(lab, VIRTIO_VSOCK_OP_RST, PORT, host_port);
	guest_expect_nothing(lab);
}

static void test_both_ways_on_every_kind_of_ring(void **state)
{
	static const struct {
		struct front_layout layout;
		uint64_t features;
	} kinds[] = {
		{ { .buffer_size = RX_SIZE }, 0 },
		{ { .buffer_size = RX_SIZE, .first_piece = 44 }, VF_EVENT_IDX },
		{ { .buffer_size = RX_SIZE, .first_piece = 7, .n_pieces = 3 }, 0 },
		{ { .buffer_size = RX_SIZE, .first_piece = 44, .indirect = true },
			VF_INDIRECT | VF_EVENT_IDX },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		lab_boot(*state, &kinds[i].layout, kinds[i].features);
		both_ways(*state);
		assert_int_equal(lab_tear_down(state), 0);
		assert_int_equal(lab_set_up(state), 0);
	}
}

static void test_refused_connection_has_no_line(void **state)
{
	struct vsock_lab *lab = *state;
	struct packet p;
	int fd;

	lab_boot_simply(lab);
	fd = host_say(lab, "CONNECT 5\n");
	guest_expect(lab, VIRTIO_VSOCK_OP_REQUEST, &p);
	guest_send(lab, VIRTIO_VSOCK_OP_RST, 5, p.h.src_port);
	host_expect_end(fd);
	close(fd);
	guest_expect_nothing(lab);
}

/* What a client sends behind its line is the stream's beginning. */
static void test_nothing_behind_the_line_is_lost(void **state)
{
	struct vsock_lab *lab = *state;
	struct packet p;
	int fd;

	lab_boot_simply(lab);
	fd = host_say(lab, "CONNECT 5\nCONNECT 6\n");
	guest_expect(lab, VIRTIO_VSOCK_OP_REQUEST, &p);
	guest_send(lab, VIRTIO_VSOCK_OP_RESPONSE, 5, p.h.src_port);
	guest_expect(lab, VIRTIO_VSOCK_OP_RW, &p);
	assert_int_equal(p.len, 10);
	assert_memory_equal(p.data, "CONNECT 6\n", 10);
	close(fd);
}

static void test_client_that_gives_up(void **state)
{
	struct vsock_lab *lab = *state;
	struct packet p;
	int fd;

	lab_boot_simply(lab);
	fd = host_say(lab, "CONNECT 5\n");
	guest_expect(lab, VIRTIO_VSOCK_OP_REQUEST, &p);
	close(fd);
	guest_expect(lab, VIRTIO_VSOCK_OP_RST, &p);
	assert_int_equal(p.h.dst_port, 5);
	/* Gone before its line is read, or just after. */
	close(host_say(lab, "CONNECT 6\n"));
	guest_send(lab, VIRTIO_VSOCK_OP_RW, 1, 2);
	for (p.h.dst_port = 0; p.h.dst_port != 1;) {
		guest_recv(lab, &p);
		assert_true(p.h.dst_port == 1 || p.h.dst_port == 6);
	}
	assert_true(lab_is_alive(lab));
}

static void test_guest_connects(void **state)
{
	struct vsock_lab *lab = *state;
	int listener = host_listen(lab, 99), fd;
	struct packet p;
	char got[3];

	lab_boot_simply(lab);
	guest_send(lab, VIRTIO_VSOCK_OP_REQUEST, 500, 99);
	guest_expect(lab, VIRTIO_VSOCK_OP_RESPONSE, &p);
	assert_int_equal(p.h.buf_alloc, WINDOW);
	fd = accept(listener, NULL, NULL);
	assert_true(fd >= 0);
	guest_write(lab, 500, 99, "abc", 3);
	host_read(fd, got, 3);
	assert_memory_equal(got, "abc", 3);
	guest_send(lab, VIRTIO_VSOCK_OP_REQUEST, 500, 98); /* where nobody listens */
	guest_expect(lab, VIRTIO_VSOCK_OP_RST, &p);
	assert_int_equal(p.h.src_port, 98);
	close(fd);
	close(listener);
}

static void guest_shuts(struct vsock_lab *lab, uint32_t host_port, uint32_t flags)
{
	struct virtio_vsock_hdr h = guest_header(VIRTIO_VSOCK_OP_SHUTDOWN, PORT, host_port);

	h.flags = flags;
	guest_send_raw(lab, &h, NULL, 0);
}

static void test_half_close(void **state)
{
	struct vsock_lab *lab = *state;
	uint32_t host_port;
	struct packet p;
	char got[4];
	int fd;

	lab_boot_simply(lab);
	fd = host_connect(lab, PORT, &host_port);
	send(fd, "last", 4, 0);
	shutdown(fd, SHUT_WR);
	guest_expect(lab, VIRTIO_VSOCK_OP_RW, &p);
	guest_expect(lab, VIRTIO_VSOCK_OP_SHUTDOWN, &p);
	assert_int_equal(p.h.flags, VIRTIO_VSOCK_SHUTDOWN_SEND);
	guest_write(lab, PORT, host_port, "more", 4);
	guest_shuts(lab, host_port, VIRTIO_VSOCK_SHUTDOWN_RCV | VIRTIO_VSOCK_SHUTDOWN_SEND);
	host_read(fd, got, 4);
	assert_memory_equal(got, "more", 4);
	host_expect_end(fd);
	guest_expect(lab, VIRTIO_VSOCK_OP_RST, &p);
	close(fd);
	guest_expect_nothing(lab);
}

static void test_guest_half_closes(void **state)
{
	struct vsock_lab *lab = *state;
	uint32_t host_port;
	struct packet p;
	int fd;

	lab_boot_simply(lab);
	fd = host_connect(lab, PORT, &host_port);
	guest_shuts(lab, host_port, VIRTIO_VSOCK_SHUTDOWN_SEND);
	host_expect_end(fd);
	send(fd, "still", 5, 0);
	guest_expect(lab, VIRTIO_VSOCK_OP_RW, &p);
	assert_memory_equal(p.data, "still", 5);
	guest_shuts(lab, host_port, VIRTIO_VSOCK_SHUTDOWN_RCV);
	guest_expect(lab, VIRTIO_VSOCK_OP_RST, &p);
	assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), -1);
	close(fd);
}

/* --- credit ---------------------------------------------------------------------------------- */

static void test_guest_gets_no_more_than_its_credit(void **state)
{
	struct vsock_lab *lab = *state;
	struct virtio_vsock_hdr h;
	uint32_t host_port;
	struct packet p;
	int fd;

	lab_boot_simply(lab);
	fd = host_connect(lab, PORT, &host_port);
	h = guest_header(VIRTIO_VSOCK_OP_CREDIT_UPDATE, PORT, host_port);
	h.buf_alloc = 10;
	guest_send_raw(lab, &h, NULL, 0);
	guest_expect_nothing(lab);
	send(fd, "0123456789abcdef", 16, 0);
	guest_expect(lab, VIRTIO_VSOCK_OP_RW, &p);
	assert_int_equal(p.len, 10);
	guest_expect(lab, VIRTIO_VSOCK_OP_CREDIT_REQUEST, &p);
	guest_expect_nothing(lab);
	h.fwd_cnt = 4;
	guest_send_raw(lab, &h, NULL, 0);
	guest_expect(lab, VIRTIO_VSOCK_OP_RW, &p);
	assert_int_equal(p.len, 4);
	assert_memory_equal(p.data, "abcd", 4);
	close(fd);
}

static void test_credit_is_told_when_asked_for(void **state)
{
	struct vsock_lab *lab = *state;
	uint32_t host_port;
	struct packet p;
	char got[100];
	int fd;

	lab_boot_simply(lab);
	fd = host_connect(lab, PORT, &host_port);
	guest_write(lab, PORT, host_port, bytes, 100);
	host_read(fd, got, 100);
	guest_send(lab, VIRTIO_VSOCK_OP_CREDIT_REQUEST, PORT, host_port);
	guest_expect(lab, VIRTIO_VSOCK_OP_CREDIT_UPDATE, &p);
	assert_int_equal(p.h.fwd_cnt, 100);
	assert_int_equal(p.h.buf_alloc, WINDOW);
	close(fd);
}

/* A client that reads nothing stops its guest when the window is full, and nobody else. */
static void test_slow_client_holds_up_nobody_else(void **state)
{
	static uint8_t got[sizeof(bytes)];
	struct vsock_lab *lab = *state;
	uint32_t slow_port, quick_port, sent = 0, told = 0;
	struct packet p = { .h.fwd_cnt = 0 };
	int slow, quick;

	fill_bytes();
	lab_boot_simply(lab);
	slow = host_connect(lab, PORT, &slow_port);
	quick = host_connect(lab, PORT + 1, &quick_port);
	/* The socket takes some, and each time the window moves on, until neither does. */
	do {
		told = p.h.fwd_cnt;
		for (; sent - told < WINDOW && sent < sizeof(bytes); sent += 4096)
			guest_write(lab, PORT, slow_port, bytes + sent, 4096);
		guest_send(lab, VIRTIO_VSOCK_OP_CREDIT_REQUEST, PORT, slow_port);
		guest_expect(lab, VIRTIO_VSOCK_OP_CREDIT_UPDATE, &p);
	} while (p.h.fwd_cnt != told);
	assert_int_equal(sent, told + WINDOW);
	guest_write(lab, PORT + 1, quick_port, "quick", 5);
	host_read(quick, got, 5);
	assert_memory_equal(got, "quick", 5);
	host_read(slow, got, sent);
	assert_memory_equal(got, bytes, sent);
	close(slow);
	close(quick);
}

/* --- the line -------------------------------------------------------------------------------- */

static ssize_t parse(const char *text, uint32_t *port)
{
	return vsock_connect_parse(text, strlen(text), port);
}

static void test_connect_line(void **state)
{
	static const char *const bad[] = { "\n", "CONNECT\n", "CONNECT \n", "CONNECT x\n",
		"connect 1\n", "CONNECT 1 \n", "CONNECT -1\n", "CONNECT 4294967295\n",
		"CONNECT 99999999999\n", "CONNECT 1\r\n", "GET / HTTP/1.0\n",
		"CONNECT 00000000000000000000000001" };
	static const char *const partial[] = { "", "C", "CONNECT ", "CONNECT 4294967294" };
	uint32_t port = 0;

	assert_int_equal(parse("CONNECT 0\n", &port), 10);
	assert_int_equal(port, 0);
	assert_int_equal(parse("CONNECT 4294967294\nrest", &port), 19);
	assert_int_equal(port, 4294967294u);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(parse(bad[i], &port), -EPROTO);
	for (size_t i = 0; i < sizeof(partial) / sizeof(partial[0]); i++)
		assert_int_equal(parse(partial[i], &port), 0);
}

static void test_wrong_lines_are_closed(void **state)
{
	struct vsock_lab *lab = *state;
	unsigned n_fds;
	int fd;

	lab_boot_simply(lab);
	n_fds = lab_n_fds(lab);
	fd = host_say(lab, "HELLO\n");
	host_expect_end(fd);
	close(fd);
	fd = host_say(lab, "CONNECT 99999999999999999999999999999999999999999");
	host_expect_end(fd);
	close(fd);
	fd = host_say(lab, "CONN"); /* and no more */
	close(fd);
	guest_expect_nothing(lab);
	lab_await_n_fds(lab, n_fds);
}

static int parse_words(const char *a, const char *b, const char *c, const char *d)
{
	const char *argv[] = { "sluice-vsock", a, b, c, d, NULL };
	struct vsock_config config;
	struct err err = { "" };
	int ret = vsock_config_parse(5, (char **)(uintptr_t)argv, &config, &err);

	assert_true((ret < 0) == (err.text[0] != '\0'));
	if (ret == VSOCK_CONFIG_RUN && a) {
		assert_string_equal(config.device, "/run/d");
		assert_string_equal(config.host, "/run/h");
		assert_int_equal(config.cid, 3);
		assert_int_equal(config.log_level, d ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
	}
	return ret;
}

static void test_command_line(void **state)
{
	const char *device = "--device=/run/d", *host = "--host=/run/h", *cid = "--cid=3";

	assert_int_equal(parse_words(device, host, cid, NULL), VSOCK_CONFIG_RUN);
	assert_int_equal(parse_words(device, host, cid, "--log-level=debug"), VSOCK_CONFIG_RUN);
	assert_int_equal(parse_words(device, "--help", "x", NULL), VSOCK_CONFIG_HELP);
	assert_int_equal(parse_words("-V", NULL, NULL, NULL), VSOCK_CONFIG_VERSION);
	assert_true(parse_words(device, host, NULL, NULL) < 0);
	assert_true(parse_words(device, cid, NULL, NULL) < 0);
	assert_true(parse_words(host, cid, NULL, NULL) < 0);
	assert_true(parse_words(device, host, "--cid=2", NULL) < 0);
	assert_true(parse_words(device, host, "--cid=4294967295", NULL) < 0);
	assert_true(parse_words("--device=d", host, cid, NULL) < 0);
	assert_true(parse_words(device, host, cid, "--what") < 0);
}

/* Neither starts: the first says so with status 1, and leaves what is there alone. */
static void test_sockets_in_use(void **state)
{
	struct vsock_lab *lab = *state;
	char command[512];

	snprintf(command, sizeof(command),
		"%s --device %s.2 --host %s --cid 5 2>/dev/null; [ $? = 1 ] && [ ! -e %s.2 ]",
		getenv("SLUICE_VSOCK"), lab->device, lab->host, lab->device);
	assert_int_equal(system(command), 0);
	snprintf(command, sizeof(command),
		"%s --device %s --host %s.2 --cid 5 2>/dev/null; [ $? = 1 ] && [ ! -e %s.2 ]",
		getenv("SLUICE_VSOCK"), lab->device, lab->host, lab->host);
	assert_int_equal(system(command), 0);
	lab_boot_simply(lab);
	guest_expect_nothing(lab);
}

#define with_lab(test) cmocka_unit_test_setup_teardown(test, lab_set_up, lab_tear_down)

static bool is_interrupted(int call, int ms)
{
	struct pollfd p = { .fd = call, .events = POLLIN };
	uint64_t one;

	return poll(&p, 1, ms) == 1 && read(call, &one, sizeof(one)) == sizeof(one);
}

/*
 * UML may lose an interrupt, and the one that follows as well: as long as one is unread there are
 * more. Nothing is read here for a while; once all are, it is over.
 */
static void test_lost_interrupts(void **state)
{
	struct vsock_lab *lab = *state;
	uint64_t rx = 0;
	int call[2];
	struct packet p;

	lab_boot(lab, &(struct front_layout) { .buffer_size = RX_SIZE }, 0);
	frontend_rx(&lab->f)->avail->flags = 0;
	assert_return_code(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, call), errno);
	assert_return_code(
		frontend_set(&lab->f, VU_SET_VRING_CALL, &rx, sizeof(rx), &call[1], 1), errno);
	guest_send(lab, VIRTIO_VSOCK_OP_RW, 1, 2);
	/* A kick by itself does not mean that it has noticed. */
	assert_int_equal(write(lab->f.queue[FRONT_TX].kick, &(uint64_t) { 1 }, 8), 8);
	for (int ms = 0, unread = 0; unread < 5 * (int)sizeof(rx); ms += 10) {
		assert_true(ms < 30000);
		poll(NULL, 0, 10);
		assert_return_code(ioctl(call[0], FIONREAD, &unread), errno);
	}
	for (int n = 0; is_interrupted(call[0], 200); n++)
		assert_true(n < 1000);
	guest_expect(lab, VIRTIO_VSOCK_OP_RST, &p);
	close(call[0]);
	close(call[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_lab(test_device_tells_its_cid),
		with_lab(test_client_before_the_driver_is_closed),
		with_lab(test_process_ends_with_its_vmm),
		with_lab(test_last_words_are_delivered),
		with_lab(test_probe_is_no_vmm),
		with_lab(test_sigterm),
		with_lab(test_driver_that_stops_forgets_all),
		with_lab(test_both_ways_on_every_kind_of_ring),
		with_lab(test_refused_connection_has_no_line),
		with_lab(test_nothing_behind_the_line_is_lost),
		with_lab(test_client_that_gives_up),
		with_lab(test_guest_connects),
		with_lab(test_half_close),
		with_lab(test_guest_half_closes),
		with_lab(test_guest_gets_no_more_than_its_credit),
		with_lab(test_credit_is_told_when_asked_for),
		with_lab(test_slow_client_holds_up_nobody_else),
		cmocka_unit_test(test_connect_line),
		with_lab(test_wrong_lines_are_closed),
		cmocka_unit_test(test_command_line),
		with_lab(test_sockets_in_use),
		with_lab(test_lost_interrupts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
