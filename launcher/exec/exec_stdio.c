/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/exec/exec_stdio.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "launcher/exec/exec_client.h"
#include "lib/cleanup.h"

#define PIECE_MAX  65536        /* read or written at once */
#define STACK_SIZE (256U << 10) /* of a thread */
#define SMALL_MAX  4096
#define RUN_COST   64 /* what the list below costs an entry, roughly */
#define LOW_MARK   (EXEC_STDIO_QUEUE_MAX / 2)

/* So many bytes of the queue go to one output. */
struct run {
	TAILQ_ENTRY(run) link;
	enum exec_output output;
	size_t len;
};

struct exec_stdio {
	/* Set before the threads start, and constant. */
	int in, out[EXEC_N_OUTPUTS]; /* duplicates, or -1 */
	int news_fd;                 /* eventfd: the threads to the loop */
	int stop_fd;                 /* eventfd, readable for ever after once it is to end */

	/* The loop's. */
	struct event *news_event;
	void (*news)(void *owner);
	void *owner;

	pthread_mutex_t lock; /* of all that follows */
	pthread_cond_t may_read, may_write;
	unsigned n_users; /* the loop and the threads: the last one frees */
	bool stopping;
	size_t allowed;
	bool input_ended;
	struct evbuffer *input;
	struct evbuffer *queue;
	TAILQ_HEAD(run_list, run) runs; /* who gets what of `queue`, in its order */
	struct exec_stdio_state state;
};

/* --- life ------------------------------------------------------------------------------------ */

static void close_if(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void destroy(struct exec_stdio *s)
{
	struct run *run;

	while ((run = TAILQ_FIRST(&s->runs)) != NULL) {
		TAILQ_REMOVE(&s->runs, run, link);
		free(run);
	}
	if (s->input != NULL)
		evbuffer_free(s->input);
	if (s->queue != NULL)
		evbuffer_free(s->queue);
	close_if(s->in);
	close_if(s->out[EXEC_STDOUT]);
	close_if(s->out[EXEC_STDERR]);
	close_if(s->news_fd);
	close_if(s->stop_fd);
	pthread_cond_destroy(&s->may_read);
	pthread_cond_destroy(&s->may_write);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static void release(struct exec_stdio *s)
{
	bool last;

	pthread_mutex_lock(&s->lock);
	last = --s->n_users == 0;
	pthread_mutex_unlock(&s->lock);
	if (last)
		destroy(s);
}

static void raise_eventfd(int fd)
{
	(void)eventfd_write(fd, 1); /* EAGAIN: it is raised, and by far */
}

/* Until `fd` is ready for `events`. False: it is to end. */
static bool await(const struct exec_stdio *s, int fd, short events)
{
	struct pollfd fds[] = { { .fd = fd, .events = events },
		{ .fd = s->stop_fd, .events = POLLIN } };

	while (poll(fds, 2, -1) < 0) {
		if (errno != EINTR)
			return false;
	}
	return fds[1].revents == 0;
}

/* --- the reader ------------------------------------------------------------------------------ */

/* How much may be read; 0: it is to end. */
static size_t await_allowance(struct exec_stdio *s)
{
	size_t allowed;

	pthread_mutex_lock(&s->lock);
	while (s->allowed == 0 && !s->stopping)
		pthread_cond_wait(&s->may_read, &s->lock);
	allowed = s->stopping ? 0 : s->allowed;
	pthread_mutex_unlock(&s->lock);
	return allowed < PIECE_MAX ? allowed : PIECE_MAX;
}

/* Bytes read; 0: the end, be it by an error; -EAGAIN: nothing yet. */
static ssize_t read_piece(const struct exec_stdio *s, char *piece, size_t len)
{
	ssize_t n = read(s->in, piece, len);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? -EAGAIN : 0;
	return n;
}

/* Hands over what was read: copied, or a byte that was read alone would hold a chain for many. */
static void input_has_come(struct exec_stdio *s, const char *piece, size_t len)
{
	pthread_mutex_lock(&s->lock);
	s->allowed -= len < s->allowed ? len : s->allowed;
	if (len == 0 || evbuffer_add(s->input, piece, len) < 0)
		s->input_ended = true;
	pthread_mutex_unlock(&s->lock);
	raise_eventfd(s->news_fd);
}

static void *reader(void *arg)
{
	struct exec_stdio *s = arg;
	char *piece = malloc(PIECE_MAX);
	ssize_t n = 1;

	while (piece != NULL && n != 0) {
		size_t len;

		if (await_allowance(s) == 0 || !await(s, s->in, POLLIN))
			break;
		/* It may have been taken back while there was nothing to read. */
		len = await_allowance(s);
		if (len == 0)
			break;
		n = read_piece(s, piece, len);
		if (n >= 0)
			input_has_come(s, piece, (size_t)n);
	}
	if (piece == NULL)
		input_has_come(s, NULL, 0);
	free(piece);
	release(s);
	return NULL;
}

/* --- the writer ------------------------------------------------------------------------------ */

/* Moves the next piece of the queue to `to`, or throws it away if there is no memory for that. */
static size_t take_piece(struct exec_stdio *s, struct evbuffer *to, enum exec_output *output)
{
	struct run *run = TAILQ_FIRST(&s->runs);
	size_t len = run->len < PIECE_MAX ? run->len : PIECE_MAX;

	*output = run->output;
	if (evbuffer_remove_buffer(s->queue, to, len) != (int)len) {
		evbuffer_drain(s->queue, len - evbuffer_get_length(to));
		s->state.error[run->output] = ENOMEM;
	}
	run->len -= len;
	if (run->len == 0) {
		TAILQ_REMOVE(&s->runs, run, link);
		s->state.queued -= RUN_COST;
		free(run);
	}
	return len;
}

/* The length of the next piece, which counts as queued until it has been written. 0: it is to end.
 */
static size_t await_piece(struct exec_stdio *s, struct evbuffer *to, enum exec_output *output)
{
	size_t len = 0;

	pthread_mutex_lock(&s->lock);
	while (TAILQ_EMPTY(&s->runs) && !s->stopping)
		pthread_cond_wait(&s->may_write, &s->lock);
	if (!s->stopping)
		len = take_piece(s, to, output);
	pthread_mutex_unlock(&s->lock);
	return len;
}

/* Writes all of the piece, or throws away what cannot be written. 0 or a positive errno. */
static int write_piece(const struct exec_stdio *s, int fd, struct evbuffer *piece)
{
	int error = 0;

	while (fd >= 0 && error == 0 && evbuffer_get_length(piece) > 0) {
		if (!await(s, fd, POLLOUT))
			error = ECANCELED;
		else if (evbuffer_write(piece, fd) < 0 && errno != EAGAIN && errno != EINTR)
			error = errno;
	}
	evbuffer_drain(piece, evbuffer_get_length(piece));
	return error;
}

static void piece_was_written(struct exec_stdio *s, enum exec_output output, size_t len, int error)
{
	size_t before;
	bool tell;

	pthread_mutex_lock(&s->lock);
	before = s->state.queued;
	s->state.queued -= len;
	s->state.written[output] += len;
	if (s->state.error[output] == 0)
		s->state.error[output] = error;
	tell = s->state.queued == 0 || error != 0 ||
	       (before > LOW_MARK && s->state.queued <= LOW_MARK);
	pthread_mutex_unlock(&s->lock);
	if (tell)
		raise_eventfd(s->news_fd);
}

static void *writer(void *arg)
{
	struct exec_stdio *s = arg;
	struct evbuffer *piece = evbuffer_new();
	enum exec_output output;
	size_t len;

	while (piece != NULL && (len = await_piece(s, piece, &output)) > 0)
		piece_was_written(s, output, len, write_piece(s, s->out[output], piece));
	if (piece != NULL)
		evbuffer_free(piece);
	release(s);
	return NULL;
}

/* --- start and stop -------------------------------------------------------------------------- */

static void on_news(evutil_socket_t fd, short what, void *arg)
{
	struct exec_stdio *s = arg;
	eventfd_t count;

	(void)eventfd_read(fd, &count);
	s->news(s->owner);
}

static int start_thread(struct exec_stdio *s, void *(*body)(void *))
{
	sigset_t none, before;
	pthread_attr_t attr;
	pthread_t thread;
	int ret;

	sigfillset(&none);
	sigdelset(&none, SIGTTIN);
	sigdelset(&none, SIGTTOU);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	pthread_sigmask(SIG_SETMASK, &none, &before);
	pthread_mutex_lock(&s->lock);
	ret = pthread_create(&thread, &attr, body, s);
	if (ret == 0)
		s->n_users++;
	pthread_mutex_unlock(&s->lock);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return -ret;
}

static int duplicate(int fd, int *out)
{
	if (fd < 0)
		return 0;
	*out = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return *out >= 0 ? 0 : -errno;
}

static int open_all(
	struct exec_stdio *s, struct event_base *loop, const struct exec_streams *streams)
{
	int ret = duplicate(streams->in, &s->in);

	if (ret == 0)
		ret = duplicate(streams->out, &s->out[EXEC_STDOUT]);
	if (ret == 0)
		ret = duplicate(streams->err, &s->out[EXEC_STDERR]);
	if (ret < 0)
		return ret;
	s->news_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->news_fd < 0 || s->stop_fd < 0)
		return -errno;
	s->input = evbuffer_new();
	s->queue = evbuffer_new();
	s->news_event = event_new(loop, s->news_fd, EV_READ | EV_PERSIST, on_news, s);
	if (s->input == NULL || s->queue == NULL || s->news_event == NULL ||
		event_add(s->news_event, NULL) < 0)
		return -ENOMEM;
	return 0;
}

int exec_stdio_start(struct event_base *loop, const struct exec_streams *streams,
	void (*news)(void *owner), void *owner, struct exec_stdio **out, struct err *err)
{
	struct exec_stdio *s = calloc(1, sizeof(*s));
	int ret;

	if (s == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	s->in = s->out[EXEC_STDOUT] = s->out[EXEC_STDERR] = s->news_fd = s->stop_fd = -1;
	s->news = news;
	s->owner = owner;
	s->n_users = 1;
	s->input_ended = streams->in < 0;
	TAILQ_INIT(&s->runs);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->may_read, NULL);
	pthread_cond_init(&s->may_write, NULL);
	ret = open_all(s, loop, streams);
	if (ret == 0 && s->in >= 0)
		ret = start_thread(s, reader);
	if (ret == 0)
		ret = start_thread(s, writer);
	if (ret < 0) {
		exec_stdio_stop(s);
		return err_errno(err, -ret, "cannot serve stdin, stdout and stderr");
	}
	*out = s;
	return 0;
}

void exec_stdio_stop(struct exec_stdio *s)
{
	if (s == NULL)
		return;
	if (s->news_event != NULL)
		event_free(s->news_event);
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	pthread_cond_broadcast(&s->may_read);
	pthread_cond_broadcast(&s->may_write);
	pthread_mutex_unlock(&s->lock);
	if (s->stop_fd >= 0)
		raise_eventfd(s->stop_fd);
	release(s);
}

/* --- the loop's side ------------------------------------------------------------------------- */

void exec_stdio_allow(struct exec_stdio *s, size_t len)
{
	pthread_mutex_lock(&s->lock);
	s->allowed += len;
	pthread_cond_signal(&s->may_read);
	pthread_mutex_unlock(&s->lock);
}

void exec_stdio_end_input(struct exec_stdio *s)
{
	pthread_mutex_lock(&s->lock);
	s->allowed = 0;
	pthread_mutex_unlock(&s->lock);
}

size_t exec_stdio_take(struct exec_stdio *s, struct evbuffer *to, bool *ended)
{
	size_t len;

	pthread_mutex_lock(&s->lock);
	len = evbuffer_get_length(s->input);
	if (evbuffer_add_buffer(to, s->input) < 0)
		len = 0;
	*ended = s->input_ended;
	pthread_mutex_unlock(&s->lock);
	return len;
}

/* Counts `len` bytes more at the end of the queue. */
static int add_run(struct exec_stdio *s, enum exec_output output, size_t len)
{
	struct run *run = TAILQ_LAST(&s->runs, run_list);

	if (run == NULL || run->output != output) {
		run = calloc(1, sizeof(*run));
		if (run == NULL)
			return -ENOMEM;
		run->output = output;
		TAILQ_INSERT_TAIL(&s->runs, run, link);
		s->state.queued += RUN_COST;
	}
	run->len += len;
	s->state.queued += len;
	return 0;
}

/* Small pieces are copied: moved, each would bring the chain that it came in. */
static int move(struct evbuffer *from, struct evbuffer *to, size_t len)
{
	char small[SMALL_MAX];

	if (len > sizeof(small))
		return evbuffer_remove_buffer(from, to, len);
	if (evbuffer_remove(from, small, len) != (int)len)
		return -1;
	return evbuffer_add(to, small, len) == 0 ? (int)len : -1;
}

int exec_stdio_put(struct exec_stdio *s, enum exec_output output, struct evbuffer *from, size_t len)
{
	size_t before, moved;
	int ret = 0;

	pthread_mutex_lock(&s->lock);
	before = evbuffer_get_length(s->queue);
	if (len > 0 && move(from, s->queue, len) != (int)len)
		ret = -ENOMEM;
	moved = evbuffer_get_length(s->queue) - before;
	if (moved > 0 && add_run(s, output, moved) < 0)
		ret = -ENOMEM;
	pthread_cond_signal(&s->may_write);
	pthread_mutex_unlock(&s->lock);
	return ret;
}

struct exec_stdio_state exec_stdio_look(struct exec_stdio *s)
{
	struct exec_stdio_state state;

	pthread_mutex_lock(&s->lock);
	state = s->state;
	pthread_mutex_unlock(&s->lock);
	return state;
}
