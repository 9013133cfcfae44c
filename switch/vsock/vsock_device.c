/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/vsock/vsock_device.h"

#include <endian.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <linux/virtio_config.h>
#include <linux/virtio_vsock.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/monotonic.h"
#include "switch/port/vhost_rings.h"

#define BIT(n) (1ull << (n))

/* Descriptors that are not connections'. */
#define OTHER_FDS 256

#define LINGER_STEP_MS 5
#define NUDGE_MS       1
#define NUDGE_AGAIN_MS 20

static struct vsock_device *device_of(struct vhost_user *vu)
{
	return (struct vsock_device *)((char *)vu - offsetof(struct vsock_device, vu));
}

/* --- a signal that hangs --------------------------------------------------------------------- */

#define HANG_S 1

static volatile sig_atomic_t alarm_is_set, is_needed;

/* A system call that hung returns EINTR. There is another alarm if there was work since the last:
 * so one that begins to hang just after this is found as well. */
static void on_alarm(int sig)
{
	alarm_is_set = is_needed;
	is_needed = 0;
	if (alarm_is_set)
		(void)alarm(HANG_S);
}

/* Costs a system call a second while there is work, none while there is none. */
static void set_alarm(void)
{
	is_needed = 1;
	if (alarm_is_set)
		return;
	alarm_is_set = 1;
	(void)alarm(HANG_S);
}

static int catch_alarm(void)
{
	const struct sigaction sa = { .sa_handler = on_alarm }; /* without SA_RESTART */

	return sigaction(SIGALRM, &sa, NULL) < 0 ? -errno : 0;
}

/* --- rounds ---------------------------------------------------------------------------------- */

static enum virtqueue_fault fault_of(const struct vsock_device *d)
{
	enum virtqueue_fault fault = VIRTQUEUE_FAULT_NONE;

	for (unsigned i = 0; i < VSOCK_N_RINGS && fault == VIRTQUEUE_FAULT_NONE; i++)
		fault = virtqueue_fault(&d->vu.ring[i]);
	return fault;
}

/* After whatever may have started, stopped or broken rings. */
static void look_at_rings(struct vsock_device *d)
{
	bool up = vsock_rings_up(&d->vsock.rings);
	enum virtqueue_fault fault = fault_of(d);

	if (up == d->up)
		return;
	d->up = up;
	if (up) {
		vhost_socket_good(&d->socket);
		log_limited(LOG_LEVEL_INFO, "driver is up",
			log_int("cid", (int64_t)d->vsock.guest_cid));
		return;
	}
	if (fault != VIRTQUEUE_FAULT_NONE)
		log_limited(LOG_LEVEL_WARN, "the driver broke its rings",
			log_str("reason", virtqueue_fault_text[fault]));
	else
		log_limited(LOG_LEVEL_INFO, "driver is down");
	vsock_forget_guest(&d->vsock);
}

/* What the VMM did, rather than its guest. */
static bool vmm_is_bad(struct vsock_device *d)
{
	enum virtqueue_fault fault = VIRTQUEUE_FAULT_NONE;

	if (guest_memory_lost(&d->vu.memory) || fault_of(d) == VIRTQUEUE_FAULT_MEMORY)
		fault = VIRTQUEUE_FAULT_MEMORY;
	else if (vhost_user_hung(&d->vu))
		fault = VIRTQUEUE_FAULT_SIGNAL;
	if (fault == VIRTQUEUE_FAULT_NONE)
		return false;
	vhost_socket_disconnect(&d->socket, virtqueue_fault_text[fault]);
	return true;
}

/*
 * UML (Linux 6.1) checks for work and then waits for a signal, in two steps: an interrupt between
 * them is handled, but what it woke up runs only after the next timer tick, 10 ms later. So a UML
 * guest that has not reacted after a while is interrupted once more. It may also have lost the
 * interrupt (launcher/storage/lost_calls.h), and the second: as long as one stays unread there are
 * more, for of what a stream has waiting nobody else reminds it. Other VMMs use eventfds and are
 * left in peace.
 */
static void nudge_ring(struct virtqueue *vq, bool *signalled, bool *nudged)
{
	*nudged = virtqueue_usable(vq) && virtqueue_call_is_socket(vq) &&
		  (*signalled || (*nudged && virtqueue_call_is_unread(vq)));
	*signalled = false;
	if (*nudged)
		(void)virtqueue_signal(vq);
}

static void nudge_in(struct vsock_device *d, int ms)
{
	const struct timeval later = { .tv_usec = ms * 1000 };

	d->nudge_is_soon = ms == NUDGE_MS;
	event_add(d->nudge_event, &later);
}

static void on_nudge(evutil_socket_t unused, short what, void *arg)
{
	struct vsock_device *d = arg;
	struct vsock_rings *r = &d->vsock.rings;

	set_alarm();
	d->nudge_is_soon = false;
	nudge_ring(r->rx, &r->rx_signalled, &d->rx_nudged);
	nudge_ring(r->tx, &r->tx_signalled, &d->tx_nudged);
	if (!vmm_is_bad(d) && (d->rx_nudged || d->tx_nudged))
		nudge_in(d, NUDGE_AGAIN_MS);
}

static void nudge_later(struct vsock_device *d)
{
	struct vsock_rings *r = &d->vsock.rings;

	if (!virtqueue_call_is_socket(r->rx))
		return;
	if ((r->rx_signalled || r->tx_signalled) && !d->nudge_is_soon)
		nudge_in(d, NUDGE_MS);
	else if ((d->rx_nudged || d->tx_nudged) && !evtimer_pending(d->nudge_event, NULL))
		nudge_in(d, NUDGE_AGAIN_MS);
}

static void on_run(evutil_socket_t unused, short what, void *arg)
{
	static const struct timeval at_once = { 0 };
	struct vsock_device *d = arg;
	bool more;

	set_alarm();
	for (unsigned pair = 0; 2 * pair < VSOCK_N_RINGS; pair++)
		if (vhost_rings_owed(&d->vu, pair))
			(void)vhost_rings_pay(&d->vu, pair);
	more = vsock_run(&d->vsock) || vsock_arm(&d->vsock);
	if (vmm_is_bad(d))
		return;
	look_at_rings(d);
	/* By way of the timers: sockets are looked at before the next round. */
	if (more)
		event_add(d->run_event, &at_once);
	else
		nudge_later(d);
}

static void wake(void *ctx)
{
	struct vsock_device *d = ctx;

	event_active(d->run_event, EV_READ, 0);
}

static void on_kick(evutil_socket_t fd, short what, void *arg)
{
	struct vsock_device *d = arg;
	struct vsock_rings *r = &d->vsock.rings;

	/* It is awake. Whether for what it was interrupted for is to be seen. */
	d->rx_nudged |= r->rx_signalled;
	d->tx_nudged |= r->tx_signalled;
	r->rx_signalled = r->tx_signalled = false;
	wake(d);
}

static void on_attention(evutil_socket_t fd, short what, void *arg)
{
	uint64_t count;

	(void)!read(fd, &count, sizeof(count));
	(void)vmm_is_bad(arg);
}

/* --- what the engine asks of its host -------------------------------------------------------- */

/* There is nobody to wait for: whoever asks is the only one who touches rings. */
static void quiesce(void *ctx)
{
}

/* Edge-triggered: each write to the eventfd is an edge, so it need not be read. */
static int watch(void *ctx, const struct port *port, unsigned queue, int fd)
{
	struct vsock_device *d = ctx;

	for (unsigned i = 0; i < VSOCK_N_RINGS; i++) {
		if (d->kick_event[i])
			continue;
		d->kick_event[i] = event_new(d->base, fd, EV_READ | EV_ET | EV_PERSIST, on_kick, d);
		if (!d->kick_event[i])
			return -ENOMEM;
		return event_add(d->kick_event[i], NULL) < 0 ? -EINVAL : 0;
	}
	return -ENOSPC;
}

static void unwatch(void *ctx, int fd)
{
	struct vsock_device *d = ctx;

	for (unsigned i = 0; i < VSOCK_N_RINGS; i++)
		if (d->kick_event[i] && event_get_fd(d->kick_event[i]) == fd)
			event_free(steal_ptr(&d->kick_event[i]));
}

static void on_linger(evutil_socket_t unused, short what, void *arg)
{
	const struct timeval step = { .tv_usec = LINGER_STEP_MS * 1000 };
	struct vsock_device *d = arg;

	if (vsock_n_unflushed(&d->vsock) > 0 && monotonic_ms() < d->linger_until_ms)
		event_add(d->linger_event, &step);
	else
		event_base_loopbreak(d->base);
}

/* The connection has ended. */
static void forget(void *ctx, const struct port *port)
{
	struct vsock_device *d = ctx;

	look_at_rings(d);
	if (!d->has_vmm || d->linger_until_ms)
		return;
	d->linger_until_ms = monotonic_ms() + VSOCK_LINGER_MS;
	on_linger(-1, 0, d);
}

static void tell(void *ctx, const struct port *port, const char *event, const char *detail)
{
	struct vsock_device *d = ctx;
	bool broken = strcmp(event, "guest-broken") == 0;

	d->failed |= broken && (d->has_vmm || d->vu.memory.n > 0);
	if (broken)
		log_limited(LOG_LEVEL_WARN, event, log_str("detail", detail));
	else
		log_limited(LOG_LEVEL_INFO, event, log_str("detail", detail));
}

/* --- what the engine tells ------------------------------------------------------------------- */

static void on_parking(struct vhost_user *vu, unsigned ring)
{
	struct vsock_device *d = device_of(vu);

	d->has_vmm |= vu->memory.n > 0;
	if (vsock_rings_up(&d->vsock.rings))
		vsock_take_all(&d->vsock);
}

static void on_resuming(struct vhost_user *vu, unsigned ring)
{
}

static void on_resumed(struct vhost_user *vu, unsigned ring)
{
	look_at_rings(device_of(vu));
}

static const struct vhost_hooks hooks = {
	.parking = on_parking,
	.resuming = on_resuming,
	.resumed = on_resumed,
};

/*
 * Not the protocol feature STATUS: QEMU 7.2 never reports DRIVER_OK for this device. BACKEND_REQ is
 * for UML, see set_backend_req_fd() in vhost_user.c.
 */
static struct vhost_offer offer(uint64_t cid)
{
	const struct virtio_vsock_config config = { .guest_cid = htole64(cid) };
	struct vhost_offer o = {
		.features = BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_RING_F_INDIRECT_DESC) |
			    BIT(VIRTIO_RING_F_EVENT_IDX) | BIT(VHOST_F_PROTOCOL_FEATURES),
		.protocol_features = BIT(VHOST_PROTOCOL_F_CONFIG) |
				     BIT(VHOST_PROTOCOL_F_REPLY_ACK) |
				     BIT(VHOST_PROTOCOL_F_BACKEND_REQ) |
				     BIT(VHOST_PROTOCOL_F_CONFIGURE_MEM_SLOTS),
		.n_rings = VSOCK_N_RINGS,
	};

	memcpy(o.config, &config, sizeof(config));
	return o;
}

/* --- life ------------------------------------------------------------------------------------ */

static int connect_for_guest(void *ctx, uint32_t port)
{
	struct vsock_device *d = ctx;

	return vsock_host_connect(&d->clients, port);
}

static int start_host(struct vsock_device *d, struct err *err)
{
	d->host = (struct port_host) {
		.base = d->base,
		.quiesce = quiesce,
		.watch = watch,
		.unwatch = unwatch,
		.wake = wake,
		.forget = forget,
		.event = tell,
		.attention_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
		.ctx = d,
	};
	if (d->host.attention_fd < 0)
		return err_errno(err, errno, "cannot make an eventfd");
	if (guest_memory_guard(d->host.attention_fd) < 0 || catch_alarm() < 0)
		return err_errno(err, errno, "cannot handle signals");
	d->run_event = evtimer_new(d->base, on_run, d);
	d->linger_event = evtimer_new(d->base, on_linger, d);
	d->nudge_event = evtimer_new(d->base, on_nudge, d);
	d->attention_event =
		event_new(d->base, d->host.attention_fd, EV_READ | EV_PERSIST, on_attention, d);
	if (!d->run_event || !d->linger_event || !d->nudge_event || !d->attention_event)
		return err_set(err, -ENOMEM, "out of memory");
	event_add(d->attention_event, NULL);
	return 0;
}

static unsigned conns_max(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur <= OTHER_FDS)
		return 1;
	return limit.rlim_cur - OTHER_FDS < VSOCK_CONNS_MAX ? (unsigned)limit.rlim_cur - OTHER_FDS
							    : VSOCK_CONNS_MAX;
}

int vsock_device_open(struct vsock_device *d, const struct vsock_config *config,
	struct event_base *base, struct err *err)
{
	const struct vsock_ops ops = { .connect = connect_for_guest, .wake = wake, .ctx = d };
	const struct vhost_offer offered = offer(config->cid);
	int ret;

	memset(d, 0, sizeof(*d));
	d->base = base;
	d->host.attention_fd = d->socket.listen_fd = d->socket.conn_fd = d->clients.listen_fd = -1;
	snprintf(d->port.name, sizeof(d->port.name), "vsock");
	vhost_user_init(&d->vu, &d->host, &d->port, &offered, &hooks);
	vsock_init(&d->vsock, base, &ops, config->cid, conns_max(), &d->vu.ring[VSOCK_RING_RX],
		&d->vu.ring[VSOCK_RING_TX]);
	ret = start_host(d, err);
	if (ret < 0)
		return ret;
	d->vu.closer = foreign_closer_new();
	if (!d->vu.closer)
		return err_set(err, -ENOMEM, "out of memory");
	ret = vsock_host_open(&d->clients, &d->vsock, config->host, err);
	if (ret < 0)
		return ret;
	return vhost_socket_open(&d->socket, &d->vu, config->device, 0600, false, err);
}

static void free_event(struct event **ev)
{
	if (*ev)
		event_free(steal_ptr(ev));
}

void vsock_device_close(struct vsock_device *d)
{
	d->linger_until_ms = 1; /* not for this end */
	if (d->vu.closer && d->socket.vu)
		vhost_socket_close(&d->socket);
	vsock_host_close(&d->clients);
	vsock_close(&d->vsock);
	foreign_closer_free(d->vu.closer);
	free_event(&d->attention_event);
	free_event(&d->linger_event);
	free_event(&d->nudge_event);
	free_event(&d->run_event);
	if (d->host.attention_fd >= 0)
		close(steal_fd(&d->host.attention_fd));
}
