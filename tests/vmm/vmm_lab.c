/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm_lab.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "guest_image.h"
#include "launcher/process/remove_tree.h"

#define TIMEOUT_S 60 /* of an emulated guest on a busy machine */

/* --- what it tells --------------------------------------------------------------------------- */

static void on_event(void *owner, enum vmm_event event, const char *detail)
{
	struct vmm_lab *lab = owner;

	if (lab->n_events < VMM_LAB_EVENTS_MAX) {
		lab->events[lab->n_events] = event;
		snprintf(lab->details[lab->n_events], sizeof(lab->details[0]), "%s", detail);
		lab->n_events++;
	}
	event_base_loopbreak(lab->loop);
}

static void on_console(evutil_socket_t fd, short what, void *arg)
{
	struct vmm_lab *lab = arg;
	ssize_t n = read(fd, lab->text + lab->text_len, sizeof(lab->text) - 1 - lab->text_len);

	if (n > 0)
		lab->text_len += (size_t)n;
	event_base_loopbreak(lab->loop);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct vmm_lab *lab = arg;

	lab->late = true;
	event_base_loopbreak(lab->loop);
}

const char *vmm_lab_story(const struct vmm_lab *lab)
{
	static const char *const names[] = { "running", "shutdown", "panicked", "ended" };
	static char story[2048];
	size_t len = 0;

	story[0] = '\0';
	for (size_t i = 0; i < lab->n_events; i++)
		len += snprintf(story + len, sizeof(story) - len, "%s%s%s%s", i > 0 ? " " : "",
			names[lab->events[i]], lab->details[i][0] != '\0' ? ":" : "",
			lab->details[i]);
	return story;
}

static bool has_text(const struct vmm_lab *lab, const char *text)
{
	return memmem(lab->text, lab->text_len, text, strlen(text)) != NULL;
}

static bool has_event(const struct vmm_lab *lab, enum vmm_event event)
{
	for (size_t i = 0; i < lab->n_events; i++)
		if (lab->events[i] == event)
			return true;
	return false;
}

static bool is_silent(const struct vmm_lab *lab)
{
	struct pollfd console = { .fd = lab->console[0], .events = POLLIN };

	return poll(&console, 1, 0) == 0;
}

/* One turn of the loop. Fails the test when there is nothing to wait for any more. */
static void turn(struct vmm_lab *lab, const char *what)
{
	const struct timeval timeout = { .tv_sec = TIMEOUT_S };

	if (!event_pending(lab->deadline, EV_TIMEOUT, NULL))
		event_add(lab->deadline, &timeout);
	if (!has_event(lab, VMM_ENDED) || !is_silent(lab))
		event_base_dispatch(lab->loop);
	else
		lab->late = true; /* for anything */
	if (!lab->late)
		return;
	fail_msg("no %s; events: %s\nconsole: ...%s", what, vmm_lab_story(lab),
		lab->text + (lab->text_len > 4000 ? lab->text_len - 4000 : 0));
}

void vmm_lab_await_text(struct vmm_lab *lab, const char *text)
{
	while (!has_text(lab, text))
		turn(lab, text);
	event_del(lab->deadline);
}

void vmm_lab_await_event(struct vmm_lab *lab, enum vmm_event event)
{
	while (!has_event(lab, event))
		turn(lab, "such event");
	event_del(lab->deadline);
}

/* --- setting up ------------------------------------------------------------------------------ */

const char *vmm_lab_guest_file(const char *name)
{
	static char paths[4][512];
	static unsigned next;
	const char *dir = getenv("SLUICE_GUEST_DIR");
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", dir != NULL ? dir : "build/guest", name);
	return path;
}

const char *vmm_lab_module(const char *name)
{
	static char paths[8][512];
	static unsigned next;
	char *path = paths[next++ % 8];
	char pattern[512];
	glob_t found;

	snprintf(pattern, sizeof(pattern), "cloud/lib/modules/*/kernel/%s", name);
	if (glob(vmm_lab_guest_file(pattern), 0, NULL, &found) != 0)
		fail_msg("no module %s", name);
	snprintf(path, sizeof(paths[0]), "%s", found.gl_pathv[0]);
	globfree(&found);
	return path;
}

static void make_plan(struct vmm_lab *lab, const struct vmm_kind *kind, const char *machine)
{
	bool uml = kind == &vmm_uml;

	lab->plan = (struct vmm_plan) { .name = "test",
		.run_dir = lab->dir,
		.kernel = strdup(vmm_lab_guest_file(uml ? "linux.uml" : "vmlinuz")),
		.initrd = lab->initrd,
		.cmdline = lab->cmdline,
		.n_cpus = 1,
		.memory_mib = uml ? 128 : 192,
		.accel = VMM_ACCEL_TCG,
		.machine = machine,
		.console = lab->console[1] };
	strcpy(lab->cmdline, "rdinit=/test-init quiet");
	snprintf(lab->initrd, sizeof(lab->initrd), "%s/initrd", lab->dir);
}

int vmm_lab_setup(void **state, const struct vmm_kind *kind, const char *machine)
{
	struct vmm_lab *lab = calloc(1, sizeof(*lab));

	assert_non_null(lab);
	signal(SIGPIPE, SIG_IGN);
	strcpy(lab->dir, "/tmp/vmm-lab.XXXXXX");
	assert_non_null(mkdtemp(lab->dir));
	assert_int_equal(pipe2(lab->console, O_CLOEXEC), 0);
	assert_int_equal(keeper_start(&lab->keeper, NULL), 0);
	assert_int_equal(keeper_add_path(lab->keeper, lab->dir, NULL), 0);
	lab->loop = event_base_new();
	lab->console_ready =
		event_new(lab->loop, lab->console[0], EV_READ | EV_PERSIST, on_console, lab);
	lab->deadline = evtimer_new(lab->loop, on_deadline, lab);
	event_add(lab->console_ready, NULL);
	make_plan(lab, kind, machine);
	*state = lab;
	return 0;
}

int vmm_lab_teardown(void **state)
{
	struct vmm_lab *lab = *state;

	if (lab->vmm != NULL)
		lab->vmm->kind->kill(lab->vmm);
	event_free(lab->console_ready);
	event_free(lab->deadline);
	event_base_free(lab->loop);
	close(lab->console[0]);
	close(lab->console[1]);
	remove_tree(lab->dir);
	keeper_end(lab->keeper);
	free((char *)lab->plan.kernel);
	free(lab);
	return 0;
}

int vmm_lab_start(struct vmm_lab *lab, const struct vmm_kind *kind, struct err *err)
{
	const struct vmm_owner owner = { .event = on_event, .owner = lab };
	int ret = kind->start(lab->loop, lab->keeper, &lab->plan, &owner, &lab->vmm, err);

	/* Nothing is told from within a call. */
	assert_int_equal(lab->n_events, 0);
	return ret;
}

void vmm_lab_boot(struct vmm_lab *lab, const struct vmm_kind *kind, const char *script,
	const char *const *files)
{
	struct guest_image image = { .base = vmm_lab_guest_file(
					     kind == &vmm_uml ? "uml.cpio" : "cloud.cpio"),
		.script = script };
	struct err err = { "" };

	for (size_t i = 0; files != NULL && i < 7 && files[i] != NULL; i++)
		image.files[i] = files[i];
	guest_image_write(&image, lab->initrd);
	if (kind->check(&lab->plan, &err) < 0 || vmm_lab_start(lab, kind, &err) < 0)
		fail_msg("%s", err.text);
}

bool vmm_lab_is_gone(pid_t leader)
{
	return kill(-leader, 0) < 0 && errno == ESRCH;
}

/* Whoever was killed may take a while; what is left of a group has become the test's own. */
void vmm_lab_await_gone(pid_t leader)
{
	for (int ms = 0; ms < 1000 * TIMEOUT_S && !vmm_lab_is_gone(leader); ms++) {
		(void)waitpid(-leader, NULL, WNOHANG);
		usleep(1000);
	}
	assert_true(vmm_lab_is_gone(leader));
}
