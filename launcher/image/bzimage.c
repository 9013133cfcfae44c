/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/image/bzimage.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

/* Offsets in the file. */
#define SETUP_SECTS    0x1f1
#define BOOT_FLAG      0x1fe
#define MAGIC          0x202
#define VERSION        0x206
#define PAYLOAD_OFFSET 0x248
#define PAYLOAD_LENGTH 0x24c
#define HEADER_LEN     0x250

#define BOOT_FLAG_VALUE     0xaa55
#define VERSION_MIN         0x0208
#define SECTOR              512
#define SETUP_SECTS_DEFAULT 4 /* what 0 means */

static uint16_t get_u16(const uint8_t *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return le16toh(value);
}

static uint32_t get_u32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return le32toh(value);
}

static enum packing packing_of(const uint8_t *bytes, size_t len)
{
	static const struct {
		const char *magic;
		size_t len;
		enum packing packing;
	} rows[] = {
		{ "\x1f\x8b", 2, PACKING_GZIP },
		{ "\x02!L\x18", 4, PACKING_LZ4 },
		{ "\xfd"
		  "7zXZ\0",
			6, PACKING_XZ },
		{ "\x28\xb5\x2f\xfd", 4, PACKING_ZSTD },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (len >= rows[i].len && memcmp(bytes, rows[i].magic, rows[i].len) == 0)
			return rows[i].packing;
	return PACKING_UNKNOWN;
}

int bzimage_find(const uint8_t *bytes, size_t len, struct bzimage *image)
{
	uint64_t sectors, at, payload_len;

	if (len < HEADER_LEN || get_u16(bytes + BOOT_FLAG) != BOOT_FLAG_VALUE ||
		memcmp(bytes + MAGIC, "HdrS", 4) != 0 || get_u16(bytes + VERSION) < VERSION_MIN)
		return -ENOEXEC;
	sectors = bytes[SETUP_SECTS] != 0 ? bytes[SETUP_SECTS] : SETUP_SECTS_DEFAULT;
	at = (sectors + 1) * SECTOR + get_u32(bytes + PAYLOAD_OFFSET);
	payload_len = get_u32(bytes + PAYLOAD_LENGTH);
	if (payload_len == 0 || at >= len || payload_len > len - at)
		return -ENOEXEC;
	*image = (struct bzimage) { .packing = packing_of(bytes + at, payload_len),
		.payload = bytes + at,
		.len = payload_len };
	return 0;
}
