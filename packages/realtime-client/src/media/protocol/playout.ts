/**
 * Owns when what has arrived is to be played: late enough that what is on its way is there in time, and no later. One for
 * each stream. Refuses media: it sees timestamps alone.
 */

/** Settings of {@link createPlayout}. */
export interface PlayoutOptions {
  /** Ticks of the timestamps in a second: 48 000 for Opus, 90 000 for video. */
  readonly clockRate: number;
  /** @defaultValue 40: two packets of audio */
  readonly minDelayMs?: number | undefined;
  /** @defaultValue 400: above, a talk is none any more */
  readonly maxDelayMs?: number | undefined;
}

/** When to play. */
export interface PlayoutTime {
  /** On the scale of `now`, ms. */
  readonly playAt: number;
  /** It came after its time: play it at once, or not at all. */
  readonly late: boolean;
  /** The stream has begun anew: what was planned before counts no more. */
  readonly restarted: boolean;
}

/** A stream's clock. */
export interface Playout {
  /** The time between the fastest arrival and the playing, ms. */
  readonly delayMs: number;
  /** Plans a frame. `timestamp` is the sender's, modulo 2^32; `now` the arrival, ms. */
  plan(timestamp: number, now: number): PlayoutTime;
}

/** A step this far from what the arrival says is a pause or a new start, not jitter, ms. */
const JUMP_MS = 1_000;
/** How long the fastest arrival holds: clocks of two machines drift apart, ms. */
const WINDOW_MS = 10_000;
/** Of a spread that was seen so much is still believed after each frame. */
const DECAY = 0.995;

/** Makes the clock of a stream. */
export function createPlayout({ clockRate, minDelayMs = 40, maxDelayMs = 400 }: PlayoutOptions): Playout {
  /** Milliseconds since the stream's start, by its timestamps, unwrapped. */
  let mediaMs = 0;
  let last: number | undefined;
  /** Arrival minus media time, of the fastest frame in each half of the window. */
  let fastest = 0;
  let candidate = 0;
  let candidateSince = 0;
  let delayMs = minDelayMs;

  function restart(timestamp: number, now: number): void {
    last = timestamp;
    mediaMs = 0;
    fastest = candidate = candidateSince = now;
  }

  return {
    get delayMs() {
      return delayMs;
    },
    plan(timestamp, now) {
      let restarted = last === undefined;
      if (last === undefined) {
        restart(timestamp, now);
      } else {
        // The shorter way round the circle of 2^32.
        mediaMs += (((timestamp - last) | 0) * 1_000) / clockRate;
        last = timestamp;
        if (Math.abs(now - mediaMs - fastest) > JUMP_MS) {
          restart(timestamp, now);
          restarted = true;
        }
      }
      const transit = now - mediaMs;
      candidate = Math.min(candidate, transit);
      fastest = Math.min(fastest, transit);
      if (now - candidateSince > WINDOW_MS / 2) {
        fastest = candidate;
        candidate = transit;
        candidateSince = now;
      }
      const spread = transit - fastest;
      delayMs = Math.min(maxDelayMs, Math.max(minDelayMs, delayMs * DECAY, spread * 1.25));
      const playAt = mediaMs + fastest + delayMs;
      return { playAt: Math.max(playAt, now), late: playAt < now, restarted };
    },
  };
}
