// What a C program does with the same bytes: the floors that the log's figures stand beside. Every
// function gives 0, or an errno.

#ifndef STREAMJOBS_FLOORS_H
#define STREAMJOBS_FLOORS_H

#include <stddef.h>
#include <stdint.h>

// One file, written by one thread: `records` records with an 8-byte key and a value of `value_bytes`
// bytes, in record batches of at most `batch_bytes` bytes. `flush_bytes` > 0: an fdatasync each time so
// many bytes were written.
typedef struct {
    const char *path;
    int64_t records;
    int32_t value_bytes;
    int32_t batch_bytes;
    int64_t flush_bytes;
} floor_append_job;

// What a scan of a file has seen.
typedef struct {
    int64_t records;
    int64_t bytes;
    uint64_t sum;
} floor_scan_result;

// Writes the file anew, and to its end.
int floor_append(const floor_append_job *job);

// As floor_append, each job in a thread of its own, at the same time.
int floor_append_threads(const floor_append_job *jobs, size_t count);

// Reads `count` files one behind the other, a MiB at a time; checks the sum of each batch, walks all its
// records and adds up key and value lengths and the first byte of each value.
int floor_scan(const char *const *paths, size_t count, floor_scan_result *result);

// Counts the records of each 8-byte key in a partition's segments, and writes the counts that have changed
// to an LMDB environment in the directory `state` every so many seconds and at the end, synced.
typedef struct {
    const char *const *paths;
    size_t path_count;
    const char *state;
    double interval_seconds;
} floor_keyed_count_job;

typedef struct {
    int64_t keys;
    int64_t offset;
} floor_keyed_count_result;

int floor_keyed_count(const floor_keyed_count_job *job, floor_keyed_count_result *result);

// One thread notifies another under a mutex, `count` times; nanoseconds from notice to waking.
int floor_wake(size_t count, int64_t *nanoseconds);

// Opens the first segment of `count` partitions, `directory/topic-N`, and asks for its length.
int floor_open(const char *directory, const char *topic, size_t count);

// How often the process has asked for memory.
int64_t floor_allocation_count(void);

// Bytes that malloc has given out.
int64_t floor_allocated_bytes(void);

#endif
