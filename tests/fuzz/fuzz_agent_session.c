/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A client of the agent says anything: requests, execs and attachments, over a real socket and
 * through the real event loop, to processes that are none: this file has in the place of
 * process.c what takes input, gives it back as output, and ends on a signal. The agent must stay
 * within its bounds and be there for the next.
 */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "guest-agent/agent_private.h"
#include "guest-agent/exec.h"
#include "lib/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* --- processes -------------------------------------------------------------------------------- */

struct process {
	struct process_host *host;
	const struct process_owner *ops;
	void *owner;
	struct byte_ring out[PROCESS_N_OUTPUTS];
	struct byte_ring in;
	struct event *step;
	bool has_started, fails, is_closed, has_ended;
};

static void begin(struct process *process)
{
	process->has_started = true;
	if (process->fails)
		process->ops->failed(process->owner, 127, "not found");
	else
		process->ops->started(process->owner, 1);
}

/* Takes so much of its input as it has room for in its output. */
static size_t echo(struct process *process)
{
	size_t n = byte_ring_len(&process->in);
	size_t room = byte_ring_room(&process->out[PROCESS_STDOUT]);
	size_t taken = 0;

	for (n = n < room ? n : room; taken < n;) {
		const uint8_t *bytes;
		size_t len = byte_ring_peek(&process->in, process->in.begin, &bytes);

		len = len < n - taken ? len : n - taken;
		byte_ring_put(&process->out[PROCESS_STDOUT], bytes, len);
		byte_ring_release(&process->in, process->in.begin + len);
		taken += len;
	}
	return taken;
}

static void on_step(evutil_socket_t fd, short what, void *arg)
{
	struct process *process = arg;
	size_t n;

	if (!process->has_started) {
		begin(process);
		return;
	}
	n = echo(process);
	if (n > 0) {
		process->ops->input_taken(process->owner, n);
		process->ops->output(process->owner);
		event_active(process->step, EV_TIMEOUT, 1);
	} else if (process->is_closed && byte_ring_len(&process->in) == 0 && !process->has_ended) {
		process->has_ended = true;
		process->ops->ended(process->owner, &(struct agent_exit) { .value = 3 });
	}
}

int process_host_init(struct process_host *host, struct event_base *loop, struct err *err)
{
	*host = (struct process_host) { .loop = loop, .own_pid_ns = -1 };
	LIST_INIT(&host->processes);
	return 0;
}

void process_host_close(struct process_host *host)
{
}

struct process *process_new(
	struct process_host *host, size_t output_size, const struct process_owner *ops, void *owner)
{
	struct process *process = calloc(1, sizeof(*process));

	*process = (struct process) { .host = host, .ops = ops, .owner = owner };
	byte_ring_init(&process->in, AGENT_WIRE_STDIN_WINDOW);
	byte_ring_init(&process->out[PROCESS_STDOUT], output_size);
	byte_ring_init(&process->out[PROCESS_STDERR], 1);
	process->step = evtimer_new(host->loop, on_step, process);
	host->n_processes++;
	return process;
}

int process_start(struct process *process, struct spawn_plan *plan, struct err *err)
{
	assert(plan->argv[0] != NULL && plan->env != NULL);
	if (strcmp(plan->argv[0], "error") == 0)
		return err_set(err, -ENOMEM, "no memory");
	process->fails = strcmp(plan->argv[0], "fails") == 0;
	event_active(process->step, EV_TIMEOUT, 1);
	return 0;
}

pid_t process_pid(const struct process *process)
{
	return getpid();
}

void process_input(struct process *process, struct evbuffer *in, size_t len)
{
	assert(process->has_started && len <= byte_ring_room(&process->in));
	byte_ring_take(&process->in, in, len);
	event_active(process->step, EV_TIMEOUT, 1);
}

size_t process_input_len(const struct process *process)
{
	return byte_ring_len(&process->in);
}

void process_input_close(struct process *process)
{
	process->is_closed = true;
	event_active(process->step, EV_TIMEOUT, 1);
}

const struct byte_ring *process_output(const struct process *process, int stream)
{
	return &process->out[stream];
}

void process_output_release(struct process *process, int stream, uint64_t upto)
{
	byte_ring_release(&process->out[stream], upto);
	event_active(process->step, EV_TIMEOUT, 1);
}

void process_signal(struct process *process, int signo, bool alone)
{
	assert(signo >= 1 && signo <= 64);
	process->is_closed = true;
	event_active(process->step, EV_TIMEOUT, 1);
}

void process_resize(struct process *process, const struct agent_window *window)
{
}

void process_let_go(struct process *process)
{
	process->host->n_processes--;
	event_free(process->step);
	byte_ring_free(&process->in);
	byte_ring_free(&process->out[PROCESS_STDOUT]);
	byte_ring_free(&process->out[PROCESS_STDERR]);
	free(process);
}

void process_hang_up(struct process *process)
{
	process_let_go(process);
}

/* --- the agent -------------------------------------------------------------------------------- */

static const char *make_directory(void)
{
	static char path[32];

	snprintf(path, sizeof(path), "/tmp/fuzz-agent.XXXXXX");
	return mkdtemp(path);
}

static struct agent *make_agent(struct event_base *loop, const char *directory)
{
	static const struct process_spec spec;
	static char name[] = "workload";
	char *const argv[] = { name, NULL }, *const env[] = { NULL };
	const struct agent_plan plan = { .root = "/", .socket_dir = directory };
	struct err err = { "" };
	struct agent *agent;

	if (agent_create(loop, &plan, &agent, &err) < 0 ||
		agent_start_workload(agent, &spec, argv, env, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		abort();
	}
	return agent;
}

static void turn(struct event_base *loop, int n)
{
	while (n-- > 0)
		event_base_loop(loop, EVLOOP_NONBLOCK);
}

/* What the agent says is frames that an agent sends. */
static void check_answers(int fd)
{
	struct evbuffer *in = evbuffer_new();
	struct err err = { "" };
	enum agent_wire_type type;
	uint32_t len;
	int ret;

	while (evbuffer_read(in, fd, 65536) > 0)
		;
	while ((ret = agent_wire_next(in, AGENT_WIRE_CLIENT, &type, &len, &err)) > 0)
		evbuffer_drain(in, len);
	assert(ret == 0);
	evbuffer_free(in);
}

/* In two pieces, so that frames are cut somewhere. */
static void talk(struct event_base *loop, int fd, const uint8_t *data, size_t size)
{
	size_t half = size / 2;

	(void)!send(fd, data, half, MSG_NOSIGNAL);
	turn(loop, 3);
	(void)!send(fd, data + half, size - half, MSG_NOSIGNAL);
	turn(loop, 8);
	check_answers(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *directory = make_directory();
	struct event_base *loop = event_base_new();
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct agent *agent;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	log_configure(LOG_LEVEL_OFF, LOG_FORMAT_TEXT);
	assert(directory != NULL);
	agent = make_agent(loop, directory);
	turn(loop, 3);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/agent", directory);
	assert(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	talk(loop, fd, data, size);
	assert(agent->clients.n <= 1 && agent->host.n_processes <= 2);
	close(fd);
	turn(loop, 5);
	/* Nothing is left but the workload. */
	assert(agent->clients.n == 0 && agent->host.n_processes == 1);
	if (agent->workload.process != NULL)
		process_let_go(agent->workload.process);
	agent_free(agent);
	event_base_free(loop);
	rmdir(directory);
	return 0;
}
