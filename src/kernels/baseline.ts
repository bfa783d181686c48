/** Instruction sets, as /proc/cpuinfo names them, without which the runtime itself would not have started; by `process.arch`. */
export const BASELINE: Readonly<Record<string, readonly string[]>> = {
  x64: ["sse4_2", "ssse3", "popcnt"],
  arm64: ["asimd"],
};
