// The floor of reading: a MiB per pread, every batch's checksum, every record's fields.

#define _GNU_SOURCE
#include "floors.h"

#include <errno.h>
#include <fcntl.h>
#include <isa-l/crc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint32_t load32(const uint8_t *p) { uint32_t v; memcpy(&v, p, 4); return __builtin_bswap32(v); }

// Reads a variable-length integer below `end`; NULL if there is none.
static inline const uint8_t *varint(const uint8_t *p, const uint8_t *end, int64_t *value) {
    uint64_t result = 0;
    for (int shift = 0; shift < 64 && p < end; shift += 7) {
        uint8_t byte = *p++;
        result |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *value = (int64_t)(result >> 1) ^ -(int64_t)(result & 1);
            return p;
        }
    }
    return NULL;
}

static int walk(const uint8_t *batch, size_t bytes, floor_scan_result *result) {
    const uint8_t *p = batch + 61, *end = batch + bytes;
    int32_t count = (int32_t)load32(batch + 57);
    for (int32_t i = 0; i < count; i++) {
        int64_t length, time, offset, key, value;
        if ((p = varint(p, end, &length)) == NULL || length < 0 || length > end - p) return EBADMSG;
        const uint8_t *next = p + length;
        p++;
        if ((p = varint(p, next, &time)) == NULL) return EBADMSG;
        if ((p = varint(p, next, &offset)) == NULL) return EBADMSG;
        if ((p = varint(p, next, &key)) == NULL || key > next - p) return EBADMSG;
        if (key > 0) p += key;
        if ((p = varint(p, next, &value)) == NULL || value > next - p) return EBADMSG;
        result->sum += (uint64_t)(key + value) + (value > 0 ? *p : 0);
        result->records++;
        p = next;
    }
    return p == end ? 0 : EBADMSG;
}

static int scan_file(const char *path, uint8_t *memory, size_t room, floor_scan_result *result) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return errno;
    off_t position = 0;
    int failure = 0;
    while (failure == 0) {
        ssize_t count = pread(fd, memory, room, position);
        if (count < 0) failure = errno;
        if (count <= 0) break;
        size_t used = 0;
        while (failure == 0 && (size_t)count - used >= 61) {
            const uint8_t *batch = memory + used;
            size_t bytes = (size_t)load32(batch + 8) + 12;
            if (batch[16] != 2 || bytes < 61) failure = EBADMSG;
            if (bytes > (size_t)count - used) break;
            uint32_t crc = ~crc32_iscsi((unsigned char *)batch + 21, (int)(bytes - 21), ~0u);
            if (crc != load32(batch + 17)) failure = EBADMSG;
            if (failure == 0) failure = walk(batch, bytes, result);
            used += bytes;
        }
        if (used == 0) break;
        position += (off_t)used;
        result->bytes += (int64_t)used;
    }
    close(fd);
    return failure;
}

int floor_scan(const char *const *paths, size_t count, floor_scan_result *result) {
    const size_t room = 1024 * 1024;
    uint8_t *memory = malloc(room);
    memset(result, 0, sizeof *result);
    int failure = 0;
    for (size_t i = 0; i < count && failure == 0; i++)
        failure = scan_file(paths[i], memory, room, result);
    free(memory);
    return failure;
}
