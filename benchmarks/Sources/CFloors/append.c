// The floor of appending: record batches v2 encoded in place, one checksum and one write per batch.

#define _GNU_SOURCE
#include "floors.h"

#include <errno.h>
#include <fcntl.h>
#include <isa-l/crc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { header_bytes = 61, crc_position = 17, attributes_position = 21 };

static void store16(uint8_t *p, uint16_t v) { v = __builtin_bswap16(v); memcpy(p, &v, 2); }
static void store32(uint8_t *p, uint32_t v) { v = __builtin_bswap32(v); memcpy(p, &v, 4); }
static void store64(uint8_t *p, uint64_t v) { v = __builtin_bswap64(v); memcpy(p, &v, 8); }

static inline uint8_t *varint(uint8_t *p, int64_t value) {
    uint64_t rest = ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
    while (rest >= 0x80) {
        *p++ = (uint8_t)rest | 0x80;
        rest >>= 7;
    }
    *p++ = (uint8_t)rest;
    return p;
}

static inline int varint_bytes(int64_t value) {
    uint64_t rest = ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
    int count = 1;
    while (rest >= 0x80) {
        rest >>= 7;
        count++;
    }
    return count;
}

static void seal(uint8_t *batch, size_t bytes, int64_t base, int32_t count, int64_t time) {
    store64(batch, (uint64_t)base);
    store32(batch + 8, (uint32_t)(bytes - 12));
    store32(batch + 12, 0);
    batch[16] = 2;
    store16(batch + 21, 0);
    store32(batch + 23, (uint32_t)(count - 1));
    store64(batch + 27, (uint64_t)time);
    store64(batch + 35, (uint64_t)time);
    store64(batch + 43, (uint64_t)-1);
    store16(batch + 51, (uint16_t)-1);
    store32(batch + 53, (uint32_t)-1);
    store32(batch + 57, (uint32_t)count);
    uint32_t crc = ~crc32_iscsi(batch + attributes_position, (int)(bytes - attributes_position), ~0u);
    store32(batch + crc_position, crc);
}

static int write_all(int fd, const uint8_t *bytes, size_t count, off_t position) {
    while (count > 0) {
        ssize_t done = pwrite(fd, bytes, count, position);
        if (done < 0) {
            if (errno == EINTR) continue;
            return errno;
        }
        bytes += done;
        count -= (size_t)done;
        position += done;
    }
    return 0;
}

int floor_append(const floor_append_job *job) {
    int fd = open(job->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) return errno;
    size_t room = (size_t)job->value_bytes + 64;
    uint8_t *batch = malloc((size_t)job->batch_bytes + room);
    uint8_t *value = malloc((size_t)job->value_bytes);
    memset(value, 'v', (size_t)job->value_bytes);
    const int64_t time = 1700000000000;
    int64_t next = 0, unflushed = 0;
    off_t position = 0;
    int failure = 0;
    while (next < job->records && failure == 0) {
        uint8_t *p = batch + header_bytes;
        const uint8_t *end = batch + job->batch_bytes;
        int64_t base = next;
        while (next < job->records) {
            uint64_t key = (uint64_t)next;
            int64_t delta = next - base;
            int64_t body = 1 + varint_bytes(0) + varint_bytes(delta) + varint_bytes(8) + 8
                + varint_bytes(job->value_bytes) + job->value_bytes + 1;
            if (p + varint_bytes(body) + body > end) break;
            p = varint(p, body);
            *p++ = 0;
            p = varint(p, 0);
            p = varint(p, delta);
            p = varint(p, 8);
            memcpy(p, &key, 8);
            p += 8;
            p = varint(p, job->value_bytes);
            memcpy(p, value, (size_t)job->value_bytes);
            p += job->value_bytes;
            *p++ = 0;
            next++;
        }
        size_t bytes = (size_t)(p - batch);
        seal(batch, bytes, base, (int32_t)(next - base), time);
        failure = write_all(fd, batch, bytes, position);
        position += (off_t)bytes;
        unflushed += (int64_t)bytes;
        if (failure == 0 && job->flush_bytes > 0 && unflushed >= job->flush_bytes) {
            unflushed = 0;
            if (fdatasync(fd) != 0) failure = errno;
        }
    }
    if (failure == 0 && job->flush_bytes > 0 && fdatasync(fd) != 0) failure = errno;
    free(batch);
    free(value);
    close(fd);
    return failure;
}

static void *append_thread(void *job) { return (void *)(intptr_t)floor_append(job); }

int floor_append_threads(const floor_append_job *jobs, size_t count) {
    pthread_t threads[64];
    if (count > 64) return EINVAL;
    size_t started = 0;
    int failure = 0;
    for (; started < count && failure == 0; started++)
        failure = pthread_create(&threads[started], NULL, append_thread, (void *)&jobs[started]);
    if (failure != 0) started--;
    for (size_t i = 0; i < started; i++) {
        void *result = NULL;
        pthread_join(threads[i], &result);
        if (result != NULL) failure = (int)(intptr_t)result;
    }
    return failure;
}
