// Lets the N-th call of a kind fail, in any program, its C libraries (LMDB) included: preloaded with
// LD_PRELOAD, it stands before the C library's file functions. scripts/faults builds and uses it.
//
// Only calls on files below one directory count and fail. Environment:
//
//   FAULT_DIRECTORY  that directory, absolute and without links; nothing is done where it is not set
//   FAULT_REPORT     a file of at least sizeof(struct report) bytes, into which calls are counted. It is
//                    mapped and shared, so that the counts are there after a SIGKILL as well
//   FAULT_KIND       a name of `kind_names`
//   FAULT_STEP       or a name of `step_names`: a step of a job's commit; or "any", for all calls alike
//   FAULT_NUMBER     which call of that kind or step, from 0
//   FAULT_ACTION     EIO, ENOSPC, EINTR  the call fails with that errno and does nothing
//                    SHORT               a write or read does half of its bytes and says so
//                    FULL                as SHORT; from then on all that needs room fails with ENOSPC
//                    BROKEN              fails with EIO, and so does each later call of that kind
//                    KILL, KILL-AFTER    SIGKILL before or behind the call
//                    TORN                a write does half of its bytes, then SIGKILL
//                    STOP                SIGSTOP before the call, which is then done
//
// A call that the C library makes of itself (opendir's open, stdio's write) does not pass here; neither do
// raw system calls. scripts/faults --count compares with strace.

#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind {
    OPEN, CREATE, OPENDIR, STAT, MKDIR, RMDIR, UNLINK, RENAME, PREAD, READ, PWRITE, PWRITEV, WRITE, WRITEV,
    FTRUNCATE, FALLOCATE, FDATASYNC, FSYNC, MSYNC, MMAP, KINDS
};
static const char *const kind_names[KINDS] = {
    "open", "create", "opendir", "stat", "mkdir", "rmdir", "unlink", "rename", "pread", "read", "pwrite",
    "pwritev", "write", "writev", "ftruncate", "fallocate", "fdatasync", "fsync", "msync", "mmap"
};

// The steps of a job's commit, as its files show them: see `step_of`. What is none of them is OTHER.
enum step { OTHER, INPUT_FLUSH, APPEND, OUTPUT_FLUSH, STATE_WRITE, DECISION, MARKER, STEPS };
static const char *const step_names[STEPS] = {
    "other", "input-flush", "append", "output-flush", "state-write", "decision", "marker"
};

// What scripts/faults reads: little-endian 64-bit numbers, then the path; and what scripts/crash reads.
struct report {
    _Atomic uint64_t counts[KINDS];
    _Atomic uint64_t fired; // calls that were made to fail
    char path[256];         // of the first of them
    _Atomic uint64_t step_counts[STEPS];
    _Atomic uint64_t calls;       // all of them
    _Atomic uint64_t step;        // of the call that began last
    _Atomic uint64_t has_appended; // a commit has begun: until then the process opens and recovers
    _Atomic uint64_t fired_step, fired_before_append; // of the first call that was made to fail
};

enum action { NONE, FAIL, SHORT, FULL, BROKEN, KILL, KILL_AFTER, TORN, STOP };

static char directory[PATH_MAX];
static size_t directory_length; // 0: the shim does nothing
static struct report *report;
static int kind_wanted = -1;
static int step_wanted = -1; // STEPS: any
static uint64_t number_wanted;
static enum action action;
static int error_number = EIO;
static _Atomic int is_full;

static int is_below(const char *path) {
    return strncmp(path, directory, directory_length) == 0 &&
        (path[directory_length] == '/' || path[directory_length] == 0);
}

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("FAULT_REPORT"), *wanted = getenv("FAULT_DIRECTORY");
    if (!path || !wanted || strlen(wanted) >= sizeof directory) return;
    int descriptor = open(path, O_RDWR | O_CLOEXEC);
    if (descriptor < 0) return;
    report = mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    close(descriptor);
    if (report == MAP_FAILED) return;
    const char *kind = getenv("FAULT_KIND"), *step = getenv("FAULT_STEP");
    const char *number = getenv("FAULT_NUMBER"), *what = getenv("FAULT_ACTION");
    if ((kind || step) && number && what) {
        for (int k = 0; kind && k < KINDS; k++)
            if (strcmp(kind, kind_names[k]) == 0) kind_wanted = k;
        for (int s = 0; step && s < STEPS; s++)
            if (strcmp(step, step_names[s]) == 0) step_wanted = s;
        if (step && strcmp(step, "any") == 0) step_wanted = STEPS;
        number_wanted = strtoull(number, NULL, 10);
        if (strcmp(what, "EIO") == 0) action = FAIL;
        else if (strcmp(what, "ENOSPC") == 0) action = FAIL, error_number = ENOSPC;
        else if (strcmp(what, "EINTR") == 0) action = FAIL, error_number = EINTR;
        else if (strcmp(what, "SHORT") == 0) action = SHORT;
        else if (strcmp(what, "FULL") == 0) action = FULL, error_number = ENOSPC;
        else if (strcmp(what, "BROKEN") == 0) action = BROKEN;
        else if (strcmp(what, "KILL") == 0) action = KILL;
        else if (strcmp(what, "KILL-AFTER") == 0) action = KILL_AFTER;
        else if (strcmp(what, "TORN") == 0) action = TORN;
        else if (strcmp(what, "STOP") == 0) action = STOP;
        if ((kind_wanted < 0 && step_wanted < 0) || action == NONE) {
            fprintf(stderr, "fault_shim: unknown kind or step '%s' or action '%s'\n", kind ? kind : step, what);
            abort();
        }
    }
    strcpy(directory, wanted);
    directory_length = strlen(directory);
}

// MARK: Which call fails

static int needs_room(enum kind kind) {
    return kind == CREATE || kind == MKDIR || kind == PWRITE || kind == PWRITEV || kind == WRITE ||
        kind == WRITEV || kind == FALLOCATE;
}

/// What a write moves; NULL for other calls.
struct bytes {
    const void *start;
    size_t count;
    off_t at; // -1: where the file stands
};

static int ends_with(const char *path, const char *end) {
    size_t length = strlen(path), end_length = strlen(end);
    return length >= end_length && strcmp(path + length - end_length, end) == 0;
}

// Since this thread's last decision, or the marker behind one that another thread has made for it.
static __thread int thread_has_appended;

/// The step of a commit that a call belongs to. A batch of records is told from a marker by its attributes
/// (bit 5 of the second byte at 21), LMDB's decision (a meta page) by where it is written, and flushes of
/// inputs from those of outputs by what the thread has done since it last decided.
static enum step step_of(enum kind kind, const char *path, const struct bytes *bytes) {
    int is_write = kind == PWRITE || kind == PWRITEV || kind == WRITE || kind == WRITEV;
    int is_sync = kind == FDATASYNC || kind == FSYNC;
    if (ends_with(path, "/data.mdb") && (is_write || is_sync || kind == FTRUNCATE)) {
        int is_meta = is_write && bytes && bytes->count < 4096 && bytes->at >= 0 && bytes->at < 2 * 4096;
        if (is_meta) thread_has_appended = 0;
        return is_meta ? DECISION : STATE_WRITE;
    }
    int is_points = ends_with(path, "/recovery-points");
    if ((is_sync && ends_with(path, ".log")) || (is_points && (is_write || is_sync)))
        return thread_has_appended ? OUTPUT_FLUSH : INPUT_FLUSH;
    if (is_write && ends_with(path, ".log")) {
        // A vector's first buffer may be shorter than a header; the log writes none.
        int is_whole = bytes && bytes->count > 22 && (kind == PWRITE || kind == WRITE);
        int is_marker = is_whole && (((const uint8_t *)bytes->start)[22] & 0x20);
        thread_has_appended = !is_marker;
        return is_marker ? MARKER : APPEND;
    }
    return OTHER;
}

/// What becomes of this call; counts it.
static enum action judge(enum kind kind, const char *path, const struct bytes *bytes) {
    enum step step = step_of(kind, path, bytes);
    uint64_t number = atomic_fetch_add(&report->counts[kind], 1);
    uint64_t number_in_step = atomic_fetch_add(&report->step_counts[step], 1);
    uint64_t number_of_all = atomic_fetch_add(&report->calls, 1);
    if (step != OTHER) atomic_store(&report->step, step);
    int is_wanted = ((int)kind == kind_wanted && number == number_wanted) ||
        ((int)step == step_wanted && number_in_step == number_wanted) ||
        (step_wanted == STEPS && number_of_all == number_wanted);
    enum action result = NONE;
    if (atomic_load(&is_full) && needs_room(kind)) result = FAIL;
    else if (is_wanted) result = action;
    else if (action == BROKEN && (int)kind == kind_wanted && number > number_wanted) result = FAIL;
    if (step == APPEND) atomic_store(&report->has_appended, 1);
    if (result != NONE && atomic_fetch_add(&report->fired, 1) == 0) {
        strncpy(report->path, path, sizeof report->path - 1);
        atomic_store(&report->fired_step, step);
        atomic_store(&report->fired_before_append, !atomic_load(&report->has_appended));
    }
    if (is_wanted && action == FULL) atomic_store(&is_full, 1);
    if (result == STOP) kill(getpid(), SIGSTOP);
    return result == STOP ? NONE : result;
}

static enum action judge_path(enum kind kind, const char *path) {
    char whole[PATH_MAX];
    if (!directory_length || !path) return NONE;
    if (path[0] != '/') { // against the working directory
        if (!getcwd(whole, sizeof whole)) return NONE;
        size_t length = strlen(whole);
        snprintf(whole + length, sizeof whole - length, "/%s", strncmp(path, "./", 2) ? path : path + 2);
        path = whole;
    }
    return is_below(path) ? judge(kind, path, NULL) : NONE;
}

static enum action judge_descriptor(enum kind kind, int descriptor, const struct bytes *bytes) {
    char link[64], path[PATH_MAX];
    if (!directory_length) return NONE;
    int before = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    errno = before;
    if (length < 0) return NONE;
    path[length] = 0;
    return is_below(path) ? judge(kind, path, bytes) : NONE;
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/// For calls that are done or not: whether this one fails.
static int fails(enum action what) {
    if (what == KILL || what == TORN) die();
    if (what == NONE || what == KILL_AFTER) return 0;
    errno = error_number;
    return 1;
}

#define NEXT(name) ((__typeof__(&name))next(#name))
static void *next(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) abort();
    return found;
}

#define DONE(what, result) \
    do { \
        __typeof__(result) done = (result); \
        if ((what) == KILL_AFTER) die(); \
        return done; \
    } while (0)

// MARK: Names

static int open_any(const char *name, const char *path, int flags, mode_t mode) {
    int before = errno;
    struct stat status;
    int is_new = (flags & O_CREAT) && directory_length && NEXT(stat)(path, &status) != 0;
    errno = before;
    enum action what = judge_path(is_new ? CREATE : OPEN, path);
    if (fails(what)) return -1;
    int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))next(name);
    DONE(what, real(path, flags, mode));
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

int openat(int at, const char *path, int flags, ...) {
    MODE_ARGUMENT
    enum action what = judge_path(flags & O_CREAT ? CREATE : OPEN, path);
    if (fails(what)) return -1;
    DONE(what, NEXT(openat)(at, path, flags, mode));
}

DIR *opendir(const char *path) {
    enum action what = judge_path(OPENDIR, path);
    if (fails(what)) return NULL;
    DONE(what, NEXT(opendir)(path));
}

int stat(const char *restrict path, struct stat *restrict status) {
    enum action what = judge_path(STAT, path);
    if (fails(what)) return -1;
    DONE(what, NEXT(stat)(path, status));
}

int fstat(int descriptor, struct stat *status) {
    enum action what = judge_descriptor(STAT, descriptor, NULL);
    if (fails(what)) return -1;
    DONE(what, NEXT(fstat)(descriptor, status));
}

int mkdir(const char *path, mode_t mode) {
    enum action what = judge_path(MKDIR, path);
    if (fails(what)) return -1;
    DONE(what, NEXT(mkdir)(path, mode));
}

int rmdir(const char *path) {
    enum action what = judge_path(RMDIR, path);
    if (fails(what)) return -1;
    DONE(what, NEXT(rmdir)(path));
}

int unlink(const char *path) {
    enum action what = judge_path(UNLINK, path);
    if (fails(what)) return -1;
    DONE(what, NEXT(unlink)(path));
}

int rename(const char *path, const char *new_path) {
    enum action what = judge_path(RENAME, path);
    if (fails(what)) return -1;
    DONE(what, NEXT(rename)(path, new_path));
}

// MARK: Bytes

/// How many of `count` bytes are to be moved; -1 where the call fails.
static ssize_t share(enum action what, size_t count) {
    if (what == SHORT || what == FULL || what == TORN) return (ssize_t)(count + 1) / 2;
    return fails(what) ? -1 : (ssize_t)count;
}

/// `real` moves `count` bytes of its own; a call of half of them is what a short one is.
#define MOVE(kind, written, count, at, call) \
    do { \
        enum action what = judge_descriptor(kind, descriptor, &(struct bytes){written, count, at}); \
        ssize_t count_now = share(what, count); \
        if (count_now < 0) return -1; \
        ssize_t moved = (call); \
        if (what == TORN || what == KILL_AFTER) die(); \
        return moved; \
    } while (0)

ssize_t pread(int descriptor, void *bytes, size_t count, off_t at) {
    MOVE(PREAD, NULL, count, at, NEXT(pread)(descriptor, bytes, (size_t)count_now, at));
}
ssize_t pread64(int descriptor, void *bytes, size_t count, off64_t at) {
    MOVE(PREAD, NULL, count, at, NEXT(pread64)(descriptor, bytes, (size_t)count_now, at));
}
ssize_t read(int descriptor, void *bytes, size_t count) {
    MOVE(READ, NULL, count, -1, NEXT(read)(descriptor, bytes, (size_t)count_now));
}
ssize_t pwrite(int descriptor, const void *bytes, size_t count, off_t at) {
    MOVE(PWRITE, bytes, count, at, NEXT(pwrite)(descriptor, bytes, (size_t)count_now, at));
}
ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off64_t at) {
    MOVE(PWRITE, bytes, count, at, NEXT(pwrite64)(descriptor, bytes, (size_t)count_now, at));
}
ssize_t write(int descriptor, const void *bytes, size_t count) {
    MOVE(WRITE, bytes, count, -1, NEXT(write)(descriptor, bytes, (size_t)count_now));
}

/// A vector's bytes. A short one is shown by its first half of buffers, or half of its only one.
static size_t shorten(const struct iovec *from, int count, struct iovec *to, size_t byte_count) {
    size_t left = byte_count;
    int used = 0;
    for (; used < count && left > 0; used++) {
        to[used] = from[used];
        if (to[used].iov_len > left) to[used].iov_len = left;
        left -= to[used].iov_len;
    }
    return (size_t)used;
}
static size_t byte_count_of(const struct iovec *vector, int count) {
    size_t sum = 0;
    for (int i = 0; i < count; i++) sum += vector[i].iov_len;
    return sum;
}
/// The first buffer stands for all: a batch begins with its header there.
#define MOVE_VECTOR(kind, at, ...) \
    do { \
        if (count <= 0 || count > IOV_MAX) return errno = EINVAL, -1; \
        struct iovec part[count]; \
        MOVE(kind, vector[0].iov_base, byte_count_of(vector, count), at, \
            (count = (int)shorten(vector, count, part, (size_t)count_now), __VA_ARGS__)); \
    } while (0)

ssize_t writev(int descriptor, const struct iovec *vector, int count) {
    MOVE_VECTOR(WRITEV, -1, NEXT(writev)(descriptor, part, count));
}
ssize_t pwritev(int descriptor, const struct iovec *vector, int count, off_t at) {
    MOVE_VECTOR(PWRITEV, at, NEXT(pwritev)(descriptor, part, count, at));
}
ssize_t pwritev64(int descriptor, const struct iovec *vector, int count, off64_t at) {
    MOVE_VECTOR(PWRITEV, at, NEXT(pwritev64)(descriptor, part, count, at));
}
ssize_t pwritev2(int descriptor, const struct iovec *vector, int count, off_t at, int flags) {
    MOVE_VECTOR(PWRITEV, at, NEXT(pwritev2)(descriptor, part, count, at, flags));
}

// MARK: Files as a whole

#define ON_DESCRIPTOR(kind, call) \
    do { \
        enum action what = judge_descriptor(kind, descriptor, NULL); \
        if (fails(what)) return -1; \
        DONE(what, call); \
    } while (0)

int ftruncate(int descriptor, off_t length) {
    ON_DESCRIPTOR(FTRUNCATE, NEXT(ftruncate)(descriptor, length));
}
int ftruncate64(int descriptor, off64_t length) {
    ON_DESCRIPTOR(FTRUNCATE, NEXT(ftruncate64)(descriptor, length));
}
int fallocate(int descriptor, int mode, off_t at, off_t length) {
    ON_DESCRIPTOR(FALLOCATE, NEXT(fallocate)(descriptor, mode, at, length));
}
int fallocate64(int descriptor, int mode, off64_t at, off64_t length) {
    ON_DESCRIPTOR(FALLOCATE, NEXT(fallocate64)(descriptor, mode, at, length));
}
int fdatasync(int descriptor) { ON_DESCRIPTOR(FDATASYNC, NEXT(fdatasync)(descriptor)); }
int fsync(int descriptor) { ON_DESCRIPTOR(FSYNC, NEXT(fsync)(descriptor)); }

int msync(void *memory, size_t length, int flags) {
    // The mapping's file is not looked up: what is mapped and synced here is LMDB's.
    enum action what = directory_length ? judge(MSYNC, "(a mapping)", NULL) : NONE;
    if (fails(what)) return -1;
    DONE(what, NEXT(msync)(memory, length, flags));
}

void *mmap(void *wish, size_t length, int protection, int flags, int descriptor, off_t at) {
    enum action what = descriptor < 0 ? NONE : judge_descriptor(MMAP, descriptor, NULL);
    if (fails(what)) return MAP_FAILED;
    DONE(what, NEXT(mmap)(wish, length, protection, flags, descriptor, at));
}
