/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/image/unpack.h"

#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lz4.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "lib/cleanup.h"

#define PIECE         (256 * 1024)
/* lz4's old format, the one that Linux knows (lz4_Frame_format.md, "Legacy frame"): a magic number,
 * then blocks, each behind its packed length. */
#define LZ4_MAGIC_LEN 4
#define LZ4_BLOCK     (8 * 1024 * 1024)

#define XZ_MEMORY (UINT64_C(256) << 20) /* the kernel's build takes windows of 32 MiB */

struct output {
	int fd;
	uint64_t room;
	uint8_t *piece; /* PIECE bytes to unpack into */
};

static int put(struct output *out, const uint8_t *at, size_t len)
{
	if (len > out->room)
		return -EFBIG;
	out->room -= len;
	while (len > 0) {
		ssize_t n = write(out->fd, at, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		at += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int unpack_gzip(const struct bzimage *image, struct output *out)
{
	z_stream z = { .next_in = (uint8_t *)image->payload, .avail_in = (uInt)image->len };
	int said = Z_OK, ret = 0;

	if (inflateInit2(&z, MAX_WBITS + 16) != Z_OK)
		return -ENOMEM;
	while (ret == 0 && said == Z_OK) {
		z.next_out = out->piece;
		z.avail_out = PIECE;
		said = inflate(&z, Z_NO_FLUSH);
		ret = put(out, out->piece, PIECE - z.avail_out);
	}
	inflateEnd(&z);
	return ret == 0 && said != Z_STREAM_END ? -EBADMSG : ret;
}

/* Fewer bytes than a block has are what the kernel's build puts behind the last one. */
static int unpack_lz4(const struct bzimage *image, struct output *out)
{
	cleanup_free uint8_t *block = malloc(LZ4_BLOCK);
	const uint8_t *at = image->payload + LZ4_MAGIC_LEN;
	size_t left = image->len - LZ4_MAGIC_LEN;
	int ret = block != NULL ? 0 : -ENOMEM;

	while (ret == 0 && left > sizeof(uint32_t)) {
		uint32_t len;
		int n;

		memcpy(&len, at, sizeof(len));
		len = le32toh(len);
		if (len > left - sizeof(len))
			return -EBADMSG;
		n = LZ4_decompress_safe(
			(const char *)at + sizeof(len), (char *)block, (int)len, LZ4_BLOCK);
		ret = n < 0 ? -EBADMSG : put(out, block, (size_t)n);
		at += sizeof(len) + len;
		left -= sizeof(len) + len;
	}
	return ret;
}

static int unpack_xz(const struct bzimage *image, struct output *out)
{
	lzma_stream z = LZMA_STREAM_INIT;
	lzma_ret said = lzma_stream_decoder(&z, XZ_MEMORY, 0);
	int ret = 0;

	z.next_in = image->payload;
	z.avail_in = image->len;
	while (ret == 0 && said == LZMA_OK) {
		z.next_out = out->piece;
		z.avail_out = PIECE;
		said = lzma_code(&z, LZMA_RUN);
		ret = put(out, out->piece, PIECE - z.avail_out);
	}
	lzma_end(&z);
	return ret == 0 && said != LZMA_STREAM_END ? -EBADMSG : ret;
}

static int unpack_zstd(const struct bzimage *image, struct output *out)
{
	ZSTD_DStream *z = ZSTD_createDStream();
	ZSTD_inBuffer in = { image->payload, image->len, 0 };
	size_t said = 1;
	bool stuck = false;
	int ret = z != NULL ? 0 : -ENOMEM;

	/* 0 is the end of a frame; something else a guess at what is still to come. */
	while (ret == 0 && said != 0 && !stuck) {
		ZSTD_outBuffer piece = { out->piece, PIECE, 0 };
		size_t before = in.pos;

		said = ZSTD_decompressStream(z, &piece, &in);
		stuck = ZSTD_isError(said) || (in.pos == before && piece.pos == 0);
		ret = put(out, out->piece, piece.pos);
	}
	ZSTD_freeDStream(z);
	return ret == 0 && said != 0 ? -EBADMSG : ret;
}

int unpack(const struct bzimage *image, int fd, uint64_t room)
{
	cleanup_free uint8_t *piece = malloc(PIECE);
	struct output out = { .fd = fd, .room = room, .piece = piece };

	if (piece == NULL)
		return -ENOMEM;
	switch (image->packing) {
	case PACKING_GZIP:
		return unpack_gzip(image, &out);
	case PACKING_LZ4:
		return unpack_lz4(image, &out);
	case PACKING_XZ:
		return unpack_xz(image, &out);
	case PACKING_ZSTD:
		return unpack_zstd(image, &out);
	case PACKING_UNKNOWN:
		break;
	}
	return -ENOTSUP;
}
