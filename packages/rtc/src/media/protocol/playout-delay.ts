/**
 * Owns how long audio waits before it is played: long enough for nearly all packets of the last seconds, within bounds. Knows
 * arrival times and timestamps, no packets.
 */

const SAMPLES_PER_MS = 48;
/** What came earliest is looked for in two windows of this length, so that clocks may drift against each other. */
const WINDOW_MS = 5_000;
const BIN_MS = 5;
const BINS = 60;
/** Weight of the past for each packet: half of it is gone after about three seconds of speech. */
const DECAY = 0.995;
/** Share of packets that shall be in time. */
const QUANTILE = 0.97;
/** One frame: playout goes by ticks of 20 ms. */
const MARGIN_MS = 20;

/** Bounds of the delay. */
export interface DelayBounds {
  readonly minDelayMs: number;
  readonly maxDelayMs: number;
}

/** Learns how regularly packets come. One for each stream. */
export interface PlayoutDelay {
  /** How long a packet that came without any delay should wait, in ms. */
  readonly targetMs: number;
  /** When the sample of timestamp 0 should be played; `undefined` before the first packet. */
  readonly base: number | undefined;
  /** A packet has come. Timestamps are extended ones. */
  observe(timestamp: number, arrivedAt: number): void;
  /** Timestamps and time have parted: what is early is learnt anew, how irregular packets come is kept. */
  rebase(): void;
  /** Another stream has begun. */
  reset(): void;
}

/** Makes an estimate for one stream. */
export function createPlayoutDelay({ minDelayMs, maxDelayMs }: DelayBounds): PlayoutDelay {
  const bins = new Float64Array(BINS);
  let weight = 0;
  let windowEnd = Number.NEGATIVE_INFINITY;
  let previousMin = Number.POSITIVE_INFINITY;
  let currentMin = Number.POSITIVE_INFINITY;
  let targetMs = minDelayMs;

  const earliest = (): number => Math.min(previousMin, currentMin);

  function quantile(): number {
    let above = weight * (1 - QUANTILE);
    for (let bin = BINS - 1; bin >= 0; bin -= 1) {
      above -= bins[bin] as number;
      if (above < 0) return (bin + 1) * BIN_MS;
    }
    return 0;
  }

  function rebase(): void {
    windowEnd = Number.NEGATIVE_INFINITY;
    previousMin = Number.POSITIVE_INFINITY;
    currentMin = Number.POSITIVE_INFINITY;
  }

  return {
    get targetMs() {
      return targetMs;
    },
    get base() {
      const from = earliest();
      return from === Number.POSITIVE_INFINITY ? undefined : from + targetMs;
    },
    observe(timestamp, arrivedAt) {
      const transit = arrivedAt - timestamp / SAMPLES_PER_MS;
      if (arrivedAt >= windowEnd) {
        // After a long pause neither window tells anything.
        previousMin = arrivedAt >= windowEnd + WINDOW_MS ? Number.POSITIVE_INFINITY : currentMin;
        currentMin = Number.POSITIVE_INFINITY;
        windowEnd = arrivedAt + WINDOW_MS;
      }
      currentMin = Math.min(currentMin, transit);
      const bin = Math.min(BINS - 1, Math.floor((transit - earliest()) / BIN_MS));
      for (let n = 0; n < BINS; n += 1) bins[n] = (bins[n] as number) * DECAY;
      bins[bin] = (bins[bin] as number) + 1;
      weight = weight * DECAY + 1;
      targetMs = Math.min(maxDelayMs, Math.max(minDelayMs, quantile() + MARGIN_MS));
    },
    rebase,
    reset() {
      bins.fill(0);
      weight = 0;
      targetMs = minDelayMs;
      rebase();
    },
  };
}
