/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * sluice-vsock itself (the binary named by $SLUICE_VSOCK) between a guest of our own and clients of
 * the host. Everything waits for an event and is bounded in time; what fails fails the test.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/virtio_vsock.h>

#include "tests/fakes/front_net.h"
#include "tests/fakes/vhost_frontend.h"

#define GUEST_CID   42
#define HOST_CID    2
#define WINDOW      131072u /* what the device lets a guest send */
#define RX_SIZE     4140u   /* of the guest's buffers */
#define PAYLOAD_MAX (RX_SIZE - 44)

struct vsock_lab {
	char dir[64];
	char device[96], host[96];
	pid_t pid;
	int pidfd;
	struct frontend f;
};

struct packet {
	struct virtio_vsock_hdr h;
	uint8_t data[PAYLOAD_MAX];
	size_t len; /* of data */
};

/* cmocka's set-up and tear-down: starts the process; ends it if a test has not. */
int lab_set_up(void **state);
int lab_tear_down(void **state);

/* Its driver comes up; `rx` buffers are as `layout` says. */
void lab_boot(struct vsock_lab *lab, const struct front_layout *layout, uint64_t features);
void lab_boot_simply(struct vsock_lab *lab);

/* The exit status, within half a minute. */
int lab_wait_exit(struct vsock_lab *lab);
bool lab_is_alive(const struct vsock_lab *lab);
unsigned lab_n_fds(const struct vsock_lab *lab);
/* It comes to have so many. */
void lab_await_n_fds(const struct vsock_lab *lab, unsigned n);
unsigned lab_memory_kib(const struct vsock_lab *lab);

/* --- the guest ------------------------------------------------------------------------------- */

/* A header from the guest's port `from` to the host's port `to`, with a window of 256 KiB. */
struct virtio_vsock_hdr guest_header(uint16_t op, uint32_t from, uint32_t to);

/* Sends the header, whatever it says, and `len` bytes. */
void guest_send_raw(
	struct vsock_lab *lab, const struct virtio_vsock_hdr *h, const void *data, size_t len);
void guest_send(struct vsock_lab *lab, uint16_t op, uint32_t from, uint32_t to);
void guest_write(struct vsock_lab *lab, uint32_t from, uint32_t to, const void *data, size_t len);

/* The next packet, whatever it is; its addresses must be right. */
void guest_recv(struct vsock_lab *lab, struct packet *p);
/* It must be this. */
void guest_expect(struct vsock_lab *lab, uint16_t op, struct packet *p);
/* Nothing has come but what a packet for nobody is answered with. */
void guest_expect_nothing(struct vsock_lab *lab);

/* --- the host -------------------------------------------------------------------------------- */

/* A client that has said this. */
int host_say(struct vsock_lab *lab, const char *text);
/* A client whose connection to guest port `port` the guest has accepted; *host_port is its own. */
int host_connect(struct vsock_lab *lab, uint32_t port, uint32_t *host_port);
/* Listens for what the guest sends to `port`. */
int host_listen(struct vsock_lab *lab, uint32_t port);

/* Reads exactly `len` bytes. */
void host_read(int fd, void *data, size_t len);
/* The end of the stream comes next. */
void host_expect_end(int fd);
