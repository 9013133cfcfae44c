/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/vsock/vsock_fixture.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <dirent.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_MS 30000

/* --- the process ----------------------------------------------------------------------------- */

static int bind_at(const char *path, int type)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	assert_true(fd >= 0);
	assert_return_code(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), errno);
	return fd;
}

static void await_readable(int fd, const char *what)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (poll(&p, 1, PATIENCE_MS) != 1)
		fail_msg("waited in vain for %s", what);
}

static _Noreturn void become(const struct vsock_lab *lab)
{
	char cid[16];

	snprintf(cid, sizeof(cid), "%d", GUEST_CID);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Guest memory that vanishes is the process's own to handle. */
	setenv("ASAN_OPTIONS", "handle_sigbus=0", 0);
	execl(getenv("SLUICE_VSOCK"), "sluice-vsock", "--device", lab->device, "--host", lab->host,
		"--cid", cid, "--log-level", "warn", NULL);
	_exit(127);
}

int lab_set_up(void **state)
{
	struct vsock_lab *lab = calloc(1, sizeof(*lab));
	char notify[96], text[64] = "";
	int fd;

	snprintf(lab->dir, sizeof(lab->dir), "/tmp/vsock.XXXXXX");
	assert_non_null(mkdtemp(lab->dir));
	snprintf(lab->device, sizeof(lab->device), "%s/device", lab->dir);
	snprintf(lab->host, sizeof(lab->host), "%s/host", lab->dir);
	snprintf(notify, sizeof(notify), "%s/notify", lab->dir);
	fd = bind_at(notify, SOCK_DGRAM);
	setenv("NOTIFY_SOCKET", notify, 1);
	lab->pid = fork();
	if (lab->pid == 0)
		become(lab);
	lab->pidfd = (int)syscall(SYS_pidfd_open, lab->pid, 0);
	await_readable(fd, "READY");
	assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
	assert_string_equal(text, "READY=1");
	close(fd);
	unlink(notify);
	*state = lab;
	return 0;
}

int lab_wait_exit(struct vsock_lab *lab)
{
	int status = 0;

	await_readable(lab->pidfd, "the process to end");
	assert_int_equal(waitpid(lab->pid, &status, 0), lab->pid);
	lab->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int lab_tear_down(void **state)
{
	struct vsock_lab *lab = *state;
	char command[128];

	frontend_close(&lab->f);
	if (lab->pid > 0) {
		kill(lab->pid, SIGKILL);
		waitpid(lab->pid, NULL, 0);
	}
	close(lab->pidfd);
	snprintf(command, sizeof(command), "rm -rf %s", lab->dir);
	(void)!system(command);
	free(lab);
	return 0;
}

void lab_boot(struct vsock_lab *lab, const struct front_layout *layout, uint64_t features)
{
	const struct frontend_options options = {
		.features = VF_VERSION_1 | VF_PROTOCOL_FEATURES | features,
		.protocol_features = VU_PROTOCOL_CONFIG | VU_PROTOCOL_REPLY_ACK,
		.no_header = true,
		.rx = *layout,
		.tx = { .first_piece = layout->first_piece, .indirect = layout->indirect },
	};

	if (frontend_open(&lab->f, lab->device, &options) < 0)
		fail_msg("%s", lab->f.why);
}

void lab_boot_simply(struct vsock_lab *lab)
{
	const struct front_layout layout = { .buffer_size = RX_SIZE, .first_piece = 44 };

	lab_boot(lab, &layout, VF_EVENT_IDX);
}

bool lab_is_alive(const struct vsock_lab *lab)
{
	struct pollfd p = { .fd = lab->pidfd, .events = POLLIN };

	return poll(&p, 1, 0) == 0;
}

unsigned lab_n_fds(const struct vsock_lab *lab)
{
	char path[64];
	unsigned n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)lab->pid);
	dir = opendir(path);
	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2;
}

void lab_await_n_fds(const struct vsock_lab *lab, unsigned n)
{
	for (int ms = 0; ms < PATIENCE_MS && lab_n_fds(lab) != n; ms += 10)
		poll(NULL, 0, 10);
	assert_int_equal(lab_n_fds(lab), n);
}

unsigned lab_memory_kib(const struct vsock_lab *lab)
{
	char path[64], line[128];
	unsigned kib = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)lab->pid);
	file = fopen(path, "r");
	assert_non_null(file);
	while (kib == 0 && fgets(line, sizeof(line), file))
		if (sscanf(line, "RssAnon: %u", &kib) != 1)
			kib = 0;
	fclose(file);
	return kib;
}

/* --- the guest ------------------------------------------------------------------------------- */

struct virtio_vsock_hdr guest_header(uint16_t op, uint32_t from, uint32_t to)
{
	return (struct virtio_vsock_hdr) {
		.src_cid = GUEST_CID,
		.dst_cid = HOST_CID,
		.src_port = from,
		.dst_port = to,
		.type = VIRTIO_VSOCK_TYPE_STREAM,
		.op = op,
		.buf_alloc = 262144,
	};
}

void guest_send_raw(
	struct vsock_lab *lab, const struct virtio_vsock_hdr *h, const void *data, size_t len)
{
	struct iovec iov[2] = {
		{ (void *)(uintptr_t)h, sizeof(*h) },
		{ (void *)(uintptr_t)data, len },
	};

	if (frontend_send(&lab->f, iov, len > 0 ? 2 : 1, NULL) < 0)
		fail_msg("%s", lab->f.why);
}

void guest_send(struct vsock_lab *lab, uint16_t op, uint32_t from, uint32_t to)
{
	struct virtio_vsock_hdr h = guest_header(op, from, to);

	guest_send_raw(lab, &h, NULL, 0);
}

void guest_write(struct vsock_lab *lab, uint32_t from, uint32_t to, const void *data, size_t len)
{
	struct virtio_vsock_hdr h = guest_header(VIRTIO_VSOCK_OP_RW, from, to);

	h.len = (uint32_t)len;
	guest_send_raw(lab, &h, data, len);
}

void guest_recv(struct vsock_lab *lab, struct packet *p)
{
	struct virtio_net_hdr_mrg_rxbuf unused;
	uint8_t buf[RX_SIZE];
	ssize_t n = frontend_recv(&lab->f, buf, sizeof(buf), &unused, PATIENCE_MS);

	if (n < 0)
		fail_msg("%s", lab->f.why);
	assert_true((size_t)n >= sizeof(p->h));
	memcpy(&p->h, buf, sizeof(p->h));
	p->len = (size_t)n - sizeof(p->h);
	memcpy(p->data, buf + sizeof(p->h), p->len);
	assert_int_equal(p->h.len, p->len);
	assert_int_equal(p->h.src_cid, HOST_CID);
	assert_int_equal(p->h.dst_cid, GUEST_CID);
}

void guest_expect(struct vsock_lab *lab, uint16_t op, struct packet *p)
{
	guest_recv(lab, p);
	assert_int_equal(p->h.op, op);
}

void guest_expect_nothing(struct vsock_lab *lab)
{
	struct packet p;

	guest_send(lab, VIRTIO_VSOCK_OP_RW, 77777, 66666);
	guest_expect(lab, VIRTIO_VSOCK_OP_RST, &p);
	assert_int_equal(p.h.dst_port, 77777);
	assert_int_equal(p.h.src_port, 66666);
}

/* --- the host -------------------------------------------------------------------------------- */

int host_say(struct vsock_lab *lab, const char *text)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", lab->host);
	assert_true(fd >= 0);
	assert_return_code(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), errno);
	/* It may have been refused already: whoever wants an answer sees that there is none. */
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) != (ssize_t)strlen(text))
		assert_int_equal(errno, EPIPE);
	return fd;
}

int host_connect(struct vsock_lab *lab, uint32_t port, uint32_t *host_port)
{
	char text[32];
	struct packet p;
	int fd;

	snprintf(text, sizeof(text), "CONNECT %u\n", port);
	fd = host_say(lab, text);
	guest_expect(lab, VIRTIO_VSOCK_OP_REQUEST, &p);
	assert_int_equal(p.h.dst_port, port);
	assert_int_equal(p.h.buf_alloc, WINDOW);
	guest_send(lab, VIRTIO_VSOCK_OP_RESPONSE, port, p.h.src_port);
	*host_port = p.h.src_port;
	snprintf(text, sizeof(text), "OK %u\n", p.h.src_port);
	for (const char *c = text; *c; c++) {
		char got;

		host_read(fd, &got, 1);
		assert_int_equal(got, *c);
	}
	return fd;
}

int host_listen(struct vsock_lab *lab, uint32_t port)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s_%u", lab->host, port);
	fd = bind_at(path, SOCK_STREAM);
	assert_return_code(listen(fd, 4096), errno);
	return fd;
}

void host_read(int fd, void *data, size_t len)
{
	size_t have = 0;

	while (have < len) {
		ssize_t n;

		await_readable(fd, "the stream to go on");
		n = recv(fd, (uint8_t *)data + have, len - have, 0);
		assert_true(n > 0);
		have += (size_t)n;
	}
}

void host_expect_end(int fd)
{
	char byte;

	await_readable(fd, "the stream's end");
	assert_true(recv(fd, &byte, 1, 0) <= 0);
}
