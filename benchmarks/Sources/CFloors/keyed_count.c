// The floor of a keyed count: what a C program takes to read a topic's partition with its checksums, count
// the records of each key in a hash map, and write what has changed, in key order and with the offset
// reached, to LMDB each time an interval has passed, synced.

#define _GNU_SOURCE
#include "floors.h"

#include <errno.h>
#include <fcntl.h>
#include <isa-l/crc.h>
#include <lmdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

typedef struct {
    uint64_t key;
    uint64_t count;  // 0: the slot is free; the highest bit: changed since the last flush
} slot;

static const uint64_t changed = 1ull << 63;

typedef struct {
    slot *slots;
    unsigned bits;
    size_t used;
    // The keys changed since the last flush, and room to sort them in.
    uint64_t *dirty, *sorted;
    size_t dirty_count, dirty_room;
} counts;

static inline size_t place(uint64_t key, unsigned bits) {
    return (size_t)((key * 0x9e3779b97f4a7c15ull) >> (64 - bits));
}

static inline slot *find(const counts *map, uint64_t key) {
    size_t mask = ((size_t)1 << map->bits) - 1, i = place(key, map->bits);
    while (map->slots[i].count != 0 && map->slots[i].key != key) i = (i + 1) & mask;
    return &map->slots[i];
}

static int grow(counts *map) {
    counts larger = *map;
    larger.bits = map->bits + 1;
    larger.slots = calloc((size_t)1 << larger.bits, sizeof(slot));
    if (larger.slots == NULL) return ENOMEM;
    for (size_t i = 0; i < (size_t)1 << map->bits; i++)
        if (map->slots[i].count != 0) *find(&larger, map->slots[i].key) = map->slots[i];
    free(map->slots);
    *map = larger;
    return 0;
}

static inline int count_key(counts *map, uint64_t key) {
    slot *found = find(map, key);
    if (found->count & changed) {
        found->count++;
        return 0;
    }
    if (map->dirty_count == map->dirty_room) {
        map->dirty_room = map->dirty_room == 0 ? 1 << 16 : 2 * map->dirty_room;
        map->dirty = realloc(map->dirty, map->dirty_room * sizeof(uint64_t));
        map->sorted = realloc(map->sorted, map->dirty_room * sizeof(uint64_t));
        if (map->dirty == NULL || map->sorted == NULL) return ENOMEM;
    }
    map->dirty[map->dirty_count++] = key;
    if (found->count == 0) {
        found->key = key;
        map->used++;
    }
    found->count = (found->count + 1) | changed;
    return map->used > (size_t)1 << (map->bits - 1) ? grow(map) : 0;
}

// Sorts the changed keys, least digit first.
static void sort_dirty(counts *map) {
    static uint32_t starts[1 << 16];
    for (int shift = 0; shift < 64; shift += 16) {
        memset(starts, 0, sizeof starts);
        for (size_t i = 0; i < map->dirty_count; i++) starts[(map->dirty[i] >> shift) & 0xffff]++;
        uint32_t sum = 0;
        for (size_t i = 0; i < 1 << 16; i++) {
            uint32_t next = sum + starts[i];
            starts[i] = sum;
            sum = next;
        }
        for (size_t i = 0; i < map->dirty_count; i++)
            map->sorted[starts[(map->dirty[i] >> shift) & 0xffff]++] = map->dirty[i];
        uint64_t *other = map->dirty;
        map->dirty = map->sorted;
        map->sorted = other;
    }
}

static int flush(counts *map, MDB_env *env, MDB_dbi table, MDB_dbi offsets, int64_t offset) {
    MDB_txn *txn;
    MDB_cursor *cursor;
    int failure = mdb_txn_begin(env, NULL, 0, &txn);
    if (failure != 0) return failure;
    sort_dirty(map);
    failure = mdb_cursor_open(txn, table, &cursor);
    for (size_t i = 0; failure == 0 && i < map->dirty_count; i++) {
        slot *found = find(map, map->dirty[i]);
        found->count &= ~changed;
        uint64_t key = __builtin_bswap64(found->key), count = __builtin_bswap64(found->count);
        MDB_val k = {8, &key}, v = {8, &count};
        failure = mdb_cursor_put(cursor, &k, &v, 0);
    }
    map->dirty_count = 0;
    MDB_val k = {6, "offset"}, v = {8, &offset};
    if (failure == 0) failure = mdb_put(txn, offsets, &k, &v, 0);
    if (failure == 0) return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return failure;
}

static uint32_t load32(const uint8_t *p) { uint32_t v; memcpy(&v, p, 4); return __builtin_bswap32(v); }
static uint64_t load64(const uint8_t *p) { uint64_t v; memcpy(&v, p, 8); return __builtin_bswap64(v); }

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

static int count_batch(const uint8_t *batch, size_t bytes, counts *map) {
    const uint8_t *p = batch + 61, *end = batch + bytes;
    int32_t records = (int32_t)load32(batch + 57);
    for (int32_t i = 0; i < records; i++) {
        int64_t length, time, offset, key;
        if ((p = varint(p, end, &length)) == NULL || length < 0 || length > end - p) return EBADMSG;
        const uint8_t *next = p + length;
        p++;
        if ((p = varint(p, next, &time)) == NULL) return EBADMSG;
        if ((p = varint(p, next, &offset)) == NULL) return EBADMSG;
        if ((p = varint(p, next, &key)) == NULL || key != 8 || key > next - p) return EBADMSG;
        int failure = count_key(map, load64(p));
        if (failure != 0) return failure;
        p = next;
    }
    return p == end ? 0 : EBADMSG;
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int count_file(
    const char *path, uint8_t *memory, size_t room, const floor_keyed_count_job *job, counts *map,
    MDB_env *env, MDB_dbi table, MDB_dbi offsets, double *last, int64_t *position) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return errno;
    off_t at = 0;
    int failure = 0;
    while (failure == 0) {
        ssize_t count = pread(fd, memory, room, at);
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
            if (failure == 0) failure = count_batch(batch, bytes, map);
            *position = (int64_t)load64(batch) + (int32_t)load32(batch + 23) + 1;
            used += bytes;
        }
        if (used == 0) break;
        at += (off_t)used;
        if (failure == 0 && now() - *last >= job->interval_seconds) {
            failure = flush(map, env, table, offsets, *position);
            *last = now();
        }
    }
    close(fd);
    return failure;
}

int floor_keyed_count(const floor_keyed_count_job *job, floor_keyed_count_result *result) {
    const size_t room = 1024 * 1024;
    uint8_t *memory = malloc(room);
    counts map = {.bits = 16};
    map.slots = calloc((size_t)1 << map.bits, sizeof(slot));
    MDB_env *env = NULL;
    MDB_txn *txn;
    MDB_dbi table, offsets;
    int64_t position = 0;
    int failure = mdb_env_create(&env);
    if (failure == 0) failure = mdb_env_set_mapsize(env, (size_t)16 << 30);
    if (failure == 0) failure = mdb_env_set_maxdbs(env, 8);
    if (failure == 0) failure = mdb_env_open(env, job->state, MDB_NORDAHEAD, 0644);
    if (failure == 0) failure = mdb_txn_begin(env, NULL, 0, &txn);
    if (failure == 0) {
        failure = mdb_dbi_open(txn, "counts", MDB_CREATE, &table);
        if (failure == 0) failure = mdb_dbi_open(txn, "offsets", MDB_CREATE, &offsets);
        if (failure == 0) failure = mdb_txn_commit(txn);
        else mdb_txn_abort(txn);
    }
    double last = now();
    for (size_t i = 0; failure == 0 && i < job->path_count; i++)
        failure = count_file(
            job->paths[i], memory, room, job, &map, env, table, offsets, &last, &position);
    if (failure == 0) failure = flush(&map, env, table, offsets, position);
    result->offset = position;
    result->keys = (int64_t)map.used;
    if (env != NULL) mdb_env_close(env);
    free(map.slots);
    free(map.dirty);
    free(map.sorted);
    free(memory);
    return failure;
}
