/** Owns when a video frame is sent: as far apart as its timestamps, on a monotonic clock. */

/** A source that falls behind by more is not caught up with: it goes on from now. */
const MAX_LAG_MS = 200;
/** Timestamps that jump further have begun anew. */
const MAX_AHEAD_MS = 5_000;

/** Turns timestamps of a source into times to send. */
export interface FrameSchedule {
  /** @param timestampUs Of the frame. @returns When to send it; not before `now`. */
  dueAt(timestampUs: number, now: number): number;
  /** After a pause: the next frame is sent at once. */
  reset(): void;
}

/** Begins with the first frame. */
export function createFrameSchedule(): FrameSchedule {
  let offset: number | undefined;
  return {
    reset() {
      offset = undefined;
    },
    dueAt(timestampUs, now) {
      const at = timestampUs / 1_000;
      const due = offset === undefined ? now : at + offset;
      if (offset === undefined || due < now - MAX_LAG_MS || due > now + MAX_AHEAD_MS) {
        offset = now - at;
        return now;
      }
      return Math.max(due, now);
    },
  };
}
