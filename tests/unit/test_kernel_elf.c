/* SPDX-License-Identifier: BSD-3-Clause */

/* ELF files out of kernels as distributions pack them: here this program stands for the kernel. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lz4.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "launcher/image/bzimage.h"
#include "launcher/image/kernel_elf.h"
#include "lib/whole_file.h"
#include "tests/unit/scratch.h"

#define FILE_MAX (64 << 20)
#define SETUP    3 /* sectors behind the first */
#define GAP      100
#define AT       ((SETUP + 1) * 512 + GAP) /* where the payload begins */
#define TRAILER  4

typedef size_t pack_fn(const char *in, size_t in_len, uint8_t *out, size_t room);

static size_t pack_gzip(const char *in, size_t in_len, uint8_t *out, size_t room)
{
	z_stream z = { .next_in = (uint8_t *)in,
		.avail_in = (uInt)in_len,
		.next_out = out,
		.avail_out = (uInt)room };

	assert_int_equal(deflateInit2(&z, 1, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), 0);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return z.total_out;
}

/* Two blocks of lz4's old format. */
static size_t pack_lz4(const char *in, size_t in_len, uint8_t *out, size_t room)
{
	size_t half = in_len / 2, len = 4;

	memcpy(out, "\x02!L\x18", 4);
	for (int i = 0; i < 2; i++) {
		size_t part = i == 0 ? half : in_len - half;
		int n = LZ4_compress_default(
			in + i * half, (char *)out + len + 4, (int)part, (int)(room - len - 4));

		assert_true(n > 0);
		memcpy(out + len, &n, 4);
		len += 4 + (size_t)n;
	}
	return len;
}

static size_t pack_xz(const char *in, size_t in_len, uint8_t *out, size_t room)
{
	size_t len = 0;

	assert_int_equal(lzma_easy_buffer_encode(0, LZMA_CHECK_CRC32, NULL, (const uint8_t *)in,
				 in_len, out, &len, room),
		LZMA_OK);
	return len;
}

static size_t pack_zstd(const char *in, size_t in_len, uint8_t *out, size_t room)
{
	ZSTD_CCtx *z = ZSTD_createCCtx();
	size_t len;

	/* With a checksum, as zstd(1) has it. */
	ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, 1);
	len = ZSTD_compress2(z, out, room, in, in_len);
	ZSTD_freeCCtx(z);
	assert_false(ZSTD_isError(len));
	return len;
}

static size_t pack_unknown(const char *in, size_t in_len, uint8_t *out, size_t room)
{
	memcpy(out, "\x89LZO", 4);
	return 4;
}

static char *read_file(const char *path, size_t *len)
{
	char *bytes = NULL;

	assert_int_equal(whole_file_read(path, FILE_MAX, &bytes, len), 0);
	return bytes;
}

static void put_u32(uint8_t *at, size_t value)
{
	uint32_t wire = (uint32_t)value;

	memcpy(at, &wire, sizeof(wire));
}

/* A kernel in which `in` is packed; returns its length. */
static size_t make_image(pack_fn *pack, const char *in, size_t in_len, uint8_t **image)
{
	size_t room = 2 * in_len + 4096, len;

	*image = calloc(1, AT + room + TRAILER);
	assert_non_null(*image);
	len = pack(in, in_len, *image + AT, room) + TRAILER;
	(*image)[0x1f1] = SETUP;
	memcpy(*image + 0x1fe, "\x55\xaa", 2);
	memcpy(*image + 0x202, "HdrS\x08\x02", 6);
	put_u32(*image + 0x248, GAP);
	put_u32(*image + 0x24c, len);
	put_u32(*image + AT + len - TRAILER, in_len);
	return AT + len;
}

static void write_image(void **state, pack_fn *pack, const char *in, size_t in_len)
{
	uint8_t *image;
	size_t len = make_image(pack, in, in_len, &image);

	assert_int_equal(whole_file_write(scratch_path(state, "vmlinuz"), 0644, image, len), 0);
	free(image);
}

static int get(void **state, char **elf, struct err *err)
{
	return kernel_elf_get(
		scratch_path(state, "vmlinuz"), scratch_path(state, "cache"), elf, err);
}

static void assert_n_cached(void **state, const char *n)
{
	char command[256];
	int status;
	char *said;

	snprintf(command, sizeof(command), "ls -A %s | wc -l", scratch_path(state, "cache"));
	said = scratch_shell(command, &status);
	assert_int_equal(strtol(said, NULL, 10), strtol(n, NULL, 10));
	free(said);
}

static void check_packing(void **state, pack_fn *pack)
{
	size_t len, got_len;
	char *program = read_file("/proc/self/exe", &len), *elf = NULL, *again = NULL, *got;
	struct err err = { "" };
	struct stat first, second;

	write_image(state, pack, program, len);
	assert_int_equal(kernel_elf_check(scratch_path(state, "vmlinuz"), &err), 0);
	if (get(state, &elf, &err) < 0)
		fail_msg("%s", err.text);
	got = read_file(elf, &got_len);
	assert_int_equal(got_len, len);
	assert_memory_equal(got, program, len);
	/* The same kernel is the same file, and is not made again. */
	assert_int_equal(stat(elf, &first), 0);
	assert_int_equal(get(state, &again, &err), 0);
	assert_string_equal(again, elf);
	assert_int_equal(stat(again, &second), 0);
	assert_true(first.st_ino == second.st_ino && (first.st_mode & 07777) == 0444);
	assert_n_cached(state, "1");
	free(program);
	free(got);
	free(elf);
	free(again);
}

static void test_gzip(void **state)
{
	check_packing(state, pack_gzip);
}

static void test_lz4(void **state)
{
	check_packing(state, pack_lz4);
}

static void test_xz(void **state)
{
	check_packing(state, pack_xz);
}

static void test_zstd(void **state)
{
	check_packing(state, pack_zstd);
}

static void test_elf_is_taken_as_it_is(void **state)
{
	struct err err = { "" };
	char *elf = NULL;

	assert_int_equal(
		kernel_elf_get("/proc/self/exe", scratch_path(state, "cache"), &elf, &err), 0);
	assert_string_equal(elf, "/proc/self/exe");
	assert_int_equal(access(scratch_path(state, "cache"), F_OK), -1);
	free(elf);
}

static void assert_fails(void **state, int expected, const char *words)
{
	struct err err = { "" };
	char *elf = NULL;

	assert_int_equal(get(state, &elf, &err), expected);
	assert_null(elf);
	if (strstr(err.text, words) == NULL)
		fail_msg("not \"%s\": %s", words, err.text);
}

static void test_what_is_no_kernel(void **state)
{
	struct err err = { "" };

	assert_int_equal(kernel_elf_check("/no/such", &err), -ENOENT);
	scratch_write(state, "vmlinuz", "text", 0644);
	assert_fails(state, -ENOEXEC, "neither an ELF file");
	write_image(state, pack_unknown, "x", 1);
	assert_fails(state, -ENOEXEC, "gzip, lz4, xz and zstd are");
	assert_int_equal(kernel_elf_check(scratch_path(state, "vmlinuz"), &err), -ENOEXEC);
	assert_int_equal(access(scratch_path(state, "cache"), F_OK), -1);
}

/* Damaged in the middle (lz4 has no checksum there), cut off, or no kernel after all; nothing of it
 * stays in the cache. */
static void test_damage(void **state)
{
	pack_fn *const packs[] = { pack_gzip, pack_xz, pack_zstd, pack_lz4 };
	size_t program_len;
	char *program = read_file("/proc/self/exe", &program_len);

	for (size_t i = 0; i < sizeof(packs) / sizeof(packs[0]); i++) {
		uint8_t *image;
		size_t len = make_image(packs[i], program, program_len, &image);

		memset(image + len / 2, 0xa5, 64);
		whole_file_write(scratch_path(state, "vmlinuz"), 0644, image, len);
		if (packs[i] != pack_lz4)
			assert_fails(state, -EBADMSG, "is damaged");
		put_u32(image + 0x24c, (len - AT) / 3);
		whole_file_write(scratch_path(state, "vmlinuz"), 0644, image, len);
		assert_fails(state, -EBADMSG, "is damaged");
		free(image);
		write_image(state, packs[i], "no kernel", 9);
		assert_fails(state, -EBADMSG, "is damaged");
	}
	assert_n_cached(state, "0");
	free(program);
}

static void test_header(void **state)
{
	struct bzimage found;
	uint8_t *image;
	size_t len = make_image(pack_gzip, "x", 1, &image);

	assert_int_equal(bzimage_find(image, len, &found), 0);
	assert_int_equal(found.packing, PACKING_GZIP);
	assert_ptr_equal(found.payload, image + AT);
	assert_int_equal(found.len, len - AT);
	assert_int_equal(bzimage_find(image, len - 1, &found), -ENOEXEC);
	put_u32(image + 0x248, UINT32_MAX);
	assert_int_equal(bzimage_find(image, len, &found), -ENOEXEC);
	put_u32(image + 0x248, GAP);
	put_u32(image + 0x24c, 0);
	assert_int_equal(bzimage_find(image, len, &found), -ENOEXEC);
	put_u32(image + 0x24c, 1);
	image[0x206] = 7;
	assert_int_equal(bzimage_find(image, len, &found), -ENOEXEC);
	free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_open, scratch_close)
		TEST(test_gzip),
		TEST(test_lz4),
		TEST(test_xz),
		TEST(test_zstd),
		TEST(test_elf_is_taken_as_it_is),
		TEST(test_what_is_no_kernel),
		TEST(test_damage),
		TEST(test_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
