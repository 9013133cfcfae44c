/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest-agent/port_reports.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "lib/listening.h"
#include "lib/log.h"
#include "lib/port_report.h"

#define LOOK_US 250000

struct watcher {
	LIST_ENTRY(watcher) link;
	struct port_reports *reports;
	int fd;
	struct event *on_read, *on_write;
	struct evbuffer *out;
	unsigned told; /* the last line that it got, or is getting */
};

struct port_reports {
	struct event_base *loop;
	LIST_HEAD(, watcher) watchers;
	unsigned n_watchers;
	struct event *look;
	struct port_report *now;
	char *line;      /* what there was when it was last looked at; NULL: never */
	unsigned number; /* of the line, from 1 */
	const uint16_t *hidden;
	size_t n_hidden;
};

/* --- what there is --------------------------------------------------------------------------- */

static bool is_hidden(const struct port_reports *reports, uint16_t port)
{
	for (size_t i = 0; i < reports->n_hidden; i++)
		if (reports->hidden[i] == port)
			return true;
	return false;
}

/* More than there is room for are not told of. */
static void add(void *owner, const struct listening *one)
{
	static const uint8_t any4[4];
	struct port_reports *reports = owner;
	struct ip_addr v4 = ip_addr_v4(any4);

	if (one->port == 0 || is_hidden(reports, one->port))
		return;
	(void)port_report_add(reports->now, &one->address, one->port);
	if (one->dual)
		(void)port_report_add(reports->now, &v4, one->port);
}

/* Whether there is a new line. */
static bool look(struct port_reports *reports)
{
	char *line;

	reports->now->n = 0;
	if (listening_each(add, reports) < 0)
		return false;
	line = port_report_format(reports->now);
	if (line == NULL || (reports->line != NULL && strcmp(line, reports->line) == 0)) {
		free(line);
		return false;
	}
	free(reports->line);
	reports->line = line;
	reports->number++;
	return true;
}

/* --- clients --------------------------------------------------------------------------------- */

static void free_watcher(struct watcher *w)
{
	LIST_REMOVE(w, link);
	if (--w->reports->n_watchers == 0)
		(void)event_del(w->reports->look);
	if (w->on_read != NULL)
		event_free(w->on_read);
	if (w->on_write != NULL)
		event_free(w->on_write);
	if (w->out != NULL)
		evbuffer_free(w->out);
	close(w->fd);
	free(w);
}

/* Negative: it has gone. */
static int write_some(struct watcher *w)
{
	int n = evbuffer_write(w->out, w->fd);

	return n < 0 && errno != EAGAIN && errno != EINTR ? -errno : 0;
}

/* Writes what it has not been told; frees it if it has gone. */
static void tell(struct watcher *w)
{
	struct port_reports *reports = w->reports;
	int ret = evbuffer_get_length(w->out) > 0 ? write_some(w) : 0;

	if (ret == 0 && evbuffer_get_length(w->out) == 0 && w->told != reports->number) {
		w->told = reports->number;
		ret = evbuffer_add_printf(w->out, "%s\n", reports->line) < 0 ? -ENOMEM
									     : write_some(w);
	}
	if (ret < 0)
		free_watcher(w);
	else if (evbuffer_get_length(w->out) > 0)
		(void)event_add(w->on_write, NULL);
	else
		(void)event_del(w->on_write);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	tell(arg);
}

/* It has nothing to say; what it says is nobody's. */
static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	char buffer[256];
	ssize_t n = read(fd, buffer, sizeof(buffer));

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		free_watcher(arg);
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
	struct port_reports *reports = arg;
	struct watcher *w, *next;

	if (!look(reports))
		return;
	for (w = LIST_FIRST(&reports->watchers); w != NULL; w = next) {
		next = LIST_NEXT(w, link);
		tell(w);
	}
}

static bool make(struct watcher *w)
{
	struct event_base *loop = w->reports->loop;

	w->out = evbuffer_new();
	w->on_read = event_new(loop, w->fd, EV_READ | EV_PERSIST, on_readable, w);
	w->on_write = event_new(loop, w->fd, EV_WRITE | EV_PERSIST, on_writable, w);
	return w->out != NULL && w->on_read != NULL && w->on_write != NULL &&
	       event_add(w->on_read, NULL) == 0;
}

void port_reports_accept(struct port_reports *reports, int fd)
{
	const struct timeval pace = { .tv_usec = LOOK_US };
	struct watcher *w = NULL;

	if (reports->n_watchers < PORT_REPORTS_CLIENTS_MAX)
		w = calloc(1, sizeof(*w));
	if (w == NULL) {
		log_limited(LOG_LEVEL_WARN, "a client is not told of ports: there are too many");
		close(fd);
		return;
	}
	*w = (struct watcher) { .reports = reports, .fd = fd };
	LIST_INSERT_HEAD(&reports->watchers, w, link);
	if (reports->n_watchers++ == 0)
		(void)event_add(reports->look, &pace);
	if (!make(w)) {
		free_watcher(w);
		return;
	}
	/* The others hear of what has changed in time. */
	if (reports->n_watchers == 1)
		(void)look(reports);
	tell(w);
}

/* --- all of it ------------------------------------------------------------------------------- */

struct port_reports *port_reports_new(struct event_base *loop)
{
	struct port_reports *reports = calloc(1, sizeof(*reports));

	if (reports == NULL)
		return NULL;
	reports->loop = loop;
	LIST_INIT(&reports->watchers);
	reports->now = calloc(1, sizeof(*reports->now));
	reports->look = event_new(loop, -1, EV_PERSIST, on_look, reports);
	if (reports->now != NULL && reports->look != NULL)
		return reports;
	port_reports_free(reports);
	return NULL;
}

void port_reports_hide(struct port_reports *reports, const uint16_t *ports, size_t n)
{
	reports->hidden = ports;
	reports->n_hidden = n;
}

void port_reports_free(struct port_reports *reports)
{
	if (reports == NULL)
		return;
	while (!LIST_EMPTY(&reports->watchers))
		free_watcher(LIST_FIRST(&reports->watchers));
	if (reports->look != NULL)
		event_free(reports->look);
	free(reports->now);
	free(reports->line);
	free(reports);
}
