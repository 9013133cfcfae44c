/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ethernet frames that no network stack would send, and what of them, or of any traffic, arrives.
 *
 *   raw_frames send IFNAME SOURCE DESTINATION [arp FROM TO] [option VALUE]...
 *       SOURCE and DESTINATION are addresses (aa:bb:cc:dd:ee:ff), or the words
 *       own     the interface's
 *       random  a unicast address that is locally administered, a new one for each frame
 *       arp FROM TO   ARP requests of FROM for TO, and for the addresses that follow it
 *       type T        EtherType (0x88b5, for local experiments)
 *       count N       frames (1)
 *       gap US        pause after each (0)
 *       seed S        of the random addresses
 *   raw_frames watch IFNAME [type T]
 *       counts what the interface receives (of this EtherType) until SIGUSR1 asks it to end;
 *       says "ready" once it sees frames
 *
 * Each ends with one JSON object. `foreign` are unicast frames to addresses other than the
 * interface's own; `reserved` counts each of 01:80:c2:00:00:00 to 0f.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/tools/endpoint.h"

#define FRAME_LEN        60
#define TYPE_EXPERIMENT  0x88b5
#define TYPE_ANY         ETH_P_ALL
#define N_RESERVED       16
#define LOOK_AROUND_USEC 50000

struct plan {
	uint64_t type, count, gap_us, seed;
};

struct option {
	const char *name;
	uint64_t *value, max;
};

static void parse_options(char **words, const struct option *options, size_t n)
{
	for (; words[0] != NULL && words[1] != NULL; words += 2) {
		size_t i = 0;

		while (i < n && strcmp(words[0], options[i].name) != 0)
			i++;
		if (i == n) {
			fprintf(stderr, "raw_frames: no option %s\n", words[0]);
			exit(2);
		}
		*options[i].value = parse_number(words[0], words[1], 0, options[i].max);
	}
}

static int open_interface(const char *name, unsigned protocol, unsigned char own[ETH_ALEN])
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
		.sll_protocol = htobe16((uint16_t)protocol),
		.sll_ifindex = (int)if_nametoindex(name) };
	struct ifreq ifr = { 0 };
	const int on = 1;

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (fd < 0 || at.sll_ifindex == 0 || ioctl(fd, SIOCGIFHWADDR, &ifr) < 0)
		fail(name);
	if (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) < 0 ||
		bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		fail("bind");
	memcpy(own, ifr.ifr_hwaddr.sa_data, ETH_ALEN);
	return fd;
}

/* --- send ------------------------------------------------------------------------------------ */

enum address_kind { ADDRESS_FIXED, ADDRESS_RANDOM };

static enum address_kind parse_address(
	const char *word, const unsigned char own[ETH_ALEN], unsigned char out[ETH_ALEN])
{
	char rest;

	if (strcmp(word, "random") == 0)
		return ADDRESS_RANDOM;
	if (strcmp(word, "own") == 0)
		memcpy(out, own, ETH_ALEN);
	else if (sscanf(word, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%c", &out[0], &out[1], &out[2],
			 &out[3], &out[4], &out[5], &rest) != ETH_ALEN) {
		fprintf(stderr, "raw_frames: %s: want aa:bb:cc:dd:ee:ff, own or random\n", word);
		exit(2);
	}
	return ADDRESS_FIXED;
}

static void randomize(unsigned char address[ETH_ALEN], struct byte_stream *stream)
{
	uint64_t word = byte_stream_next(stream);

	memcpy(address, &word, ETH_ALEN);
	address[0] = (unsigned char)((address[0] & 0xfc) | 0x02);
}

/* A full queue of the interface is a reason to wait, not to lose count. */
static void send_frame(int fd, const void *frame)
{
	while (send(fd, frame, FRAME_LEN, 0) < 0) {
		if (errno != ENOBUFS && errno != EAGAIN && errno != EINTR)
			fail("send");
		usleep(100);
	}
}

/* An ARP request of a station, RFC 826; the target's last byte counts up from frame to frame. */
static void fill_arp(
	unsigned char *arp, const unsigned char sender[ETH_ALEN], const char *from, const char *to)
{
	static const unsigned char fixed[8] = { 0, 1, 8, 0, 6, 4, 0, 1 };

	memcpy(arp, fixed, sizeof(fixed));
	memcpy(arp + 8, sender, ETH_ALEN);
	if (inet_pton(AF_INET, from, arp + 14) != 1 || inet_pton(AF_INET, to, arp + 24) != 1) {
		fprintf(stderr, "raw_frames: arp: want two IPv4 addresses\n");
		exit(2);
	}
}

static int send_frames(char **words)
{
	struct plan plan = { .type = TYPE_EXPERIMENT, .count = 1 };
	const struct option options[] = { { "type", &plan.type, UINT16_MAX },
		{ "count", &plan.count, UINT64_MAX }, { "gap", &plan.gap_us, 10000000 },
		{ "seed", &plan.seed, UINT64_MAX } };
	struct {
		struct ether_header header;
		unsigned char payload[FRAME_LEN - sizeof(struct ether_header)];
	} frame = { 0 };
	unsigned char own[ETH_ALEN];
	struct byte_stream stream;
	uint64_t n = 0;

	int fd = open_interface(words[0], 0, own);
	bool from_random = parse_address(words[1], own, frame.header.ether_shost);
	bool to_random = parse_address(words[2], own, frame.header.ether_dhost);
	bool arp = words[3] && strcmp(words[3], "arp") == 0 && words[4] && words[5];

	if (arp) {
		fill_arp(frame.payload, frame.header.ether_shost, words[4], words[5]);
		plan.type = ETHERTYPE_ARP;
		words += 3;
	}
	parse_options(words + 3, options, sizeof(options) / sizeof(options[0]));
	frame.header.ether_type = htobe16((uint16_t)plan.type);
	byte_stream_init(&stream, plan.seed);
	for (; n < plan.count && !stop_asked(); n++) {
		if (from_random)
			randomize(frame.header.ether_shost, &stream);
		if (to_random)
			randomize(frame.header.ether_dhost, &stream);
		send_frame(fd, &frame);
		frame.payload[27] += arp;
		if (plan.gap_us > 0)
			usleep((useconds_t)plan.gap_us);
	}
	printf("{\"sent\": %llu}\n", (unsigned long long)n);
	return 0;
}

/* --- watch ----------------------------------------------------------------------------------- */

struct seen {
	unsigned long long own, foreign, broadcast, multicast, reserved[N_RESERVED];
};

static void note(struct seen *seen, const unsigned char *to, const unsigned char own[ETH_ALEN])
{
	static const unsigned char broadcast[ETH_ALEN] = { 255, 255, 255, 255, 255, 255 };
	static const unsigned char reserved[] = { 0x01, 0x80, 0xc2, 0x00, 0x00 };

	if (memcmp(to, own, ETH_ALEN) == 0)
		seen->own++;
	else if (memcmp(to, broadcast, ETH_ALEN) == 0)
		seen->broadcast++;
	else if (memcmp(to, reserved, sizeof(reserved)) == 0 && to[5] < N_RESERVED)
		seen->reserved[to[5]]++;
	else if (to[0] & 1)
		seen->multicast++;
	else
		seen->foreign++;
}

static void print_seen(const struct seen *seen)
{
	printf("{\"own\": %llu, \"foreign\": %llu, \"broadcast\": %llu, \"multicast\": %llu, "
	       "\"reserved\": [",
		seen->own, seen->foreign, seen->broadcast, seen->multicast);
	for (unsigned i = 0; i < N_RESERVED; i++)
		printf("%s%llu", i == 0 ? "" : ", ", seen->reserved[i]);
	printf("]}\n");
}

static int watch(char **words)
{
	uint64_t type = TYPE_ANY;
	const struct option options[] = { { "type", &type, UINT16_MAX } };
	const struct timeval look_around = { .tv_usec = LOOK_AROUND_USEC };
	const int buffer = 16 << 20;
	struct ether_header header;
	unsigned char own[ETH_ALEN];
	struct seen seen = { 0 };

	parse_options(words + 1, options, 1);
	int fd = open_interface(words[0], TYPE_ANY, own);
	struct packet_mreq all = { .mr_ifindex = (int)if_nametoindex(words[0]),
		.mr_type = PACKET_MR_PROMISC };
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)) < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &look_around, sizeof(look_around)) < 0 ||
		setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)) < 0)
		fail("setsockopt");
	puts("ready");
	fflush(stdout);
	for (;;) {
		ssize_t n = recv(fd, &header, sizeof(header), MSG_TRUNC);

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			fail("recv");
		/* What has arrived before the end was asked for is counted. */
		if (n < 0 && stop_asked())
			break;
		if (n >= (ssize_t)sizeof(header) &&
			(type == TYPE_ANY || be16toh(header.ether_type) == type))
			note(&seen, header.ether_dhost, own);
	}
	print_seen(&seen);
	return 0;
}

int main(int argc, char **argv)
{
	catch_stop();
	if (argc >= 5 && strcmp(argv[1], "send") == 0)
		return send_frames(argv + 2);
	if (argc >= 3 && strcmp(argv[1], "watch") == 0)
		return watch(argv + 2);
	fprintf(stderr, "usage: raw_frames send IFNAME SOURCE DESTINATION [arp FROM TO] "
			"[OPTION VALUE]... |\n"
			"       raw_frames watch IFNAME [type T]\n");
	return 2;
}
