/* SPDX-License-Identifier: BSD-3-Clause */

/* sluice-vm port-forward: ports of ours that lead to ports of the guest, or stdio that does. */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "config/roff.h"
#include "launcher/cli/verb.h"
#include "launcher/cli/vm_client.h"
#include "launcher/forward/forward_spec.h"
#include "launcher/forward/forwarder.h"
#include "launcher/forward/guest_dial.h"
#include "launcher/forward/stdio_pair.h"
#include "lib/cleanup.h"
#include "lib/nofile.h"

#define OPTIONS     VM_CLIENT_STDIO
#define NOFILE_WISH 4096

static const char explanation[] =
	"LOCAL is listened on at 127.0.0.1 and ::1, or at ADDRESS (an IPv6 one in brackets); 0 or "
	"nothing picks a port that is free. REMOTE is a port of the guest's 127.0.0.1 or ::1. A "
	"port alone is both. What is listened on is printed, and when the VM ends, so does this.";

struct job {
	struct vm_client_options o;
	struct event_base *loop;
	struct forwarder *forwarder;
	struct event *vm_ended;
	bool ended;
	int dialed; /* --stdio */
	struct err why;
};

/* --- listening ------------------------------------------------------------------------------- */

static void on_refused(void *owner, uint16_t local, uint16_t remote, const struct err *why)
{
	fprintf(stderr, "sluice-vm port-forward: %u -> %u: %s\n", local, remote, why->text);
}

static int listen_at(
	struct job *job, const char *address, uint16_t *local, uint16_t remote, struct err *err)
{
	struct ip_addr parsed;
	bool v6 = strchr(address, ':') != NULL;
	int ret = ip_addr_parse(address, &parsed);

	if (ret == 0)
		ret = forwarder_listen(job->forwarder, &parsed, local, remote, err);
	if (ret < 0)
		return ret;
	printf("Forwarding from %s%s%s:%u -> %u\n", v6 ? "[" : "", address, v6 ? "]" : "", *local,
		remote);
	return 0;
}

/* Of loopback, IPv4 must be there, IPv6 need not. */
static int listen_both(struct job *job, uint16_t local, uint16_t remote, struct err *err)
{
	struct err why = { "" };
	int ret = listen_at(job, "127.0.0.1", &local, remote, err);

	if (ret == 0 && listen_at(job, "::1", &local, remote, &why) == -EADDRINUSE)
		fprintf(stderr, "sluice-vm port-forward: %s\n", why.text);
	return ret;
}

static int listen_for(struct job *job, const char *word, struct err *err)
{
	char address[IP_ADDR_TEXT_MAX];
	struct forward_spec spec;
	int ret = forward_spec_parse(word, &spec, err);

	if (ret < 0)
		return ret;
	return spec.has_address ? listen_at(job, ip_addr_format(&spec.address, address),
					  &spec.local, spec.remote, err)
				: listen_both(job, spec.local, spec.remote, err);
}

static void on_vm_ended(evutil_socket_t fd, short what, void *arg)
{
	struct job *job = arg;
	char byte;

	/* It says nothing that was not asked for. */
	if (recv(fd, &byte, 1, 0) < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	job->ended = true;
	(void)event_base_loopbreak(job->loop);
}

static enum verb_status serve(struct job *job, char *const *words, int vm, struct err *err)
{
	const struct forwarder_owner owner = { on_refused, job };

	job->forwarder = forwarder_new(job->loop, job->o.paths.vsock, &owner);
	job->vm_ended = event_new(job->loop, vm, EV_READ | EV_PERSIST, on_vm_ended, job);
	if (job->forwarder == NULL || job->vm_ended == NULL || event_add(job->vm_ended, NULL) < 0) {
		(void)err_set(err, -ENOMEM, "out of memory");
		return VERB_FAILED;
	}
	for (; *words != NULL; words++)
		if (listen_for(job, *words, err) < 0)
			return VERB_FAILED;
	if (fflush(stdout) != 0) {
		(void)err_errno(err, errno, "cannot write to the standard output");
		return VERB_FAILED;
	}
	(void)event_base_dispatch(job->loop);
	(void)err_set(err, -ECONNRESET, "the VM \"%s\" has ended", job->o.name);
	return VERB_FAILED;
}

/* --- stdio ----------------------------------------------------------------------------------- */

static void on_dialed(void *owner, int fd, const struct err *why)
{
	struct job *job = owner;

	job->dialed = fd;
	job->ended = true;
	if (why != NULL)
		job->why = *why;
	(void)event_base_loopbreak(job->loop);
}

static enum verb_status copy_stdio(struct job *job, const char *word, struct err *err)
{
	struct guest_dial_plan plan = {
		.vsock = job->o.paths.vsock, .done = on_dialed, .owner = job
	};
	struct guest_dial *dial;
	int ret;

	if (forward_spec_port(word, &plan.port, err) < 0)
		return VERB_USAGE;
	if (guest_dial_start(job->loop, &plan, &dial, err) < 0)
		return VERB_FAILED;
	while (!job->ended)
		(void)event_base_loop(job->loop, EVLOOP_ONCE);
	guest_dial_free(dial);
	if (job->dialed < 0) {
		*err = job->why;
		return VERB_FAILED;
	}
	ret = stdio_pair_run(job->dialed, err);
	/* The descriptor may still be copied to: the process ends now. */
	return ret < 0 ? VERB_FAILED : VERB_OK;
}

/* --- words ----------------------------------------------------------------------------------- */

/* Options, with their values, from ports, which are neither; both ended by NULL. */
static void split(char **words, char **options, char **ports)
{
	for (; *words != NULL; words++) {
		bool is_option = (*words)[0] == '-';

		if (!is_option) {
			*ports++ = *words;
			continue;
		}
		*options++ = *words;
		if (vm_client_takes_next(*words, OPTIONS) && words[1] != NULL)
			*options++ = *++words;
	}
	*options = *ports = NULL;
}

static void print_help(void)
{
	printf("Usage: sluice-vm port-forward [OPTION]... [ADDRESS:]LOCAL:REMOTE...\n"
	       "       sluice-vm port-forward [OPTION]... --stdio REMOTE\n\n%s\n\n",
		explanation);
}

static enum verb_status forward(struct job *job, char *const *ports, struct err *err)
{
	cleanup_close int vm = -1;
	enum verb_status status;

	if (ports[0] == NULL || (job->o.stdio && ports[1] != NULL)) {
		(void)err_set(err, -EINVAL, "which %s? (see --help)",
			job->o.stdio ? "port, and only one" : "ports");
		return VERB_USAGE;
	}
	for (size_t i = 0; !job->o.stdio && ports[i] != NULL; i++) {
		struct forward_spec spec;

		if (forward_spec_parse(ports[i], &spec, err) < 0)
			return VERB_USAGE;
	}
	if (vm_client_connect(&job->o, &vm, err) < 0)
		return VERB_FAILED;
	signal(SIGPIPE, SIG_IGN);
	(void)nofile_raise(NOFILE_WISH);
	job->loop = event_base_new();
	if (job->loop == NULL) {
		(void)err_set(err, -ENOMEM, "out of memory");
		return VERB_FAILED;
	}
	status = job->o.stdio ? copy_stdio(job, ports[0], err) : serve(job, ports, vm, err);
	forwarder_free(job->forwarder);
	if (job->vm_ended != NULL)
		event_free(job->vm_ended);
	event_base_free(job->loop);
	return status;
}

enum verb_status port_forward_verb(int argc, char **argv, struct err *err)
{
	cleanup_free char **options = calloc((size_t)argc + 1, sizeof(*options));
	cleanup_free char **ports = calloc((size_t)argc + 1, sizeof(*ports));
	struct job job = { .dialed = -1 };

	if (options == NULL || ports == NULL) {
		(void)err_set(err, -ENOMEM, "out of memory");
		return VERB_FAILED;
	}
	split(argv + 1, options, ports);
	if (options[0] != NULL && strcmp(options[0], "--help") == 0)
		print_help();
	if (vm_client_parse(options, OPTIONS, &job.o, err) < 0)
		return VERB_USAGE;
	return job.o.help ? VERB_OK : forward(&job, ports, err);
}

void port_forward_verb_man(FILE *out)
{
	vm_client_print_man(OPTIONS, out);
	fputs(".PP\n", out);
	roff_text(explanation, out);
	fputc('\n', out);
}
