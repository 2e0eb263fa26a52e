// What Linux offers and Swift's Glibc module does not reach: variadic calls, macros and newer system calls.
#ifndef BULKHEAD_CLINUX_H
#define BULKHEAD_CLINUX_H
// No feature macro is set here: Swift's Glibc module sees the same headers without one, and a type that differs between
// the two modules does not compile. What needs `_GNU_SOURCE` stands in clinux.c.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// Opens a descriptor that becomes readable when `pid` ends. pidfd_open(2).
static inline int bh_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

// Sends a signal to the process behind a pidfd, never to a process that took over its number. pidfd_send_signal(2).
static inline int bh_pidfd_send_signal(int pidfd, int signal) {
  return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, (void *)0, 0);
}

static inline int bh_open(const char *path, int flags, mode_t mode) { return open(path, flags, mode); }
static inline int bh_fcntl(int fd, int command, int argument) { return fcntl(fd, command, argument); }
static inline int bh_prctl(int option, unsigned long argument) { return prctl(option, argument, 0, 0, 0); }

// The tid of the calling thread. gettid(2).
static inline pid_t bh_gettid(void) { return (pid_t)syscall(SYS_gettid); }

// The environment. environ(7).
char **bh_environ(void);

static inline int bh_signalfd_flags(void) { return SFD_NONBLOCK | SFD_CLOEXEC; }
static inline int bh_socket_datagram_flags(void) { return SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK; }

#endif
