// The floors of waking a thread, of opening files, and the count of bytes allocated.

#define _GNU_SOURCE
#include "floors.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

typedef struct {
    pthread_mutex_t mutex;
    pthread_cond_t condition;
    size_t count, notified, seen;
    int64_t notifiedAt;
    int64_t *nanoseconds;
} wake_state;

static void *wake_waiter(void *argument) {
    wake_state *state = argument;
    pthread_mutex_lock(&state->mutex);
    while (state->seen < state->count) {
        while (state->notified == state->seen) pthread_cond_wait(&state->condition, &state->mutex);
        state->nanoseconds[state->seen++] = now() - state->notifiedAt;
    }
    pthread_mutex_unlock(&state->mutex);
    return NULL;
}

int floor_wake(size_t count, int64_t *nanoseconds) {
    wake_state state = {.count = count, .nanoseconds = nanoseconds};
    pthread_mutex_init(&state.mutex, NULL);
    pthread_cond_init(&state.condition, NULL);
    pthread_t thread;
    int failure = pthread_create(&thread, NULL, wake_waiter, &state);
    if (failure != 0) return failure;
    for (size_t i = 0; i < count; i++) {
        // Long enough for the waiter to sleep again.
        usleep(200);
        pthread_mutex_lock(&state.mutex);
        state.notifiedAt = now();
        state.notified++;
        pthread_cond_signal(&state.condition);
        pthread_mutex_unlock(&state.mutex);
    }
    pthread_join(thread, NULL);
    return 0;
}

int floor_open(const char *directory, const char *topic, size_t count) {
    int descriptors[4096];
    if (count > 4096) return EINVAL;
    size_t opened = 0;
    int failure = 0;
    for (; opened < count && failure == 0; opened++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s-%zu/00000000000000000000.log", directory, topic, opened);
        descriptors[opened] = open(path, O_RDWR | O_CLOEXEC);
        struct stat status;
        if (descriptors[opened] < 0 || fstat(descriptors[opened], &status) != 0) failure = errno;
    }
    for (size_t i = 0; i < opened; i++)
        if (descriptors[i] >= 0) close(descriptors[i]);
    return failure;
}

int64_t floor_allocated_bytes(void) {
    struct mallinfo2 info = mallinfo2();
    return (int64_t)(info.uordblks + info.hblkhd);
}
