// Records what a program writes and syncs below one directory, with data, in the order in which it happens:
// preloaded with LD_PRELOAD, the C libraries (LMDB) included. scripts/lib/disk.py makes of it what a disk may hold
// after a power loss. It may be preloaded behind fault_shim, whose short writes it then sees as such.
//
//   RECORD_DIRECTORY  that directory, absolute and without links; nothing is done where it is not set
//   RECORD_FILE       what is appended to, outside of it; several processes may, one after the other
//
// Each call is made and recorded under one lock: a sync stands behind all writes that it covers, and before those
// that it may not cover. What is written through a mapping is not seen: LMDB writes its lock file so, nothing else.
//
//   field    bytes, little endian
//   kind     4      as `enum kind`
//   flags    4      1: O_DSYNC, the write was durable when it returned
//   inode    8      of the file, or of the directory that was made
//   at       8      position of a write or a range; a length
//   length   8      of a range
//   counts   4 4 8  bytes of a path, of another path, of data; these follow

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { CREATE = 1, WRITE, TRUNCATE, ALLOCATE, SYNC, RENAME, UNLINK, MKDIR, RMDIR };

struct record {
    uint32_t kind, flags;
    uint64_t inode, at, length;
    uint32_t path_count, other_count;
    uint64_t data_count;
};

static char directory[PATH_MAX];
static size_t directory_length; // 0: nothing is recorded
static int output = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define NEXT(name) ((__typeof__(&name))next(#name))
static void *next(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) abort();
    return found;
}

__attribute__((constructor)) static void start(void) {
    const char *wanted = getenv("RECORD_DIRECTORY"), *path = getenv("RECORD_FILE");
    if (!wanted || !path || strlen(wanted) >= sizeof directory) return;
    output = NEXT(open)(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (output < 0) abort();
    strcpy(directory, wanted);
    directory_length = strlen(directory);
}

static int is_below(const char *path) {
    return directory_length && strncmp(path, directory, directory_length) == 0 &&
        (path[directory_length] == '/' || path[directory_length] == 0);
}

/// The whole path, in `whole`; NULL where it is not below the directory.
static const char *below(const char *path, char *whole) {
    if (!directory_length || !path) return NULL;
    if (path[0] == '/') return is_below(path) ? path : NULL;
    if (!getcwd(whole, PATH_MAX)) return NULL;
    size_t length = strlen(whole);
    if (length + strlen(path) + 2 > PATH_MAX) return NULL;
    sprintf(whole + length, "/%s", strncmp(path, "./", 2) ? path : path + 2);
    return is_below(whole) ? whole : NULL;
}

static int is_descriptor_below(int descriptor) {
    char link[64], path[PATH_MAX];
    if (!directory_length) return 0;
    int before = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    errno = before;
    if (length < 0) return 0;
    path[length] = 0;
    return is_below(path);
}

static uint64_t inode_of(int descriptor) {
    struct stat status;
    return NEXT(fstat)(descriptor, &status) == 0 ? status.st_ino : 0;
}

/// One write, so that records of several processes do not mix. Data longer than `count` is cut.
static void put(struct record record, const char *path, const char *other, const struct iovec *data, int data_parts,
    size_t count) {
    struct iovec parts[3 + IOV_MAX / 2];
    int used = 0, before = errno;
    record.path_count = path ? (uint32_t)strlen(path) : 0;
    record.other_count = other ? (uint32_t)strlen(other) : 0;
    record.data_count = count;
    parts[used++] = (struct iovec){&record, sizeof record};
    if (path) parts[used++] = (struct iovec){(void *)path, record.path_count};
    if (other) parts[used++] = (struct iovec){(void *)other, record.other_count};
    size_t total = sizeof record + record.path_count + record.other_count + count;
    for (int i = 0; i < data_parts && count > 0; i++) {
        if (used == (int)(sizeof parts / sizeof *parts)) abort();
        size_t length = data[i].iov_len < count ? data[i].iov_len : count;
        parts[used++] = (struct iovec){data[i].iov_base, length};
        count -= length;
    }
    if (NEXT(writev)(output, parts, used) != (ssize_t)total) abort();
    errno = before;
}

/// fault_shim ends the process with it: not while another thread has made a call that is not recorded yet.
int kill(pid_t process, int number) {
    if (directory_length && number == SIGKILL && process == getpid()) pthread_mutex_lock(&lock);
    return NEXT(kill)(process, number);
}

// MARK: Names

static int open_any(const char *name, const char *path, int flags, mode_t mode) {
    int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))next(name);
    char buffer[PATH_MAX];
    const char *whole = below(path, buffer);
    if (!whole || !(flags & (O_CREAT | O_TRUNC))) return real(path, flags, mode);
    pthread_mutex_lock(&lock);
    struct stat status;
    int before = errno, is_new = NEXT(stat)(path, &status) != 0;
    errno = before;
    int descriptor = real(path, flags, mode);
    if (descriptor >= 0 && is_new)
        put((struct record){.kind = CREATE, .inode = inode_of(descriptor)}, whole, NULL, NULL, 0, 0);
    else if (descriptor >= 0 && (flags & O_TRUNC))
        put((struct record){.kind = TRUNCATE, .inode = inode_of(descriptor)}, NULL, NULL, NULL, 0, 0);
    pthread_mutex_unlock(&lock);
    return descriptor;
}

#define MODE_ARGUMENT \
    mode_t mode = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { \
        va_list list; \
        va_start(list, flags); \
        mode = va_arg(list, mode_t); \
        va_end(list); \
    }

int open(const char *path, int flags, ...) { MODE_ARGUMENT return open_any("open", path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE_ARGUMENT return open_any("open64", path, flags, mode); }

#define RECORDED_NAME(call, ...) \
    do { \
        char buffer[PATH_MAX], other_buffer[PATH_MAX]; \
        (void)other_buffer; \
        const char *whole = below(path, buffer); \
        if (!whole) return call; \
        pthread_mutex_lock(&lock); \
        int result = call; \
        if (result == 0) { __VA_ARGS__; } \
        pthread_mutex_unlock(&lock); \
        return result; \
    } while (0)

int mkdir(const char *path, mode_t mode) {
    RECORDED_NAME(NEXT(mkdir)(path, mode), struct stat status; uint64_t inode = 0;
                  if (NEXT(stat)(path, &status) == 0) inode = status.st_ino;
                  put((struct record){.kind = MKDIR, .inode = inode}, whole, NULL, NULL, 0, 0));
}
int rmdir(const char *path) {
    RECORDED_NAME(NEXT(rmdir)(path), put((struct record){.kind = RMDIR}, whole, NULL, NULL, 0, 0));
}
int unlink(const char *path) {
    RECORDED_NAME(NEXT(unlink)(path), put((struct record){.kind = UNLINK}, whole, NULL, NULL, 0, 0));
}
int rename(const char *path, const char *new_path) {
    RECORDED_NAME(NEXT(rename)(path, new_path), const char *other = below(new_path, other_buffer);
                  put((struct record){.kind = RENAME}, whole, other, NULL, 0, 0));
}

// MARK: Bytes

#define RECORDED_WRITE(position, vector_given, count_given, call) \
    do { \
        if (!is_descriptor_below(descriptor)) return call; \
        pthread_mutex_lock(&lock); \
        off_t place = (position); \
        ssize_t written = call; \
        int flags = fcntl(descriptor, F_GETFL); \
        if (place < 0 && written >= 0) place = NEXT(lseek)(descriptor, 0, SEEK_CUR) - written; \
        if (written > 0) \
            put((struct record){.kind = WRITE, .flags = flags >= 0 && (flags & O_DSYNC) ? 1 : 0, \
                    .inode = inode_of(descriptor), .at = (uint64_t)place}, \
                NULL, NULL, vector_given, count_given, (size_t)written); \
        pthread_mutex_unlock(&lock); \
        return written; \
    } while (0)

ssize_t pwrite(int descriptor, const void *bytes, size_t count, off_t at) {
    struct iovec one = {(void *)bytes, count};
    RECORDED_WRITE(at, &one, 1, NEXT(pwrite)(descriptor, bytes, count, at));
}
ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off64_t at) {
    struct iovec one = {(void *)bytes, count};
    RECORDED_WRITE(at, &one, 1, NEXT(pwrite64)(descriptor, bytes, count, at));
}
ssize_t write(int descriptor, const void *bytes, size_t count) {
    struct iovec one = {(void *)bytes, count};
    RECORDED_WRITE(-1, &one, 1, NEXT(write)(descriptor, bytes, count));
}
ssize_t writev(int descriptor, const struct iovec *vector, int count) {
    RECORDED_WRITE(-1, vector, count, NEXT(writev)(descriptor, vector, count));
}
ssize_t pwritev(int descriptor, const struct iovec *vector, int count, off_t at) {
    RECORDED_WRITE(at, vector, count, NEXT(pwritev)(descriptor, vector, count, at));
}
ssize_t pwritev64(int descriptor, const struct iovec *vector, int count, off64_t at) {
    RECORDED_WRITE(at, vector, count, NEXT(pwritev64)(descriptor, vector, count, at));
}

// MARK: Files as a whole

#define RECORDED_FILE(call, ...) \
    do { \
        if (!is_descriptor_below(descriptor)) return call; \
        pthread_mutex_lock(&lock); \
        int result = call; \
        if (result == 0) \
            put((struct record){.inode = inode_of(descriptor), __VA_ARGS__}, NULL, NULL, NULL, 0, 0); \
        pthread_mutex_unlock(&lock); \
        return result; \
    } while (0)

int ftruncate(int descriptor, off_t length) {
    RECORDED_FILE(NEXT(ftruncate)(descriptor, length), .kind = TRUNCATE, .at = (uint64_t)length);
}
int ftruncate64(int descriptor, off64_t length) {
    RECORDED_FILE(NEXT(ftruncate64)(descriptor, length), .kind = TRUNCATE, .at = (uint64_t)length);
}
int fallocate(int descriptor, int mode, off_t at, off_t length) {
    RECORDED_FILE(NEXT(fallocate)(descriptor, mode, at, length), .kind = ALLOCATE, .flags = (uint32_t)mode,
        .at = (uint64_t)at, .length = (uint64_t)length);
}
int fallocate64(int descriptor, int mode, off64_t at, off64_t length) {
    RECORDED_FILE(NEXT(fallocate64)(descriptor, mode, at, length), .kind = ALLOCATE, .flags = (uint32_t)mode,
        .at = (uint64_t)at, .length = (uint64_t)length);
}
int fdatasync(int descriptor) { RECORDED_FILE(NEXT(fdatasync)(descriptor), .kind = SYNC); }
int fsync(int descriptor) { RECORDED_FILE(NEXT(fsync)(descriptor), .kind = SYNC); }
