/**
 * Owns which video frames can be decoded: behind a gap nothing, until a keyframe. And when to ask for one, which is limited:
 * a keyframe costs as much as dozens of frames.
 */

/** Between two requests for one stream. */
const REQUEST_INTERVAL_MS = 500;

/** Limits how often something happens. */
export interface RateLimit {
  /** Whether it may happen now; if so, it counts as having happened. */
  take(now: number): boolean;
  /** When it may happen next. */
  readonly nextAt: number;
}

/** At most once in an interval. */
export function createRateLimit(intervalMs: number): RateLimit {
  let nextAt = Number.NEGATIVE_INFINITY;
  return {
    get nextAt() {
      return nextAt;
    },
    take(now) {
      if (now < nextAt) return false;
      nextAt = now + intervalMs;
      return true;
    },
  };
}

/** One stream's gate. Closed at first: a stream begins with a keyframe. */
export interface KeyframeGate {
  readonly isOpen: boolean;
  /** Whether a frame can be decoded. A keyframe opens the gate, a gap before anything else closes it. */
  admits(frame: { readonly keyframe: boolean; readonly discontinuity: boolean }): boolean;
  /** A frame was lost after all: it could not be decrypted. */
  close(): void;
  /** Whether a keyframe is to be asked for now, because the gate is closed or it is `forced`. */
  wantsKeyframe(now: number, forced?: boolean): boolean;
  /** When `wantsKeyframe` should be asked again; `undefined` while none is needed. */
  readonly nextAt: number | undefined;
}

/** Makes the gate of one stream. */
export function createKeyframeGate(): KeyframeGate {
  const limit = createRateLimit(REQUEST_INTERVAL_MS);
  let isOpen = false;
  /** A frame was refused. Before, the keyframe that a stream begins with may be on its way. */
  let isNeeded = false;
  return {
    get isOpen() {
      return isOpen;
    },
    get nextAt() {
      return isNeeded ? limit.nextAt : undefined;
    },
    admits({ keyframe, discontinuity }) {
      if (keyframe) isOpen = true;
      else if (discontinuity) isOpen = false;
      isNeeded = !isOpen;
      return isOpen;
    },
    close() {
      isOpen = false;
      isNeeded = true;
    },
    wantsKeyframe(now, forced = false) {
      return (forced || isNeeded) && limit.take(now);
    },
  };
}
