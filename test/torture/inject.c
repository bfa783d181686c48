/*
 * Runs a command and does something to it at the N-th system call that touches a file below a folder: kills it before or after the
 * call, lets the call fail, writes only a part, waits, or sends a signal. Calls of all threads are counted together, in the order in
 * which they begin. The tracer is told of the calls in CALLS alone (seccomp), so the command keeps its speed.
 *
 *   inject [-o TRACE] [-r] [-m BYTES] [-s SPEC]... FOLDER COMMAND [ARGUMENT...]
 *
 *   -o TRACE   a line for each counted call: number, thread, call, result, inode, offset, length, path, second path (tabs between)
 *   -r         reads, opening to read and closing count too
 *   -m BYTES   anonymous mappings of at least so much are counted, by themselves: m1, m2 ...
 *   -s SPEC    ACTION@N      once, at call N (mN: at mapping N)
 *              ACTION@N:a,b  once, at the first from call N on that is a or b
 *              ACTION@N+     at call N and all later ones
 *              ACTION@N+:a,b at all from call N on that are a or b
 *     ACTION   before        SIGKILL before the call is made
 *              after         SIGKILL when it has been made
 *              error=NUMBER  the call is not made (but close is) and returns this errno
 *              short=BYTES   a write moves at most so many bytes; 0: half
 *              delay=MS      waits before the call
 *              signal=NUMBER this signal to the process, before the call
 *
 * Exits as the command did (128 + signal if one ended it); 125 if it could not be traced.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <elf.h>
#include <linux/ptrace.h>

enum kind { WRITE_FD, WRITE_AT, WRITE_V, FD_ONLY, TRUNCATE_FD, OPEN, OPEN_AT, ONE, ONE_AT, TWO, TWO_AT, READ_FD, MAP };

struct call {
  int number;
  const char *name;
  enum kind kind;
};

/* Names that an architecture does not have (aarch64: open, rename ...) are left out. */
static const struct call CALLS[] = {
    {SYS_write, "write", WRITE_FD},
    {SYS_pwrite64, "pwrite64", WRITE_AT},
    {SYS_writev, "writev", WRITE_V},
    {SYS_pwritev, "pwritev", WRITE_V},
    {SYS_pwritev2, "pwritev2", WRITE_V},
    {SYS_fsync, "fsync", FD_ONLY},
    {SYS_fdatasync, "fdatasync", FD_ONLY},
    {SYS_ftruncate, "ftruncate", TRUNCATE_FD},
    {SYS_fallocate, "fallocate", FD_ONLY},
    {SYS_close, "close", FD_ONLY},
    {SYS_openat, "openat", OPEN_AT},
    {SYS_mkdirat, "mkdirat", ONE_AT},
    {SYS_unlinkat, "unlinkat", ONE_AT},
    {SYS_linkat, "linkat", TWO_AT},
    {SYS_renameat2, "renameat2", TWO_AT},
#ifdef SYS_renameat
    {SYS_renameat, "renameat", TWO_AT},
#endif
#ifdef SYS_open
    {SYS_open, "open", OPEN},
    {SYS_mkdir, "mkdir", ONE},
    {SYS_unlink, "unlink", ONE},
    {SYS_rmdir, "rmdir", ONE},
    {SYS_rename, "rename", TWO},
    {SYS_link, "link", TWO},
#endif
    {SYS_read, "read", READ_FD},
    {SYS_pread64, "pread64", READ_FD},
    {SYS_mmap, "mmap", MAP},
};
enum { N_CALLS = sizeof CALLS / sizeof *CALLS };

struct spec {
  char action[16];
  long value, number;
  int onward, of_maps, done;
  char only[256]; /* ",a,b," or empty: every call */
};

/* What a thread is in the middle of. */
struct thread {
  pid_t tid;
  int skip, restore, kill_after;
  long number, error, length;
  char line[3 * PATH_MAX];
};

static struct spec specs[32];
static int n_specs;
static struct thread threads[1024];
static int n_threads;
static FILE *trace;
static char folder[PATH_MAX];
static size_t folder_length;
static int reads;
static long map_bytes = -1, n_seen, n_maps;
static pid_t command;

static void fail(const char *what) {
  fprintf(stderr, "inject: %s: %s\n", what, strerror(errno));
  if (command > 0) kill(command, SIGKILL);
  exit(125);
}

static struct thread *thread_of(pid_t tid) {
  for (int t = 0; t < n_threads; t++)
    if (threads[t].tid == tid) return &threads[t];
  for (int t = 0; t < n_threads; t++)
    if (threads[t].tid == 0) return threads[t].tid = tid, &threads[t];
  if (n_threads == sizeof threads / sizeof *threads) errno = ENOMEM, fail("threads");
  threads[n_threads].tid = tid;
  return &threads[n_threads++];
}

/* ---- registers ---- */

#if defined(__x86_64__)
static void change(pid_t tid, const long *number, const long *length, const long *result) {
  struct user_regs_struct regs;
  if (ptrace(PTRACE_GETREGS, tid, 0, &regs)) return;
  if (number) regs.orig_rax = *number;
  if (length) regs.rdx = *length;
  if (result) regs.rax = *result;
  ptrace(PTRACE_SETREGS, tid, 0, &regs);
}
#elif defined(__aarch64__)
static void change(pid_t tid, const long *number, const long *length, const long *result) {
  struct user_regs_struct regs;
  struct iovec whole = {&regs, sizeof regs};
  int nr = number ? (int)*number : 0;
  struct iovec one = {&nr, sizeof nr};
  if (number) ptrace(PTRACE_SETREGSET, tid, NT_ARM_SYSTEM_CALL, &one);
  if (ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &whole)) return;
  if (length) regs.regs[2] = *length;
  if (result) regs.regs[0] = *result;
  ptrace(PTRACE_SETREGSET, tid, NT_PRSTATUS, &whole);
}
#else
#error "x86-64 or aarch64"
#endif

/* ---- paths ---- */

static int below(const char *path) {
  return strncmp(path, folder, folder_length) == 0 && (path[folder_length] == 0 || path[folder_length] == '/');
}

/* "/a/./b//../c" to "/a/c"; symbolic links stay. */
static void normalise(char *path) {
  char *out = path;
  for (char *in = path; *in;) {
    while (*in == '/') in++;
    char *end = strchrnul(in, '/');
    size_t n = end - in;
    if (n == 2 && in[0] == '.' && in[1] == '.') {
      while (out > path && *--out != '/') {}
    } else if (n > 0 && !(n == 1 && in[0] == '.')) {
      *out++ = '/';
      memmove(out, in, n);
      out += n;
    }
    in = end;
  }
  *out = 0;
}

static void link_of(const char *format, pid_t tid, int fd, char *path) {
  char name[64];
  snprintf(name, sizeof name, format, tid, fd);
  ssize_t n = readlink(name, path, PATH_MAX - 1);
  path[n < 0 ? 0 : n] = 0;
}

static void path_of_fd(pid_t tid, int fd, char *path) { link_of("/proc/%d/fd/%d", tid, fd, path); }

/* The name at `address` in the command, as an absolute path. */
static void path_at(pid_t tid, int at, unsigned long address, char *path) {
  char name[PATH_MAX] = "";
  size_t n = 0;
  /* Page by page: the next one may not be there. */
  while (n < sizeof name - 1) {
    size_t piece = 4096 - (address + n) % 4096;
    if (piece > sizeof name - 1 - n) piece = sizeof name - 1 - n;
    struct iovec to = {name + n, piece}, from = {(void *)(address + n), piece};
    ssize_t got = process_vm_readv(tid, &to, 1, &from, 1, 0);
    if (got <= 0) break;
    n += got;
    name[n] = 0;
    if (memchr(name + n - got, 0, got)) break;
  }
  char whole[2 * PATH_MAX] = "";
  if (name[0] != '/') {
    if (at == AT_FDCWD) link_of("/proc/%d/cwd", tid, 0, whole);
    else path_of_fd(tid, at, whole);
    strcat(whole, "/");
  }
  strcat(whole, name);
  normalise(whole);
  snprintf(path, PATH_MAX, "%s", whole);
}

static long position_of(pid_t tid, int fd) {
  char name[64], line[128];
  snprintf(name, sizeof name, "/proc/%d/fdinfo/%d", tid, fd);
  FILE *file = fopen(name, "r");
  if (!file) return -1;
  long position = -1, flags = 0;
  while (fgets(line, sizeof line, file)) {
    sscanf(line, "pos: %ld", &position);
    sscanf(line, "flags: %lo", &flags);
  }
  fclose(file);
  struct stat s;
  snprintf(name, sizeof name, "/proc/%d/fd/%d", tid, fd);
  return (flags & O_APPEND) && stat(name, &s) == 0 ? (long)s.st_size : position;
}

/* ---- a call begins, and ends ---- */

/* Whether the call counts; fills the thread's line after its number. */
static int describe(struct thread *t, const struct call *call, const unsigned long *a) {
  char path[PATH_MAX] = "", other[PATH_MAX] = "";
  const pid_t tid = t->tid;
  long offset = -1;
  int fd = -1, counts = 1, reading = 0;
  t->length = -1;
  switch (call->kind) {
    case WRITE_FD: fd = a[0], t->length = a[2]; break;
    case WRITE_AT: fd = a[0], t->length = a[2], offset = a[3]; break;
    case WRITE_V: fd = a[0]; break;
    case FD_ONLY: fd = a[0], reading = call->number == SYS_close; break;
    case TRUNCATE_FD: fd = a[0], offset = a[1]; break;
    case READ_FD: fd = a[0], t->length = a[2], reading = 1; break;
    case OPEN: path_at(tid, AT_FDCWD, a[0], path), reading = (a[1] & (O_ACCMODE | O_CREAT)) == 0; break;
    case OPEN_AT: path_at(tid, a[0], a[1], path), reading = (a[2] & (O_ACCMODE | O_CREAT)) == 0; break;
    case ONE: path_at(tid, AT_FDCWD, a[0], path); break;
    case ONE_AT: path_at(tid, a[0], a[1], path); break;
    case TWO: path_at(tid, AT_FDCWD, a[0], path), path_at(tid, AT_FDCWD, a[1], other); break;
    case TWO_AT: path_at(tid, a[0], a[1], path), path_at(tid, a[2], a[3], other); break;
    case MAP: break;
  }
  unsigned long inode = 0;
  if (fd >= 0) {
    path_of_fd(tid, fd, path);
    if (!below(path)) return 0;
    char name[64];
    struct stat s;
    snprintf(name, sizeof name, "/proc/%d/fd/%d", tid, fd);
    if (stat(name, &s) == 0) inode = s.st_ino;
    if (call->kind == WRITE_FD || call->kind == WRITE_V) offset = position_of(tid, fd);
  }
  if (call->kind == MAP) {
    t->length = a[1];
    counts = map_bytes >= 0 && (a[3] & MAP_ANONYMOUS) && (long)a[1] >= map_bytes;
  } else if (reading && !reads) {
    counts = 0;
  } else {
    counts = below(path) || (other[0] && below(other));
  }
  const char *name = reading && (call->kind == OPEN || call->kind == OPEN_AT) ? "open-read" : call->kind == OPEN_AT ? "open" : call->name;
  /* Number and result are known later. */
  snprintf(t->line, sizeof t->line, "%d\t%s\t%%s\t%lu\t%ld\t%ld\t%s\t%s", tid, name, inode, offset, t->length, path, other);
  return counts;
}

static void put(struct thread *t, const char *result, int of_maps) {
  if (!trace) return;
  fprintf(trace, of_maps ? "m%ld\t" : "%ld\t", t->number);
  char *at = strstr(t->line, "%s");
  fprintf(trace, "%.*s%s%s\n", (int)(at - t->line), t->line, result, at + 2);
}

static int applies(struct spec *spec, const char *name, long number, int of_maps) {
  if (spec->of_maps != of_maps || number < spec->number || (spec->done && !spec->onward)) return 0;
  char wanted[64];
  snprintf(wanted, sizeof wanted, ",%s,", name);
  return spec->done = !spec->only[0] || strstr(spec->only, wanted) != NULL;
}

static void wait_ms(long ms) {
  struct timespec time = {ms / 1000, ms % 1000 * 1000000};
  nanosleep(&time, NULL);
}

/* Returns whether the end of the call is wanted too. */
static int begin(pid_t tid) {
  struct ptrace_syscall_info info;
  if (ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof info, &info) <= 0) return 0;
  const struct call *call = NULL;
  for (int c = 0; c < N_CALLS; c++)
    if (CALLS[c].number == (int)info.seccomp.nr) call = &CALLS[c];
  if (!call) return 0;
  struct thread *t = thread_of(tid);
  unsigned long args[6];
  for (int k = 0; k < 6; k++) args[k] = info.seccomp.args[k];
  if (!describe(t, call, args)) return 0;
  const int of_maps = call->kind == MAP;
  t->number = of_maps ? ++n_maps : ++n_seen;
  t->skip = t->restore = t->kill_after = 0;
  char name[16] = "";
  sscanf(t->line, "%*d %15s", name);
  for (int s = 0; s < n_specs; s++) {
    struct spec *spec = &specs[s];
    if (!applies(spec, name, t->number, of_maps)) continue;
    if (strcmp(spec->action, "before") == 0) {
      put(t, "killed", of_maps);
      kill(command, SIGKILL);
      return 0;
    }
    if (strcmp(spec->action, "after") == 0) t->kill_after = 1;
    if (strcmp(spec->action, "signal") == 0) kill(command, (int)spec->value);
    if (strcmp(spec->action, "delay") == 0) wait_ms(spec->value);
    if (strcmp(spec->action, "error") == 0) {
      t->skip = 1;
      t->error = spec->value;
      long none = -1;
      /* A close that fails has closed all the same. */
      if (strcmp(name, "close")) change(tid, &none, NULL, NULL);
    }
    if (strcmp(spec->action, "short") == 0 && (call->kind == WRITE_FD || call->kind == WRITE_AT) && t->length > 1) {
      long less = spec->value > 0 && spec->value < t->length ? spec->value : t->length / 2;
      t->restore = 1;
      change(tid, NULL, &less, NULL);
    }
  }
  return 1;
}

static void end(pid_t tid) {
  struct thread *t = thread_of(tid);
  struct ptrace_syscall_info info;
  long result = 0;
  if (ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof info, &info) > 0) result = (long)info.exit.rval;
  if (t->skip) {
    result = -t->error;
    change(tid, NULL, NULL, &result);
  }
  /* The command counts on its registers being as they were. */
  if (t->restore) change(tid, NULL, &t->length, NULL);
  char text[48];
  snprintf(text, sizeof text, "%ld%s%s", result, t->skip ? " injected" : t->restore ? " short" : "", t->kill_after ? " killed" : "");
  put(t, text, strstr(t->line, "\tmmap\t") != NULL);
  if (t->kill_after) kill(command, SIGKILL);
}

/* ---- the command ---- */

static void only_these_calls(void) {
  struct sock_filter filter[2 * N_CALLS + 2];
  int n = 0;
  filter[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  for (int c = 0; c < N_CALLS; c++) {
    if ((CALLS[c].kind == READ_FD && !reads) || (CALLS[c].kind == MAP && map_bytes < 0)) continue;
    filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CALLS[c].number, 0, 1);
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
  }
  filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  struct sock_fprog program = {n, filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) _exit(125);
}

static void start(char **argv) {
  int go[2];
  if (pipe2(go, O_CLOEXEC)) fail("pipe");
  command = fork();
  if (command < 0) fail("fork");
  if (command == 0) {
    char c;
    if (read(go[0], &c, 1) != 1) _exit(125);
    only_these_calls();
    execvp(argv[0], argv);
    _exit(127);
  }
  long options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACESYSGOOD |
                 PTRACE_O_EXITKILL;
  if (ptrace(PTRACE_SEIZE, command, 0, options)) fail("ptrace");
  if (write(go[1], "", 1) != 1) fail("pipe");
  close(go[0]), close(go[1]);
}

static int follow(void) {
  int status, last = 0;
  for (pid_t tid; (tid = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR;) {
    if (tid < 0) continue;
    if (!WIFSTOPPED(status)) {
      if (tid == command) last = status;
      thread_of(tid)->tid = 0;
      continue;
    }
    const int signal = WSTOPSIG(status), event = status >> 16;
    if (event == PTRACE_EVENT_SECCOMP) {
      ptrace(begin(tid) ? PTRACE_SYSCALL : PTRACE_CONT, tid, 0, 0);
    } else if (signal == (SIGTRAP | 0x80)) {
      end(tid);
      ptrace(PTRACE_CONT, tid, 0, 0);
    } else if (event == PTRACE_EVENT_STOP) {
      const int stops = signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
      ptrace(stops ? PTRACE_LISTEN : PTRACE_CONT, tid, 0, 0);
    } else {
      ptrace(PTRACE_CONT, tid, 0, event ? 0 : signal);
    }
  }
  return WIFSIGNALED(last) ? 128 + WTERMSIG(last) : WEXITSTATUS(last);
}

static void parse(const char *text) {
  if (n_specs == sizeof specs / sizeof *specs) errno = E2BIG, fail(text);
  struct spec *spec = &specs[n_specs++];
  const char *at = strchr(text, '@');
  if (!at || sscanf(text, "%15[a-z]=%ld", spec->action, &spec->value) < 1) errno = EINVAL, fail(text);
  at++;
  if (*at == 'm') spec->of_maps = 1, at++;
  char *rest;
  spec->number = strtol(at, &rest, 10);
  if (*rest == '+') spec->onward = 1, rest++;
  if (*rest == ':') snprintf(spec->only, sizeof spec->only, ",%s,", rest + 1), rest += strlen(rest);
  if (*rest || spec->number < 1) errno = EINVAL, fail(text);
}

int main(int argc, char **argv) {
  int option;
  while ((option = getopt(argc, argv, "+o:rm:s:")) != -1) {
    if (option == 'o' && !(trace = fopen(optarg, "we"))) fail(optarg);
    if (option == 'r') reads = 1;
    if (option == 'm') map_bytes = atol(optarg);
    if (option == 's') parse(optarg);
    if (option == '?') return 125;
  }
  if (argc - optind < 2) return fputs("inject: FOLDER COMMAND\n", stderr), 125;
  snprintf(folder, sizeof folder, "%s", argv[optind]);
  normalise(folder);
  folder_length = strlen(folder);
  start(argv + optind + 1);
  const int code = follow();
  if (trace) fclose(trace);
  return code;
}
