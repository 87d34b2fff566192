/** Owns how figures are said to operators. */

/** `12 s`, `3 min`, `2 h 5 min`, `4 d 2 h`. */
export function span(seconds: number): string {
  const [minutes, hours, days] = [60, 3_600, 86_400].map((unit) => Math.floor(seconds / unit)) as [
    number,
    number,
    number,
  ];
  if (minutes < 1) return `${Math.floor(seconds)} s`;
  if (hours < 1) return `${minutes} min`;
  if (days < 1) return `${hours} h ${minutes % 60} min`;
  return `${days} d ${hours % 24} h`;
}

/** Milliseconds with as many digits as mean something. */
export function milliseconds(ms: number | undefined): string {
  if (ms === undefined) return '–';
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

/** Times a minute. */
export function perMinute(rate: number | undefined): string {
  if (rate === undefined) return '…';
  return rate < 10 && !Number.isInteger(rate) ? rate.toFixed(1) : String(Math.round(rate));
}

/** The state of the connection to Discord. */
export function discordWords(
  state: string,
  role: string | undefined,
): { readonly tone: 'good' | 'bad'; readonly label: string } {
  if (state !== 'ready') return { tone: 'bad', label: state === 'connecting' ? 'Connecting' : 'Not connected' };
  return { tone: 'good', label: role === 'standby' ? 'Connected by another process' : 'Connected' };
}

/** Points of a line through values, in a box: for `polyline`. The smallest value is 0. */
export function linePoints(
  values: readonly number[],
  width: number,
  height: number,
  most = Math.max(1, ...values),
): string {
  const step = width / Math.max(1, values.length - 1);
  return values.map((value, at) => `${round(at * step)},${round(height - (value / most) * height)}`).join(' ');
}

const round = (value: number): number => Math.round(value * 10) / 10;
