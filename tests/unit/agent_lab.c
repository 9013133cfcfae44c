/* SPDX-License-Identifier: BSD-3-Clause */
#include "agent_lab.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>
#include <jansson.h>

#include "guest-agent/agent.h"

#define BUSYBOX  "/bin/busybox"
#define AWAIT_MS 180000 /* what hundreds of sessions leave takes long on a busy machine */

static const char *const applets[] = { "sh", "cat", "echo", "env", "false", "grep", "head", "id",
	"ls", "md5sum", "mount", "nc", "printf", "ps", "pwd", "readlink", "rm", "seq", "setsid",
	"sleep", "stty", "touch", "tr", "trap", "true", "wc", "yes", "dd", "tail", "test" };

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
			     "broken line\n"
			     "www:x:33:34:www:/var/www:/bin/sh\n";
static const char group[] = "root:x:0:\n"
			    "wheel:x:10:other\n"
			    "www:x:34:\n"
			    "adm:x:4:www,other"; /* as an editor may leave it */

/* --- its root --------------------------------------------------------------------------------- */

static void make_file(const char *root, const char *name, const char *text, mode_t mode)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs(text, file);
	fchmod(fileno(file), mode);
	fclose(file);
}

static void make_directory(const char *root, const char *name, mode_t mode)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	assert_return_code(mkdir(path, mode), errno);
	assert_return_code(chmod(path, mode), errno);
}

static void install_busybox(const char *root)
{
	char command[256], path[256];

	snprintf(command, sizeof(command), "cp %s %s/bin/busybox", BUSYBOX, root);
	assert_int_equal(system(command), 0);
	for (size_t i = 0; i < sizeof(applets) / sizeof(applets[0]); i++) {
		snprintf(path, sizeof(path), "%s/bin/%s", root, applets[i]);
		assert_return_code(symlink("busybox", path), errno);
	}
}

static void make_root(struct lab *lab)
{
	char root[128];

	snprintf(lab->directory, sizeof(lab->directory), "/tmp/agent-lab.XXXXXX");
	assert_non_null(mkdtemp(lab->directory));
	make_directory(lab->directory, "root", 0755);
	snprintf(root, sizeof(root), "%s/root", lab->directory);
	make_directory(root, "bin", 0755);
	make_directory(root, "etc", 0755);
	make_directory(root, "tmp", 01777);
	make_directory(root, "work", 0755);
	make_directory(root, "private", 0700);
	make_file(root, "etc/passwd", passwd, 0644);
	make_file(root, "etc/group", group, 0644);
	make_file(root, "bin/plain", "text\n", 0644);
	make_file(root, "bin/garbled", "text\n", 0755);
	install_busybox(root);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	return remove(path);
}

/* --- its process ------------------------------------------------------------------------------ */

struct served {
	struct event_base *loop;
	struct agent *agent;
	struct process_spec spec;
	const struct lab_plan *plan;
	int news;
};

static void tell(struct served *served, char byte)
{
	(void)!write(served->news, &byte, 1);
}

static void on_poweroff(void *owner)
{
	tell(owner, 'p');
}

static void on_workload_ended(void *owner, const struct agent_exit *ex)
{
	tell(owner, 'e');
}

static json_t *on_status(void *owner)
{
	return json_pack("{s:i}", "bootMs", 12);
}

static void start_workload(struct served *served, const char **argv)
{
	static const char *env[] = { "PATH=/bin", "WORKLOAD=yes", NULL };
	struct err err = { "" };

	if (agent_start_workload(served->agent, &served->spec, (char *const *)argv,
		    (char *const *)env, &err) < 0)
		agent_set_failure(served->agent, AGENT_CANNOT_RUN, err.text);
}

static void on_signal(evutil_socket_t signo, short what, void *arg)
{
	struct served *served = arg;

	if (signo == SIGTERM)
		event_base_loopbreak(served->loop);
	else
		start_workload(served, served->plan->late);
}

static int decode(const char *text, struct process_spec *spec)
{
	json_t *json = json_loads(text, 0, NULL);
	struct err err = { "" };
	int ret = process_spec_decode(json, "process.", spec, &err);

	if (ret < 0)
		fprintf(stderr, "agent lab: %s\n", err.text);
	json_decref(json);
	return ret;
}

static int create(struct served *served, const struct lab *lab, const char *root)
{
	const struct agent_plan plan = {
		.root = root,
		.socket_dir = lab->directory,
		.poweroff = on_poweroff,
		.workload_ended = on_workload_ended,
		.status = on_status,
		.owner = served,
	};
	struct err err = { "" };

	if (agent_create(served->loop, &plan, &served->agent, &err) == 0)
		return 0;
	fprintf(stderr, "agent lab: %s\n", err.text);
	return -1;
}

/* The exit status says whether children were left when the agent had been freed. */
static int serve(const struct lab *lab, const struct lab_plan *plan, int news)
{
	struct served served = { .loop = event_base_new(), .plan = plan, .news = news };
	struct event *on_term = evsignal_new(served.loop, SIGTERM, on_signal, &served);
	struct event *on_usr1 = evsignal_new(served.loop, SIGUSR1, on_signal, &served);
	char root[128];

	snprintf(root, sizeof(root), "%s/root", lab->directory);
	if (decode(plan->spec != NULL ? plan->spec : "{}", &served.spec) < 0 ||
		create(&served, lab, root) < 0)
		return 2;
	event_add(on_term, NULL);
	event_add(on_usr1, NULL);
	if (plan->argv != NULL)
		start_workload(&served, plan->argv);
	else if (plan->failure != NULL)
		agent_set_failure(served.agent, AGENT_CANNOT_RUN, plan->failure);
	tell(&served, 'r');
	event_base_dispatch(served.loop);
	agent_free(served.agent);
	process_spec_free(&served.spec);
	event_free(on_term);
	event_free(on_usr1);
	event_base_free(served.loop);
	return waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD ? 0 : 3;
}

void lab_start(struct lab *lab, const struct lab_plan *plan)
{
	int news[2];

	make_root(lab);
	assert_return_code(pipe2(news, O_CLOEXEC), errno);
	lab->agent = fork();
	assert_return_code(lab->agent, errno);
	if (lab->agent == 0) {
		signal(SIGPIPE, SIG_DFL); /* as what starts it has it */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_CHILD_SUBREAPER, 1);
		close(news[0]);
		_exit(serve(lab, plan, news[1]));
	}
	close(news[1]);
	lab->news = news[0];
	signal(SIGPIPE, SIG_IGN); /* it may hang up while a client still writes */
	lab_await_news(lab, 'r');
}

void lab_stop(struct lab *lab)
{
	int status;

	assert_return_code(kill(lab->agent, SIGTERM), errno);
	assert_int_equal(waitpid(lab->agent, &status, 0), lab->agent);
	close(lab->news);
	nftw(lab->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* --- what it has ------------------------------------------------------------------------------ */

size_t lab_n_fds(const struct lab *lab)
{
	struct dirent *entry;
	char path[64];
	size_t n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)lab->agent);
	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL)
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

size_t lab_n_children(const struct lab *lab)
{
	char path[64], text[65536] = "";
	size_t n = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)lab->agent, (int)lab->agent);
	file = fopen(path, "re");
	assert_non_null(file);
	(void)!fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	for (const char *c = text; *c != '\0'; c++)
		n += *c == ' ';
	return n;
}

void lab_await_children(const struct lab *lab, size_t n_more)
{
	for (int ms = 0; ms < AWAIT_MS && lab_n_children(lab) != lab->n_children + n_more; ms += 10)
		poll(NULL, 0, 10);
	if (lab_n_children(lab) != lab->n_children + n_more)
		fail_msg("the agent has %zu children, not %zu and %zu", lab_n_children(lab),
			lab->n_children, n_more);
}

void lab_touch(const struct lab *lab, const char *name)
{
	char root[128];

	snprintf(root, sizeof(root), "%s/root", lab->directory);
	make_file(root, name, "", 0644);
}

/*
 * Who has been told its EXIT may still have descriptors in the agent. The agent does one thing
 * after the other: once somebody else has an answer, they are gone.
 */
void lab_note_idle(struct lab *lab)
{
	struct lab_client exec, status;

	client_run(&exec, lab, "true");
	client_open(&status, lab);
	agent_wire_put(status.out, AGENT_STATUS, NULL, 0);
	client_await(&status, &status.has_status);
	lab->n_children = lab_n_children(lab);
	lab->n_fds = lab_n_fds(lab) - 2; /* these two */
	client_close(&exec);
	client_close(&status);
	lab_await_idle(lab);
}

void lab_await_idle(const struct lab *lab)
{
	for (int ms = 0; ms < AWAIT_MS; ms += 10) {
		if (lab_n_children(lab) == lab->n_children && lab_n_fds(lab) == lab->n_fds)
			return;
		poll(NULL, 0, 10);
	}
	fail_msg("the agent has %zu children and %zu descriptors, not %zu and %zu",
		lab_n_children(lab), lab_n_fds(lab), lab->n_children, lab->n_fds);
}

void lab_await_news(const struct lab *lab, char byte)
{
	struct pollfd p = { .fd = lab->news, .events = POLLIN };
	char got = 0;

	if (poll(&p, 1, AWAIT_MS) != 1)
		fail_msg("no news from the agent: '%c' was awaited", byte);
	assert_int_equal(read(lab->news, &got, 1), 1);
	assert_int_equal(got, byte);
}

static bool is_called(const char *pid, const char *word)
{
	char path[300], text[65] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/cmdline", pid);
	file = fopen(path, "re");
	if (file == NULL)
		return false;
	(void)!fread(text, 1, sizeof(text) - 2, file);
	fclose(file);
	return strcmp(text + strlen(text) + 1, word) == 0;
}

bool lab_runs(const char *word)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	bool runs = false;

	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
			runs |= is_called(entry->d_name, word);
	closedir(dir);
	return runs;
}

void lab_await_runs(const char *word, bool runs)
{
	for (int ms = 0; ms < AWAIT_MS; ms += 10) {
		if (lab_runs(word) == runs)
			return;
		poll(NULL, 0, 10);
	}
	fail_msg("%s %s", word, runs ? "does not run" : "still runs");
}

int lab_setup(void **state)
{
	struct lab *lab = calloc(1, sizeof(*lab));

	lab_start(lab, &(struct lab_plan) { .argv = words("sleep", "100000") });
	lab_note_idle(lab);
	*state = lab;
	return 0;
}

int lab_teardown(void **state)
{
	if (*state == NULL) /* it could not be set up */
		return 0;
	lab_stop(*state);
	free(*state);
	return 0;
}
