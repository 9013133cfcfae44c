/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * libcurl's multi interface, driven by the loop: it says which sockets it waits for and when it
 * wants to be called next, and we call it with what happened.
 */

#include "launcher/vmm/rest.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <curl/curl.h>
#include <event2/event.h>

#include "lib/cleanup.h"

struct call {
	TAILQ_ENTRY(call) entry;
	CURL *easy;
	struct curl_slist *headers;
	char *request;
	char *answer;
	size_t answer_len;
	rest_done_fn *done;
	void *owner;
};

struct rest {
	struct event_base *loop;
	CURLM *multi;
	struct event *timer;
	TAILQ_HEAD(, call) calls;
	char *socket;
	bool busy;   /* in a callback: rest_close() leaves it to be freed */
	bool closed; /* and was called */
};

static void free_call(struct rest *rest, struct call *call)
{
	TAILQ_REMOVE(&rest->calls, call, entry);
	if (call->easy != NULL) {
		curl_multi_remove_handle(rest->multi, call->easy);
		curl_easy_cleanup(call->easy);
	}
	curl_slist_free_all(call->headers);
	free(call->request);
	free(call->answer);
	free(call);
}

static void release(struct rest *rest)
{
	while (!TAILQ_EMPTY(&rest->calls))
		free_call(rest, TAILQ_FIRST(&rest->calls));
	if (rest->multi != NULL)
		curl_multi_cleanup(rest->multi);
	if (rest->timer != NULL)
		event_free(rest->timer);
	free(rest->socket);
	free(rest);
}

/* --- answers --------------------------------------------------------------------------------- */

/* A VMM describes an error as text, or as an object that has it (Firecracker's fault_message). */
static const char *error_text(const json_t *body, const struct call *call)
{
	const char *text = json_string_value(json_object_get(body, "fault_message"));

	if (text != NULL)
		return text;
	return call->answer_len > 0 ? call->answer : "it does not say why";
}

static void tell(struct call *call, CURLcode result)
{
	json_t *body = NULL;
	json_error_t error;
	long status = 0;

	if (result != CURLE_OK) {
		call->done(call->owner, 0, NULL, curl_easy_strerror(result));
		return;
	}
	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	if (call->answer_len > 0)
		body = json_loadb(call->answer, call->answer_len,
			JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	/* libcurl takes "HTTP/20. 500" for an answer, with no status. */
	if (status < 200 || status > 599)
		call->done(call->owner, 0, NULL, "an answer without a status");
	else if (status >= 400)
		call->done(call->owner, (int)status, body, error_text(body, call));
	else if (call->answer_len > 0 && body == NULL)
		call->done(call->owner, 0, NULL, "an answer that is not JSON");
	else
		call->done(call->owner, (int)status, body, NULL);
	json_decref(body);
}

static void finish_calls(struct rest *rest)
{
	CURLMsg *message;
	int n;

	rest->busy = true;
	while (!rest->closed && (message = curl_multi_info_read(rest->multi, &n)) != NULL) {
		CURLcode result = message->data.result;
		struct call *call = NULL;

		/* The message does not outlive its handle. */
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&call);
		tell(call, result);
		free_call(rest, call);
	}
	rest->busy = false;
	if (rest->closed)
		release(rest);
}

/* Kept NUL-terminated, for error_text(). */
static size_t on_data(char *data, size_t size, size_t n, void *arg)
{
	struct call *call = arg;
	size_t len = size * n;
	char *answer;

	if (len > REST_ANSWER_MAX - call->answer_len)
		return 0; /* CURLE_WRITE_ERROR */
	answer = realloc(call->answer, call->answer_len + len + 1);
	if (answer == NULL)
		return 0;
	memcpy(answer + call->answer_len, data, len);
	call->answer = answer;
	call->answer_len += len;
	answer[call->answer_len] = '\0';
	return len;
}

/* --- the loop -------------------------------------------------------------------------------- */

static void on_socket_ready(evutil_socket_t fd, short what, void *arg)
{
	struct rest *rest = arg;
	int ready = ((what & EV_READ) != 0 ? CURL_CSELECT_IN : 0) |
		    ((what & EV_WRITE) != 0 ? CURL_CSELECT_OUT : 0);
	int n;

	curl_multi_socket_action(rest->multi, fd, ready, &n);
	finish_calls(rest);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct rest *rest = arg;
	int n;

	curl_multi_socket_action(rest->multi, CURL_SOCKET_TIMEOUT, 0, &n);
	finish_calls(rest);
}

static int set_timer(CURLM *multi, long ms, void *arg)
{
	struct rest *rest = arg;
	struct timeval timeout = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	if (ms < 0)
		event_del(rest->timer);
	else
		event_add(rest->timer, &timeout);
	return 0;
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *watched)
{
	struct rest *rest = arg;
	struct event *event = watched;
	short events = EV_PERSIST;

	if (event != NULL)
		event_free(event);
	if (what == CURL_POLL_REMOVE)
		return 0;
	if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
		events |= EV_READ;
	if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
		events |= EV_WRITE;
	event = event_new(rest->loop, fd, events, on_socket_ready, rest);
	if (event == NULL || event_add(event, NULL) < 0)
		return -1;
	curl_multi_assign(rest->multi, fd, event);
	return 0;
}

/* --- calls ----------------------------------------------------------------------------------- */

static int set_options(struct rest *rest, struct call *call, const char *method, const char *url)
{
	CURL *easy = call->easy;
	CURLcode ret = curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, rest->socket);

	/* Those that can fail take a copy of a string. */
	if (ret == CURLE_OK)
		ret = curl_easy_setopt(easy, CURLOPT_URL, url);
	if (ret == CURLE_OK)
		ret = curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
	if (ret == CURLE_OK)
		ret = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
	if (ret == CURLE_OK)
		ret = curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)REST_TIMEOUT_MS);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
	if (call->request != NULL)
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->request);
	return ret == CURLE_OK ? 0 : -ENOMEM;
}

static int begin(struct rest *rest, struct call *call, const char *method, const char *path,
	const json_t *body)
{
	cleanup_free char *url = NULL;

	if (asprintf(&url, "http://localhost%s", path) < 0)
		return -ENOMEM;
	call->easy = curl_easy_init();
	call->headers = curl_slist_append(NULL, "Content-Type: application/json");
	if (body != NULL)
		call->request = json_dumps(body, JSON_COMPACT | JSON_ENCODE_ANY);
	if (call->easy == NULL || call->headers == NULL ||
		(body != NULL && call->request == NULL) ||
		set_options(rest, call, method, url) < 0 ||
		curl_multi_add_handle(rest->multi, call->easy) != CURLM_OK)
		return -ENOMEM;
	return 0;
}

int rest_call(struct rest *rest, const char *method, const char *path, const json_t *body,
	rest_done_fn *done, void *owner, struct err *err)
{
	struct call *call = calloc(1, sizeof(*call));
	int ret;

	if (call == NULL)
		return err_errno(err, ENOMEM, "cannot ask for %s", path);
	call->done = done;
	call->owner = owner;
	TAILQ_INSERT_TAIL(&rest->calls, call, entry);
	ret = begin(rest, call, method, path, body);
	if (ret < 0) {
		free_call(rest, call);
		return err_errno(err, -ret, "cannot ask for %s", path);
	}
	return 0;
}

int rest_open(struct event_base *loop, const char *socket, struct rest **out, struct err *err)
{
	struct rest *rest = calloc(1, sizeof(*rest));

	if (rest == NULL)
		return err_errno(err, ENOMEM, "cannot talk to %s", socket);
	TAILQ_INIT(&rest->calls);
	rest->loop = loop;
	rest->socket = strdup(socket);
	rest->timer = evtimer_new(loop, on_timer, rest);
	rest->multi = curl_multi_init();
	if (rest->socket == NULL || rest->timer == NULL || rest->multi == NULL) {
		release(rest);
		return err_errno(err, ENOMEM, "cannot talk to %s", socket);
	}
	curl_multi_setopt(rest->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	curl_multi_setopt(rest->multi, CURLMOPT_SOCKETDATA, rest);
	curl_multi_setopt(rest->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(rest->multi, CURLMOPT_TIMERDATA, rest);
	*out = rest;
	return 0;
}

void rest_close(struct rest *rest)
{
	if (rest == NULL)
		return;
	if (rest->busy)
		rest->closed = true;
	else
		release(rest);
}
