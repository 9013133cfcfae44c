/* SPDX-License-Identifier: BSD-3-Clause */
#include "tcp_bench.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

int tcp_own_network(void **state)
{
	if (unshare(CLONE_NEWNET) < 0)
		fail_msg("unshare: %s (tests need root)", strerror(errno));
	return system("ip link set lo up");
}

static socklen_t fill(const char *address, uint16_t port, struct sockaddr_storage *to)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)to;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)to;

	memset(to, 0, sizeof(*to));
	v4->sin_port = htons(port);
	if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		return sizeof(*v4);
	}
	assert_int_equal(inet_pton(AF_INET6, address, &v6->sin6_addr), 1);
	v6->sin6_family = AF_INET6;
	return sizeof(*v6);
}

static int do_bind(const char *address, uint16_t *port, int v6_only)
{
	struct sockaddr_storage sa;
	socklen_t len = fill(address, *port, &sa), room = sizeof(sa);
	int on = 1, fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_return_code(fd, errno);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (sa.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof(v6_only));
	assert_return_code(bind(fd, (struct sockaddr *)&sa, len), errno);
	assert_return_code(getsockname(fd, (struct sockaddr *)&sa, &room), errno);
	*port = ntohs(((struct sockaddr_in *)&sa)->sin_port);
	return fd;
}

static int do_listen(const char *address, uint16_t *port, int v6_only)
{
	int fd = do_bind(address, port, v6_only);

	assert_return_code(listen(fd, 1024), errno);
	return fd;
}

int tcp_listen(const char *address, uint16_t *port)
{
	return do_listen(address, port, 0);
}

int tcp_listen_v6_only(uint16_t *port)
{
	return do_listen("::", port, 1);
}

int tcp_bind(uint16_t *port)
{
	return do_bind("127.0.0.1", port, 0);
}

int tcp_connect(const char *address, uint16_t port)
{
	const struct timeval limit = { .tv_sec = 20 };
	struct sockaddr_storage sa;
	socklen_t len = fill(address, port, &sa);
	int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_return_code(fd, errno);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&sa, len) == 0)
		return fd;
	len = (socklen_t)errno;
	close(fd);
	return -(int)len;
}

bool tcp_is_taken(const char *address, uint16_t port)
{
	struct sockaddr_storage sa;
	socklen_t len = fill(address, port, &sa);
	int on = 1, ret, fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_return_code(fd, errno);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	ret = bind(fd, (struct sockaddr *)&sa, len);
	if (ret < 0)
		assert_int_equal(errno, EADDRINUSE);
	close(fd);
	return ret < 0;
}

unsigned tcp_n_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n - 3; /* ".", ".." and the directory */
}
