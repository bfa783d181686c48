/** Numbers and times as people read them. */

const GROUPED = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** 16384 to '16,384'. */
export function formatCount(n: number): string {
  return GROUPED.format(n);
}

/** Seconds to '0.42 s', '12.3 s', '4 min 05 s', '1 h 02 min'. */
export function formatDuration(seconds: number): string {
  if (seconds < 9.995) return `${seconds.toFixed(2)} s`;
  if (seconds < 99.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} min`;
}

function pad(n: number): string {
  return String(n).padStart(2, "0");
}

/** Units a second, three digits: '12,300', '4.31'. */
export function formatRate(rate: number): string {
  return rate >= 100 ? formatCount(Number(rate.toPrecision(3))) : rate.toPrecision(3);
}

/** Megabytes (1e6 bytes) to '812 MB' or '3.25 GB'. */
export function formatMegabytes(megabytes: number): string {
  return megabytes < 1000 ? `${Math.round(megabytes)} MB` : `${(megabytes / 1000).toPrecision(3)} GB`;
}

/** Names of processes, folders and what files hold may be anything, an escape sequence too. */
export function printable(text: string): string {
  return text.replace(/[^\x20-\x7e\u00a0-\uffff]/g, "?");
}
