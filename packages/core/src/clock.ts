/** Owns the seam to time. Everything that waits takes a {@link Clock}, so that tests can turn it. */

/** A source of time and of one-shot timers. */
export interface Clock {
  /** Milliseconds on a scale that never goes back. Only differences mean anything. */
  now(): number;
  /** Unix time in milliseconds: for stamps that others read. May jump. */
  wallTime(): number;
  /** Calls back once, `delayMs` from now or later. */
  setTimer(callback: () => void, delayMs: number): unknown;
  /** Cancels; a handle that has fired is ignored. */
  clearTimer(handle: unknown): void;
}

// Declared here, not taken from a lib: core compiles without DOM or Node types, so nothing of them slips in.
declare const performance: { now(): number };
declare function setTimeout(callback: () => void, delayMs: number): unknown;
declare function clearTimeout(handle: unknown): void;

/** The machine's clock. `now()` is monotonic: setting the wall clock moves no deadline. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallTime: () => Date.now(),
  setTimer: (callback, delayMs) => setTimeout(callback, delayMs),
  clearTimer: (handle) => clearTimeout(handle),
};
