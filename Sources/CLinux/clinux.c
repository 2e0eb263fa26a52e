#include "clinux.h"

#include <malloc.h>
#include <sched.h>
#include <syslog.h>

void bh_syslog(const char *line) { syslog(LOG_USER | LOG_INFO, "%s", line); }

char **bh_environ(void) { return environ; }

int bh_pipe_for_reading(int ends[2]) {
  if (pipe2(ends, O_CLOEXEC) < 0) return -1;
  return fcntl(ends[0], F_SETFL, O_NONBLOCK);
}

int bh_pipe_for_writing(int ends[2]) {
  if (pipe2(ends, O_CLOEXEC) < 0) return -1;
  return fcntl(ends[1], F_SETFL, O_NONBLOCK);
}

ssize_t bh_splice(int from, int to, size_t length) {
  return splice(from, NULL, to, NULL, length, SPLICE_F_NONBLOCK);
}

ssize_t bh_tee(int from, int to, size_t length) { return tee(from, to, length, SPLICE_F_NONBLOCK); }

ssize_t bh_receive_with_pid(int fd, void *buffer, size_t length, pid_t *sender) {
  union {
    struct cmsghdr head;
    char bytes[CMSG_SPACE(sizeof(struct ucred))];
  } control;
  struct iovec part = {.iov_base = buffer, .iov_len = length};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  *sender = 0;
  ssize_t count = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (count < 0) return count;
  for (struct cmsghdr *item = CMSG_FIRSTHDR(&message); item; item = CMSG_NXTHDR(&message, item)) {
    if (item->cmsg_level != SOL_SOCKET) continue;
    if (item->cmsg_type == SCM_CREDENTIALS) *sender = ((struct ucred *)CMSG_DATA(item))->pid;
    if (item->cmsg_type == SCM_RIGHTS) {
      // Nobody asked for descriptors: do not keep them.
      size_t bytes = item->cmsg_len - CMSG_LEN(0);
      for (size_t at = 0; at + sizeof(int) <= bytes; at += sizeof(int)) close(*(int *)(CMSG_DATA(item) + at));
    }
  }
  return count;
}

pid_t bh_peek_exit(pid_t pid, int *status) {
  siginfo_t information = {0};
  int result = waitid(pid > 0 ? P_PID : P_ALL, (id_t)(pid > 0 ? pid : 0), &information, WEXITED | WNOHANG | WNOWAIT);
  if (result < 0) return -1;
  if (information.si_pid == 0) return 0;
  if (information.si_code == CLD_EXITED)
    *status = (information.si_status & 0xFF) << 8;
  else
    *status = information.si_status & 0x7F;
  return information.si_pid;
}

pid_t bh_peer_pid(int fd) {
  struct ucred credentials;
  socklen_t length = sizeof credentials;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0) return -1;
  return credentials.pid;
}

// Runs in the child, in the parent's memory: system calls only, and those that change the user raw, because the
// library's would tell every thread of the parent.
static const char *limit(const struct bh_limits *limits) {
  if (limits->cgroup_fd >= 0 && write(limits->cgroup_fd, "0", 1) != 1) return "cgroup";
  if (limits->open_files_max) {
    struct rlimit64 files = {limits->open_files_max, limits->open_files_max};
    if (syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &files, NULL) < 0) return "open_files_max";
  }
  if (limits->data_max) {
    struct rlimit64 data = {limits->data_max, limits->data_max};
    if (syscall(SYS_prlimit64, 0, RLIMIT_DATA, &data, NULL) < 0) return "memory_max";
  }
  if (limits->changes_nice && setpriority(PRIO_PROCESS, 0, limits->nice) < 0) return "nice";
  if (limits->cpus && syscall(SYS_sched_setaffinity, 0, limits->cpus_bytes, limits->cpus) < 0) return "cpus";
  return NULL;
}

uint64_t bh_ignored_signals(void) {
  uint64_t ignored = 0;
  for (int number = 1; number < NSIG; number++) {
    unsigned long action[16] = {0};
    if (syscall(SYS_rt_sigaction, number, NULL, action, 8) == 0 && action[0] == (unsigned long)SIG_IGN)
      ignored |= (uint64_t)1 << (number - 1);
  }
  return ignored;
}

static const char *prepare(const struct bh_spawn_order *spawn) {
  // Raw as well: the library keeps two signals to itself, which may have been ignored before it came.
  static const unsigned long standard[16];
  for (uint64_t rest = spawn->ignored_signals; rest; rest &= rest - 1)
    syscall(SYS_rt_sigaction, __builtin_ctzll(rest) + 1, standard, NULL, 8);
  if (setpgid(0, 0) < 0) return "setpgid";
  if (dup2(spawn->stdin_fd, 0) < 0 || dup2(spawn->stdout_fd, 1) < 0 || dup2(spawn->stderr_fd, 2) < 0) return "dup2";
  // Closed by the execution, not before: the lock of the run directory is let go when this is another program that can
  // be found, so that whoever takes over from a parent killed right here sees it.
  if (syscall(SYS_close_range, 3u, ~0u, 1u << 2 /* CLOSE_RANGE_CLOEXEC */) < 0 &&
      syscall(SYS_close_range, 3u, ~0u, 0u) < 0)
    return "close_range";
  if (spawn->limits) {
    const char *step = limit(spawn->limits);
    if (step) return step;
  }
  if (spawn->changes_user) {
    if (syscall(SYS_setgroups, spawn->groups_count, spawn->groups) < 0) return "setgroups";
    if (syscall(SYS_setresgid, spawn->gid, spawn->gid, spawn->gid) < 0) return "setgid";
    if (syscall(SYS_setresuid, spawn->uid, spawn->uid, spawn->uid) < 0) return "setuid";
  }
  if (spawn->directory && chdir(spawn->directory) < 0) return "chdir";
  if (spawn->umask >= 0) umask((mode_t)spawn->umask);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  execve(spawn->path, spawn->argv, spawn->envp);
  return "execve";
}

pid_t bh_spawn(const struct bh_spawn_order *spawn, const char **step) {
  sigset_t all, before;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, &before);
  volatile int error = 0;
  const char *volatile failed = "vfork";
  pid_t pid = vfork();
  if (pid == 0) {
    failed = prepare(spawn);
    error = errno;
    _exit(127);
  }
  if (pid < 0) error = errno;
  // Its execution woke this thread, which took the processor from it.
  if (spawn->yields) sched_yield();
  sigprocmask(SIG_SETMASK, &before, NULL);
  if (!error) return pid;
  if (pid > 0) waitpid(pid, NULL, 0);
  *step = failed;
  errno = error;
  return -1;
}

pid_t bh_spawn_standby(const char *path, char *const *argv, char *const *envp, int watched, int kept) {
  sigset_t all, before;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, &before);
  volatile int error = 0;
  pid_t pid = vfork();
  if (pid == 0) {
    // Out of the way of 3 and 4 first.
    int first = fcntl(watched, F_DUPFD, 16), second = kept < 0 ? -1 : fcntl(kept, F_DUPFD, 16);
    if (first >= 0 && dup2(first, 3) == 3 && (second < 0 || dup2(second, 4) == 4) &&
        syscall(SYS_close_range, second < 0 ? 4u : 5u, ~0u, 0u) == 0)
      execve(path, argv, envp);
    error = errno;
    _exit(127);
  }
  if (pid < 0) error = errno;
  sigprocmask(SIG_SETMASK, &before, NULL);
  if (!error) return pid;
  if (pid > 0) waitpid(pid, NULL, 0);
  errno = error;
  return -1;
}

// The first published form of `struct pidfd_info`.
struct exit_information {
  uint64_t mask, cgroup;
  uint32_t pid, group, parent, users[8];
  int32_t exit_status;
};

int bh_pidfd_exit(int pidfd, int *status) {
  enum { told_exit = 1 << 3 };
  struct exit_information information = {.mask = told_exit};
  if (ioctl(pidfd, _IOWR(0xFF, 11, struct exit_information), &information) < 0) return -1;
  if (!(information.mask & told_exit)) {
    errno = EAGAIN;
    return -1;
  }
  *status = information.exit_status;
  return 0;
}

int bh_daemonize(void) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return -1;
  pid_t pid = fork();
  if (pid < 0) return -1;
  if (pid == 0) {
    close(ends[0]);
    setsid();
    return ends[1];
  }
  close(ends[1]);
  unsigned char code = 0;
  ssize_t count;
  do count = read(ends[0], &code, 1);
  while (count < 0 && errno == EINTR);
  if (count == 1) _exit(code);
  int status = 0;
  waitpid(pid, &status, 0);
  _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 111);
}

int bh_reexecute(const char *path, char *const *argv, char *const *envp, int first, int second) {
  if (syscall(SYS_close_range, 3u, ~0u, 1u << 2 /* CLOSE_RANGE_CLOEXEC */) < 0) return errno;
  if (first >= 0) fcntl(first, F_SETFD, 0);
  if (second >= 0) fcntl(second, F_SETFD, 0);
  execve(path, argv, envp);
  int error = errno;
  if (first >= 0) fcntl(first, F_SETFD, FD_CLOEXEC);
  if (second >= 0) fcntl(second, F_SETFD, FD_CLOEXEC);
  return error;
}

void bh_heap_options(int arenas, int mapped_bytes, int trim_bytes) {
  mallopt(M_ARENA_MAX, arenas);
  mallopt(M_MMAP_THRESHOLD, mapped_bytes);
  mallopt(M_TRIM_THRESHOLD, trim_bytes);
}

void bh_heap_trim(void) { malloc_trim(0); }

// glibc has no name for it yet; linux/sched/types.h.
struct sched_attributes {
  uint32_t size;
  uint32_t policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime;
  uint64_t deadline;
  uint64_t period;
};

int bh_ask_for_turns(uint64_t nanoseconds) {
  struct sched_attributes attributes = {.size = sizeof attributes};
  if (syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0) return -1;
  // Of real-time threads the same field is a budget.
  if (attributes.policy != 0) return -1;
  attributes.runtime = nanoseconds;
  return (int)syscall(SYS_sched_setattr, 0, &attributes, 0);
}
