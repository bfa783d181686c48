#!/bin/sh
# Compiles every *.c beside this script into one shared object per instruction set:
#   build.sh OUT    writes OUT/libdotpe-<variant>.so
# A variant of another processor family becomes an empty file, so that whatever embeds the four files finds them.
# Instruction sets are spelled out feature by feature: old compilers do not know the names x86-64-v2 to v4.
# Nothing of the mathematical library is linked: its functions give other last bits in other versions, and one with a new version of
# a function is not found by older systems (the C library of 2012, glibc 2.17, is enough; test/environment-table.test.ts).
# CC and EXTRA_CFLAGS come from the environment.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
out=$1
cc=${CC:-cc}
machine=$(uname -m)
mkdir -p "$out"

command -v "$cc" > /dev/null || { echo "error: C compiler '$cc' not found; install gcc or clang, or set CC" >&2; exit 1; }

common="-std=gnu11 -O3 -fPIC -shared -fno-math-errno -fno-trapping-math -ffp-contract=off -Wall -Wextra -Wl,-z,defs"
v2="-march=x86-64 -mcx16 -msahf -mpopcnt -msse3 -mssse3 -msse4.1 -msse4.2"
v3="$v2 -mavx -mavx2 -mbmi -mbmi2 -mf16c -mfma -mlzcnt -mmovbe"
v4="$v3 -mavx512f -mavx512bw -mavx512cd -mavx512dq -mavx512vl -mprefer-vector-width=512"

# build VARIANT FAMILY FLAGS: the file appears under its name only when it is complete.
build() {
  target="$out/libdotpe-$1.so"
  set -- "$1" "$2" "$3" "$here"/*.c
  if [ "$2" = "$machine" ] && [ -e "$4" ]; then
    variant=$1 flags=$3
    shift 3
    # shellcheck disable=SC2086
    "$cc" $common $flags ${EXTRA_CFLAGS:-} -DDOTPE_VARIANT="\"$variant\"" -o "$target.new" "$@"
  else
    : > "$target.new"
  fi
  mv "$target.new" "$target"
}

build x86-64-v2 x86_64 "$v2"
build x86-64-v3 x86_64 "$v3"
build x86-64-v4 x86_64 "$v4"
build aarch64 aarch64 "-march=armv8-a"
