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
#include <sys/file.h>
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

// Begins to bring a cache line, of memory that will be read soon.
static inline void bh_prefetch(const void *address) { __builtin_prefetch(address); }

// Asks for pages of 2 MB; returns 0, or -1 where the system has none. madvise(2), MADV_HUGEPAGE.
static inline int bh_huge_pages(void *address, size_t bytes) { return madvise(address, bytes, 14); }

// Asks for turns of so many nanoseconds for the calling thread and those that it starts later; leaves all else as it is.
// Returns 0, or -1 where the thread is not scheduled in the ordinary way. sched_setattr(2).
int bh_ask_for_turns(uint64_t nanoseconds);

// The tid of the calling thread. gettid(2).
static inline pid_t bh_gettid(void) { return (pid_t)syscall(SYS_gettid); }

// The environment. environ(7).
char **bh_environ(void);

static inline int bh_signalfd_flags(void) { return SFD_NONBLOCK | SFD_CLOEXEC; }
static inline int bh_socket_stream_flags(void) { return SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK; }
// A descriptor of another process, by its number there; the system call pidfd_getfd.
static inline int bh_pidfd_getfd(int pidfd, int fd) { return (int)syscall(438, pidfd, fd, 0); }
static inline int bh_socket_datagram_flags(void) { return SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK; }


// What a child process may use; set before it becomes another user.
struct bh_limits {
  uint64_t open_files_max;  // 0: as the parent. RLIMIT_NOFILE
  uint64_t data_max;        // bytes; 0: as the parent. RLIMIT_DATA
  int changes_nice, nice;
  const uintptr_t *cpus;  // a mask of processors in words; null: as the parent
  size_t cpus_bytes;
  int cgroup_fd;  // a cgroup.procs open for writing; -1: none
};

// What a child process begins with. Pointers must live until bh_spawn returns.
struct bh_spawn_order {
  const char *path;       // the program, found already
  char *const *argv;      // ends with a null pointer
  char *const *envp;      // ends with a null pointer
  const char *directory;  // null: that of the parent
  int stdin_fd, stdout_fd, stderr_fd;
  int umask;  // -1: that of the parent
  int changes_user;
  uid_t uid;
  gid_t gid;
  const gid_t *groups;
  size_t groups_count;
  const struct bh_limits *limits;  // null: none
  uint64_t ignored_signals;        // of bh_ignored_signals
  int yields;                      // whether the child runs before this returns, where it would wait for the processor
};

// The signals that this process ignores, which an execution does not change; bit n − 1 stands for signal n. Handlers are
// undone by the execution itself.
uint64_t bh_ignored_signals(void);

// Starts a child in a process group of its own, with default signal dispositions, no blocked signal and no descriptor
// but the three. The memory of the parent is shared until the child executes, as posix_spawn(3) does it; directory,
// umask and user are what posix_spawn cannot set. Answers the pid, or -1 with errno and the step that failed.
pid_t bh_spawn(const struct bh_spawn_order *spawn, const char **step);

// Starts `path` as a standby: in the caller's group and session, with its three standard descriptors, every signal
// blocked, `watched` (a pidfd) as descriptor 3 and `kept` (-1: none) as 4. Answers the pid, or -1 with errno.
pid_t bh_spawn_standby(const char *path, char *const *argv, char *const *envp, int watched, int kept);

// Where the arguments are `PATH --standby N …`, waits until the process behind descriptor 3 has ended, then executes
// `PATH --stand-in M …`, and does not return; else returns at once. N and M count takeovers in quick succession: each
// waits longer than the one before.
void bh_standby(int argc, char **argv);

// How a process that need not be a child has ended; `status` is that of waitpid. Answers 0, or -1 where the kernel does
// not tell: before Linux 6.15, or as long as nobody has reaped it. ioctl_pidfs(2), PIDFD_GET_INFO.
int bh_pidfd_exit(int pidfd, int *status);

// Sends a signal to the whole process group of the leader behind a pidfd; -1 with EINVAL before Linux 6.9.
static inline int bh_pidfd_signal_group(int pidfd, int signal) {
  return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, (void *)0, 1u << 2 /* PIDFD_SIGNAL_PROCESS_GROUP */);
}

// Goes on in a child that leads a session of its own, and answers a descriptor to tell the parent by: a byte that is
// written to it is the parent's exit code. The parent does not return; where the child ends without a word it exits
// with the child's code. Answers -1 with errno where there is no child. Call it before there are threads.
int bh_daemonize(void);

// Executes a program in the place of this one, closing all but the standard descriptors and the two given (-1: none).
// Returns errno, with all descriptors closed on exec, where it fails.
int bh_reexecute(const char *path, char *const *argv, char *const *envp, int first, int second);

// Receives a datagram on a socket with SO_PASSCRED; `sender` is its pid, 0 where the kernel did not say. recvmsg(2).
ssize_t bh_receive_with_pid(int fd, void *buffer, size_t length, pid_t *sender);

// Two ends of a pipe, closed on exec, the reading one not blocking. pipe2(2).
int bh_pipe_for_reading(int ends[2]);

// The same, the writing one not blocking. pipe2(2).
int bh_pipe_for_writing(int ends[2]);

// Moves bytes from a pipe to a pipe, or to a file where its place is, without waiting for more of them. Between pipes it
// happens at once or not at all, also where this process is killed. splice(2).
ssize_t bh_splice(int from, int to, size_t length);

// Shows what is in a pipe to another one, too. tee(2).
ssize_t bh_tee(int from, int to, size_t length);

// How a child ended, without reaping it; `status` is that of waitpid. Answers the pid, 0 where none has ended.
pid_t bh_peek_exit(pid_t pid, int *status);

// Asks the kernel which process is at the other end of a unix socket. SO_PEERCRED.
pid_t bh_peer_pid(int fd);

static inline int bh_timerfd(void) { return timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC); }
static inline int bh_timer_absolute(void) { return TFD_TIMER_ABSTIME; }
static inline int bh_epoll(void) { return epoll_create1(EPOLL_CLOEXEC); }
static inline int bh_set_pipe_size(int fd, int bytes) { return bh_fcntl(fd, 1031 /* F_SETPIPE_SZ */, bytes); }
// A line of the system's log, of an ordinary program. syslog(3).
void bh_syslog(const char *line);

// How much a pipe holds. F_GETPIPE_SZ.
static inline int bh_pipe_size(int fd) { return bh_fcntl(fd, 1032, 0); }
// How many bytes wait in a pipe. FIONREAD.
static inline int bh_bytes_waiting(int fd, int *count) { return ioctl(fd, FIONREAD, count); }
static inline int bh_epoll_in(void) { return EPOLLIN; }
static inline int bh_set_passcred(int fd) {
  int on = 1;
  return setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
}
static inline int bh_become_subreaper(void) { return bh_prctl(PR_SET_CHILD_SUBREAPER, 1); }
// Takes the file for this process alone, or fails at once. flock(2).
static inline int bh_lock(int fd) { return flock(fd, LOCK_EX | LOCK_NB); }

// How many arenas the heap has at most, from which size on a block is mapped by itself, and how much may be free at the
// heap's end. mallopt(3).
void bh_heap_options(int arenas, int mapped_bytes, int trim_bytes);
// Gives all whole pages of the heap that are free back to the system. malloc_trim(3).
void bh_heap_trim(void);
#endif
