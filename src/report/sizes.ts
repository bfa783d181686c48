/** Bytes as people read them. */

/** Memory, in powers of 1000: '812 MB', '25.3 GB', '1.55 TB'; '?' where it is not known. */
export function formatBytes(bytes: number): string {
  return scaled(bytes, 1000, ["B", "kB", "MB", "GB", "TB"]);
}

/** Caches and pages, in powers of 1024: '32 KiB', '1.25 MiB'. */
export function formatBinaryBytes(bytes: number): string {
  return scaled(bytes, 1024, ["B", "KiB", "MiB", "GiB"]);
}

function scaled(bytes: number, step: number, units: readonly string[]): string {
  if (!Number.isFinite(bytes)) return "?";
  let value = bytes;
  let at = 0;
  while (value >= step && at + 1 < units.length) {
    value /= step;
    at++;
  }
  return `${Number(value.toPrecision(value >= 1000 ? 4 : 3))} ${units[at]}`;
}
