/* Where a thread runs. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdint.h>

/* Binds the calling thread to these CPUs. Returns 0, or the error number. */
int32_t dotpe_pin(const int32_t *cpus, int32_t n) {
  int32_t most = 0;
  for (int32_t k = 0; k < n; k++)
    if (cpus[k] > most) most = cpus[k];
  cpu_set_t *set = CPU_ALLOC(most + 1);
  if (!set) return ENOMEM;
  const size_t bytes = CPU_ALLOC_SIZE(most + 1);
  CPU_ZERO_S(bytes, set);
  for (int32_t k = 0; k < n; k++) CPU_SET_S(cpus[k], bytes, set);
  const int32_t error = sched_setaffinity(0, bytes, set) ? errno : 0;
  CPU_FREE(set);
  return error;
}
