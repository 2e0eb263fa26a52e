// Counts what the calling thread allocates: the executable that links this replaces the C library's functions.
#ifndef BULKHEAD_ALLOCATIONS_H
#define BULKHEAD_ALLOCATIONS_H
#include <stdint.h>

// How often this thread has called malloc, calloc, realloc, or one of the aligned ones.
uint64_t bh_allocation_count(void);

#endif
