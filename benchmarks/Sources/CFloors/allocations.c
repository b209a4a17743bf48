// Counts the allocations of the whole process: the names of the C library, put in front of its functions.
// Linked into what calls allocation_count() only.

#include "floors.h"

#include <errno.h>
#include <stdatomic.h>

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *memory, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);

static _Atomic int64_t allocations;

static void note(void) { atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed); }

void *malloc(size_t bytes) {
    note();
    return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes) {
    note();
    return __libc_calloc(count, bytes);
}

void *realloc(void *memory, size_t bytes) {
    note();
    return __libc_realloc(memory, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes) {
    note();
    return __libc_memalign(alignment, bytes);
}

int posix_memalign(void **memory, size_t alignment, size_t bytes) {
    note();
    *memory = __libc_memalign(alignment, bytes);
    return *memory == NULL ? ENOMEM : 0;
}

int64_t floor_allocation_count(void) {
    return atomic_load_explicit(&allocations, memory_order_relaxed);
}
