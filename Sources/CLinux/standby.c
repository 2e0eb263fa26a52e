// The standby: a process that holds almost no memory while it waits for the supervisor's death.
//
// It gives back every page but its stack, its libraries' relocated tables and its thread's own data among them, so from
// then on it may call no library: system calls only, made here, and data on the stack.
#include "clinux.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  watched_fd = 3,
  quick_ms = 2000,       // a supervisor that lived shorter died quickly
  pause_first_ms = 10,   // after the third quick death, doubled with each more
  pause_longest_ms = 1000,
  tries_max = 100,       // of the execution, a tenth of a second apart
  mappings_max = 512,
};

#if defined(__x86_64__)
static inline long call(long number, long a, long b, long c, long d) {
  long result;
  register long r10 __asm__("r10") = d;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
                   : "rcx", "r11", "memory");
  return result;
}
#define GIVES_PAGES_BACK 1
#elif defined(__aarch64__)
static inline long call(long number, long a, long b, long c, long d) {
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
  return x0;
}
#define GIVES_PAGES_BACK 1
#else
static inline long call(long number, long a, long b, long c, long d) {
  long result = syscall(number, a, b, c, d);
  return result < 0 ? -errno : result;
}
#define GIVES_PAGES_BACK 0
#endif

static inline long long now_ms(void) {
  struct timespec now;
  call(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&now, 0, 0);
  return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static inline void pause_ms(long long count) {
  struct timespec pause = {count / 1000, count % 1000 * 1000000};
  call(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, (long)&pause, 0);
}

// The mappings of this process but the stack and what the kernel put there. /proc/self/maps
static int read_mappings(uintptr_t ranges[][2]) {
  FILE *file = GIVES_PAGES_BACK ? fopen("/proc/self/maps", "re") : NULL;
  if (!file) return 0;
  char line[4352];
  int count = 0;
  while (count < mappings_max && fgets(line, sizeof line, file)) {
    char *end;
    uintptr_t first = strtoull(line, &end, 16), last = strtoull(end + 1, NULL, 16);
    int is_kernels = strstr(line, "[v") != NULL, is_stack = strstr(line, "[stack") != NULL;
    if (is_kernels || is_stack) continue;
    ranges[count][0] = first;
    ranges[count++][1] = last;
  }
  fclose(file);
  return count;
}

__attribute__((noinline, noreturn, no_stack_protector)) static void wait_and_execute(
    char **argv, char **envp, int quick, uintptr_t ranges[][2], int count) {
  for (int index = 0; index < count; index++)
    call(SYS_madvise, (long)ranges[index][0], (long)(ranges[index][1] - ranges[index][0]), MADV_DONTNEED, 0);
  long long began = now_ms();
  struct pollfd watched = {.fd = watched_fd, .events = POLLIN};
  while (call(SYS_ppoll, (long)&watched, 1, 0, 0) < 0) {
  }
  call(SYS_close, watched_fd, 0, 0, 0);
  quick = now_ms() - began < quick_ms ? quick + 1 : 0;
  if (quick > 20) quick = 20;
  long long pause = quick > 2 ? (long long)pause_first_ms << (quick - 3) : 0;
  if (pause > 0) pause_ms(pause > pause_longest_ms ? pause_longest_ms : pause);
  char option[] = "--stand-in", number[3] = {(char)('0' + quick / 10), (char)('0' + quick % 10), 0};
  argv[1] = option;
  argv[2] = number;
  // An executable that is just being replaced will be there in a moment.
  for (int try = 0; try < tries_max; try++) {
    call(SYS_execve, (long)argv[0], (long)argv, (long)envp, 0);
    pause_ms(100);
  }
  for (;;) call(SYS_exit_group, 111, 0, 0, 0);
}

void bh_standby(int argc, char **argv) {
  if (argc < 3 || strcmp(argv[1], "--standby") != 0) return;
  int quick = atoi(argv[2]);
  // The arguments may lie on the heap; the environment is where the kernel put it, above the stack.
  size_t length = 0;
  for (int index = 0; index < argc; index++) length += strlen(argv[index]) + 1;
  char texts[length], *copies[argc + 1], *next = texts;
  for (int index = 0; index < argc; index++) {
    copies[index] = next;
    next = stpcpy(next, argv[index]) + 1;
  }
  copies[argc] = NULL;
  uintptr_t ranges[mappings_max][2];
  int count = read_mappings(ranges);
  wait_and_execute(copies, bh_environ(), quick < 0 ? 0 : quick, ranges, count);
}
