// What the C library has for Linux only and the Glibc module leaves out.

#include <sys/types.h>

extern int fallocate(int descriptor, int mode, off_t position, off_t length);

enum { streamjobs_keep_size = 1 }; // FALLOC_FL_KEEP_SIZE of <linux/falloc.h>
