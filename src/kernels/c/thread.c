/* Where threads run. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* More CPUs than Linux can be built for. */
#define MOST_CPUS 16384

int32_t dotpe_thread_id(void) { return (int32_t)syscall(SYS_gettid); }

/* Binds the calling thread to these CPUs. Returns 0, or the error number. */
int32_t dotpe_pin(const int32_t *cpus, int32_t n) {
  cpu_set_t *set = CPU_ALLOC(MOST_CPUS);
  if (!set) return ENOMEM;
  const size_t bytes = CPU_ALLOC_SIZE(MOST_CPUS);
  CPU_ZERO_S(bytes, set);
  for (int32_t k = 0; k < n; k++) CPU_SET_S(cpus[k], bytes, set);
  const int32_t error = sched_setaffinity(0, bytes, set) ? errno : 0;
  CPU_FREE(set);
  return error;
}

static int is_one_of(int32_t id, const int32_t *ids, int32_t n) {
  for (int32_t k = 0; k < n; k++)
    if (ids[k] == id) return 1;
  return 0;
}

/* Of a name of digits; 0 of any other. */
static int32_t number_of(const char *name) {
  int32_t number = 0;
  for (; *name >= '0' && *name <= '9' && number < INT32_MAX / 10 - 1; name++) number = 10 * number + (*name - '0');
  return *name == 0 ? number : 0;
}

/*
 * Lets every thread of the process but the bound ones be wherever the main thread may be: a thread begins on the CPUs of the one that
 * starts it. Returns how many were elsewhere.
 */
int32_t dotpe_loosen(const int32_t *bound, int32_t n) {
  const size_t bytes = CPU_ALLOC_SIZE(MOST_CPUS);
  cpu_set_t *wanted = CPU_ALLOC(MOST_CPUS), *found = CPU_ALLOC(MOST_CPUS);
  DIR *tasks = opendir("/proc/self/task");
  int32_t changed = 0;
  if (wanted && found && tasks && sched_getaffinity(getpid(), bytes, wanted) == 0) {
    for (struct dirent *task = readdir(tasks); task; task = readdir(tasks)) {
      const int32_t id = number_of(task->d_name);
      if (id <= 0 || is_one_of(id, bound, n) || sched_getaffinity(id, bytes, found)) continue;
      if (!CPU_EQUAL_S(bytes, wanted, found) && sched_setaffinity(id, bytes, wanted) == 0) changed++;
    }
  }
  if (tasks) closedir(tasks);
  CPU_FREE(wanted);
  CPU_FREE(found);
  return changed;
}
