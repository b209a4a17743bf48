// What the C library has for Linux only and the Glibc module leaves out: fallocate, sync_file_range, and
// the futex and renameat2 system calls, which are variadic or newer; and an instruction that Swift has no word for.

#include <linux/futex.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>

extern int fallocate(int descriptor, int mode, off_t position, off_t length);
extern int sync_file_range(int descriptor, off_t position, off_t length, unsigned flags);
extern long syscall(long number, ...);

enum { streamjobs_keep_size = 1 }; // FALLOC_FL_KEEP_SIZE of <linux/falloc.h>
enum { streamjobs_start_writing = 2 }; // SYNC_FILE_RANGE_WRITE of <linux/fs.h>

/// Sleeps if `*word` is `expected`; returns after a wake, and now and then without one.
static inline void streamjobs_futex_wait(const void *word, uint32_t expected) {
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, (void *)0, (void *)0, 0);
}

/// Wakes at most `count` of those who sleep on `word`.
static inline void streamjobs_futex_wake(const void *word, int32_t count) {
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, (void *)0, (void *)0, 0);
}

/// Begins to bring what lies at an address into the processor's cache.
static inline void streamjobs_prefetch(const void *address) { __builtin_prefetch(address); }

/// Gives two names to each other's files or directories, at once (renameat2 with RENAME_EXCHANGE).
static inline int streamjobs_exchange(const char *one, const char *other) {
    return (int)syscall(SYS_renameat2, -100 /* AT_FDCWD */, one, -100, other, 2u);
}
