// Counts calls of malloc, calloc and realloc; preloaded by run.sh. Read by HotPathBenchmarks through dlsym.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
unsigned long tailrace_malloc_count;
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
void *malloc(size_t n) { __atomic_fetch_add(&tailrace_malloc_count, 1, __ATOMIC_RELAXED); return __libc_malloc(n); }
void *calloc(size_t n, size_t m) { __atomic_fetch_add(&tailrace_malloc_count, 1, __ATOMIC_RELAXED); return __libc_calloc(n, m); }
void *realloc(void *p, size_t n) { __atomic_fetch_add(&tailrace_malloc_count, 1, __ATOMIC_RELAXED); return __libc_realloc(p, n); }
