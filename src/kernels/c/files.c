/* Files that will be read soon. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>

/* Linux takes no more of one request than its readahead window, often 128 kB. */
#define PIECE (128 << 10)

/* Asks the system to read a part of a file into its cache, and does not wait for it. */
void dotpe_will_need(int32_t fd, int64_t offset, int64_t length) {
  for (int64_t at = 0; at < length; at += PIECE) {
    const int64_t n = length - at < PIECE ? length - at : PIECE;
    if (posix_fadvise(fd, offset + at, n, POSIX_FADV_WILLNEED) != 0) return;
  }
}
