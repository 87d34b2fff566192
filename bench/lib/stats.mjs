/** Percentiles and the clock that processes on one machine share. */

/** Unix milliseconds with the resolution of the monotonic clock. Comparable between processes of one machine. */
export const nowMs = () => performance.timeOrigin + performance.now();

/** `{ p50, p95, p99, max, count }` of a list of numbers (nearest rank). */
export function percentiles(values) {
  const sorted = Float64Array.from(values).sort();
  const at = (p) => sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)];
  return { p50: at(50), p95: at(95), p99: at(99), max: at(100), count: sorted.length };
}

/** Milliseconds with two digits. */
export const ms = (value) => value.toFixed(2);

/** The middle one, or the mean of the two in the middle. */
export function median(values) {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export const spread = (values) => ({ min: Math.min(...values), max: Math.max(...values) });
