/* SPDX-License-Identifier: BSD-3-Clause */

/* The relay between two peers that are ours: what passes, what it answers, what ends it. */

#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "launcher/storage/fs_relay.h"
#include "lib/unix_socket.h"
#include "tests/fakes/vhost_wire.h"

#define PATIENCE_MS 30000

struct wire {
	uint32_t request, flags, size;
	uint8_t payload[400];
} __attribute__((packed));

struct bed {
	int vmm, front, back, backend; /* the peers' ends and the relay's */
	pthread_t thread;
	int ret;
	int lowest; /* free descriptor, before the relay ran */
};

static void *relay_thread(void *arg)
{
	struct bed *bed = arg;
	struct fs_relay relay;
	struct err err = { "" };

	assert_int_equal(fs_relay_init(&relay, "sluice", &err), 0);
	bed->ret = fs_relay_run(&relay, bed->front, bed->back, &err);
	assert_int_equal(bed->ret < 0, err.text[0] != '\0');
	shutdown(bed->front, SHUT_RDWR);
	shutdown(bed->back, SHUT_RDWR);
	return NULL;
}

static int lowest_free(void)
{
	int fd = dup(0);

	assert_true(fd >= 0);
	close(fd);
	return fd;
}

static void bed_open(struct bed *bed)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	bed->vmm = pair[0];
	bed->front = pair[1];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	bed->backend = pair[0];
	bed->back = pair[1];
	bed->lowest = lowest_free();
	assert_int_equal(pthread_create(&bed->thread, NULL, relay_thread, bed), 0);
}

/* Waits for the relay's end, and says how it ended. None of its descriptors is left. */
static int bed_join(struct bed *bed)
{
	pthread_join(bed->thread, NULL);
	assert_int_equal(lowest_free(), bed->lowest);
	close(bed->vmm);
	close(bed->front);
	close(bed->back);
	close(bed->backend);
	return bed->ret;
}

/* A VMM that hangs up, which is how it is meant to end. */
static void bed_close(struct bed *bed)
{
	shutdown(bed->vmm, SHUT_RDWR);
	assert_int_equal(bed_join(bed), 0);
}

static struct wire message(uint32_t request, uint32_t flags, const void *payload, uint32_t size)
{
	struct wire w = { request, VU_VERSION | flags, size };

	if (size <= sizeof(w.payload) && payload != NULL)
		memcpy(w.payload, payload, size);
	return w;
}

static void send_wire(int fd, const struct wire *w, const int *fds, size_t n_fds)
{
	size_t len = 12 + w->size;

	assert_int_equal(unix_send_fds(fd, w, len, fds, n_fds), len);
}

/* The next message, as a whole; false: the relay hung up. */
static bool receive(int fd, struct wire *w, int *fds, size_t *n_fds)
{
	size_t have = 0, room = *n_fds;

	*n_fds = 0;
	memset(w, 0, sizeof(*w));
	while (have < 12 || have < 12 + w->size) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };
		size_t want = have < 12 ? 12 - have : 12 + w->size - have, n_here = room - *n_fds;
		ssize_t n;

		assert_int_equal(poll(&pfd, 1, PATIENCE_MS), 1);
		n = unix_recv_fds(fd, (uint8_t *)w + have, want, fds + *n_fds, &n_here);
		*n_fds += n_here;
		if (n <= 0)
			return false;
		have += (size_t)n;
	}
	return true;
}

static struct wire expect(int fd, uint32_t request)
{
	struct wire w;
	int fds[8];
	size_t n_fds = 8;

	assert_true(receive(fd, &w, fds, &n_fds));
	assert_int_equal(w.request, request);
	assert_int_equal(n_fds, 0);
	return w;
}

static uint64_t number(const struct wire *w)
{
	uint64_t value;

	assert_int_equal(w->size, sizeof(value));
	memcpy(&value, w->payload, sizeof(value));
	return value;
}

static void expect_hang_up(int fd)
{
	struct wire w;
	int fds[8];
	size_t n_fds = 8;

	assert_false(receive(fd, &w, fds, &n_fds));
}

/* --- features -------------------------------------------------------------------------------- */

/* The front-end accepts these protocol features: what the back-end gets to hear. */
static uint64_t accept_features(struct bed *bed, uint64_t features)
{
	struct wire w = message(VU_SET_PROTOCOL_FEATURES, 0, &features, sizeof(features));

	send_wire(bed->vmm, &w, NULL, 0);
	w = expect(bed->backend, VU_SET_PROTOCOL_FEATURES);
	return number(&w);
}

static void test_offers_config(void **state)
{
	const uint64_t its = VU_PROTOCOL_MQ | VU_PROTOCOL_REPLY_ACK;
	struct bed bed;
	struct wire w;

	bed_open(&bed);
	w = message(VU_GET_PROTOCOL_FEATURES, 0, NULL, 0);
	send_wire(bed.vmm, &w, NULL, 0);
	w = expect(bed.backend, VU_GET_PROTOCOL_FEATURES);
	assert_int_equal(w.flags, VU_VERSION);
	w = message(VU_GET_PROTOCOL_FEATURES, VU_REPLY, &its, sizeof(its));
	send_wire(bed.backend, &w, NULL, 0);
	w = expect(bed.vmm, VU_GET_PROTOCOL_FEATURES);
	assert_int_equal(w.flags, VU_VERSION | VU_REPLY);
	assert_true(number(&w) == (its | VU_PROTOCOL_CONFIG));
	assert_true(accept_features(&bed, its | VU_PROTOCOL_CONFIG) == its);
	bed_close(&bed);
}

/* --- the configuration ----------------------------------------------------------------------- */

static struct wire ask_config(struct bed *bed, uint32_t offset, uint32_t size)
{
	uint8_t payload[12 + 256] = { 0 };
	struct wire w;

	memcpy(payload, &offset, 4);
	memcpy(payload + 4, &size, 4);
	/* as UML: with room for the answer; a size beyond what fits is said, not sent */
	w = message(VU_GET_CONFIG, 0, payload, 12 + (size <= 256 ? size : 0));
	send_wire(bed->vmm, &w, NULL, 0);
	w = expect(bed->vmm, VU_GET_CONFIG);
	assert_int_equal(w.flags, VU_VERSION | VU_REPLY);
	return w;
}

static void test_answers_config(void **state)
{
	static const uint8_t whole[40] =
		"sluice\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
		"\0\0\0\0\1\0\0";
	static const struct {
		uint32_t offset, size;
		bool good;
	} rows[] = { { 0, 40, true }, { 0, 36, true }, { 36, 4, true }, { 40, 0, true },
		{ 0, 41, false }, { 37, 4, false }, { 41, 0, false }, { UINT32_MAX, 1, false },
		{ 1, UINT32_MAX, false }, { UINT32_MAX, UINT32_MAX, false } };
	struct bed bed;

	bed_open(&bed);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct wire w = ask_config(&bed, rows[i].offset, rows[i].size);

		assert_int_equal(w.size, rows[i].good ? 12 + rows[i].size : 0);
		if (rows[i].good)
			assert_memory_equal(w.payload + 12, whole + rows[i].offset, rows[i].size);
	}
	/* The back-end heard of nothing: this is the first that it gets. */
	assert_true(accept_features(&bed, 0) == 0);
	bed_close(&bed);
}

static void test_refuses_to_write_config(void **state)
{
	const uint8_t payload[16] = { 0, 0, 0, 0, 4 };
	struct bed bed;
	struct wire w;

	bed_open(&bed);
	w = message(VU_SET_CONFIG, VU_NEED_REPLY, payload, sizeof(payload));
	send_wire(bed.vmm, &w, NULL, 0); /* REPLY_ACK was not accepted: no answer */
	assert_true(accept_features(&bed, VU_PROTOCOL_REPLY_ACK) == VU_PROTOCOL_REPLY_ACK);
	send_wire(bed.vmm, &w, NULL, 0);
	w = expect(bed.vmm, VU_SET_CONFIG);
	assert_true(number(&w) != 0);
	bed_close(&bed);
}

static void await_bytes(int fd, int n)
{
	int has = 0;

	for (int ms = 0; ms < PATIENCE_MS && has < n; ms++) {
		usleep(1000);
		assert_return_code(ioctl(fd, FIONREAD, &has), errno);
	}
	if (has < n)
		fail_msg("%d bytes have come, not %d", has, n);
}

/* UML has missed the one interrupt that virtiofsd raised. */
static void test_raises_lost_interrupts(void **state)
{
	uint64_t ring = 1, value;
	struct bed bed;
	struct wire w;
	int call[2], got[1];
	size_t n_fds = 1;

	bed_open(&bed);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, call), 0);
	w = message(VU_SET_VRING_CALL, 0, &ring, sizeof(ring));
	send_wire(bed.vmm, &w, &call[1], 1);
	close(call[1]);
	assert_true(receive(bed.backend, &w, got, &n_fds));
	assert_int_equal(n_fds, 1);
	value = 1;
	assert_int_equal(write(got[0], &value, sizeof(value)), sizeof(value));
	/* Unread for long enough: the first of them is virtiofsd's. */
	await_bytes(call[0], 2 * sizeof(value));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(read(call[0], &value, sizeof(value)), sizeof(value));
		assert_int_equal(value, 1);
	}
	close(got[0]);
	close(call[0]);
	bed_close(&bed);
}

static void test_tag_lengths(void **state)
{
	const char *longest = "123456789012345678901234567890123456";
	struct fs_relay relay;
	struct err err = { "" };

	assert_int_equal(fs_relay_init(&relay, longest, &err), 0);
	assert_memory_equal(relay.config.tag, longest, 36);
	assert_int_equal(fs_relay_init(&relay, "", &err), -EINVAL);
	assert_int_equal(
		fs_relay_init(&relay, "1234567890123456789012345678901234567", &err), -EINVAL);
}

/* --- everything else ------------------------------------------------------------------------- */

static bool same_file(int a, int b)
{
	uint8_t byte = 7;

	assert_int_equal(write(a, &byte, 1), 1);
	byte = 0;
	return read(b, &byte, 1) == 1 && byte == 7;
}

/* A message with two descriptors, sent so that the first byte goes alone, from `from` to `to`. */
static void pass_with_fds(int from, int to, uint32_t request, uint32_t flags)
{
	struct wire w = message(request, flags, "12345678", 8), got;
	int first[2], second[2], fds[8];
	size_t n_fds = 8;

	assert_int_equal(pipe(first), 0);
	assert_int_equal(pipe(second), 0);
	assert_int_equal(unix_send_fds(from, &w, 1, &first[0], 1), 1);
	assert_int_equal(unix_send_fds(from, (uint8_t *)&w + 1, 19, &second[0], 1), 19);
	assert_true(receive(to, &got, fds, &n_fds));
	assert_int_equal(got.request, request);
	assert_int_equal(got.flags, VU_VERSION | flags);
	assert_int_equal(got.size, 8);
	assert_memory_equal(got.payload, "12345678", 8);
	assert_int_equal(n_fds, 2);
	assert_true(same_file(first[1], fds[0]));
	assert_true(same_file(second[1], fds[1]));
	for (int i = 0; i < 2; i++) {
		close(fds[i]);
		close(first[i]);
		close(second[i]);
	}
}

static void test_passes_the_rest(void **state)
{
	struct bed bed;

	bed_open(&bed);
	pass_with_fds(bed.vmm, bed.backend, VU_SET_BACKEND_REQ_FD, 0);
	pass_with_fds(bed.vmm, bed.backend, VU_SET_VRING_CALL, VU_NEED_REPLY);
	pass_with_fds(bed.backend, bed.vmm, VU_GET_INFLIGHT_FD, VU_REPLY);
	pass_with_fds(bed.vmm, bed.backend, 12345, 0); /* of a later version of the protocol */
	bed_close(&bed);
}

/* More requests than the back-end's socket takes in, before it reads any. */
static void test_waits_for_a_slow_backend(void **state)
{
	struct bed bed;

	bed_open(&bed);
	for (uint64_t i = 0; i < 320; i++) {
		struct wire w = message(VU_SET_FEATURES, 0, &i, sizeof(i));
		struct pollfd pfd = { .fd = bed.vmm, .events = POLLOUT };

		assert_int_equal(poll(&pfd, 1, PATIENCE_MS), 1);
		send_wire(bed.vmm, &w, NULL, 0);
	}
	for (uint64_t i = 0; i < 320; i++) {
		struct wire w = expect(bed.backend, VU_SET_FEATURES);

		assert_true(number(&w) == i);
	}
	bed_close(&bed);
}

/* --- hostile peers --------------------------------------------------------------------------- */

static void test_ends_at_nonsense(void **state)
{
	static const struct {
		uint32_t request, flags, size;
		bool from_backend;
	} rows[] = {
		{ VU_GET_FEATURES, 2, 0, false },
		{ VU_GET_FEATURES, 0, 0, false },
		{ VU_GET_FEATURES, VU_VERSION, UINT32_MAX, false },
		{ VU_GET_FEATURES, VU_VERSION, 300, false },
		{ VU_GET_FEATURES, VU_VERSION | VU_REPLY, 8, false },
		{ VU_GET_CONFIG, VU_VERSION, 11, false },
		{ VU_SET_PROTOCOL_FEATURES, VU_VERSION, 4, false },
		{ VU_GET_FEATURES, VU_VERSION, 8, true },
		{ VU_GET_FEATURES, VU_REPLY, 8, true },
		{ VU_GET_FEATURES, VU_VERSION | VU_REPLY, UINT32_MAX, true },
		{ VU_GET_PROTOCOL_FEATURES, VU_VERSION | VU_REPLY, 0, true },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct wire w = { rows[i].request, rows[i].flags, rows[i].size };
		size_t len = 12 + (w.size <= sizeof(w.payload) ? w.size : 0);
		struct bed bed;

		bed_open(&bed);
		assert_int_equal(unix_send_fds(rows[i].from_backend ? bed.backend : bed.vmm, &w,
					 len, NULL, 0),
			len);
		expect_hang_up(rows[i].from_backend ? bed.vmm : bed.backend);
		assert_int_equal(bed_join(&bed), -EPROTO);
	}
}

static void test_ends_at_too_many_descriptors(void **state)
{
	struct wire w = message(VU_SET_OWNER, 0, NULL, 0);
	struct bed bed;
	int fds[9];

	for (size_t i = 0; i < 9; i++)
		fds[i] = 0;
	bed_open(&bed);
	send_wire(bed.vmm, &w, fds, 9);
	expect_hang_up(bed.backend);
	assert_int_equal(bed_join(&bed), -EPROTO);
}

/* Half a message and its descriptor, then the end. */
static void test_ends_within_a_message(void **state)
{
	struct wire w = message(VU_SET_VRING_KICK, 0, "12345678", 8);
	struct bed bed;
	int fd = 0;

	bed_open(&bed);
	assert_int_equal(unix_send_fds(bed.vmm, &w, 15, &fd, 1), 15);
	bed_close(&bed);
}

static void test_ends_with_the_backend(void **state)
{
	struct bed bed;

	bed_open(&bed);
	shutdown(bed.backend, SHUT_RDWR);
	expect_hang_up(bed.vmm);
	assert_int_equal(bed_join(&bed), FS_RELAY_BACK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_offers_config),
		cmocka_unit_test(test_answers_config),
		cmocka_unit_test(test_refuses_to_write_config),
		cmocka_unit_test(test_raises_lost_interrupts),
		cmocka_unit_test(test_tag_lengths),
		cmocka_unit_test(test_passes_the_rest),
		cmocka_unit_test(test_waits_for_a_slow_backend),
		cmocka_unit_test(test_ends_at_nonsense),
		cmocka_unit_test(test_ends_at_too_many_descriptors),
		cmocka_unit_test(test_ends_within_a_message),
		cmocka_unit_test(test_ends_with_the_backend),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
