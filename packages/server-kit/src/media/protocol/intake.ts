/**
 * Owns how much a page may send: a bound of bits for its video, a bound of frames for all. Over the bits video is
 * dropped, and the next of it that is taken is a keyframe; audio is never dropped. Pure but for its own state.
 */

/** Bounds of one page. */
export interface IntakeLimits {
  readonly maxBitsPerSecond: number;
  readonly maxFramesPerSecond: number;
}

/** What becomes of a frame. */
export type IntakeVerdict =
  | 'take'
  /** Dropped: the page is asked for a keyframe when `ask` says so. */
  | 'drop'
  /** More frames than any encoder makes: the page is let go. */
  | 'flood';

/** How long after asking for a keyframe it is asked for again, in ms. */
const ASK_AGAIN_MS = 500;

/** Seconds of its rate that a page may send at once. */
const BURST_SECONDS = 1;

/** The bounds of one page. */
export class Intake {
  private readonly limits: IntakeLimits;
  private bits: number;
  private frames: number;
  private at: number;
  private needsKeyframe = false;
  private askedAt = Number.NEGATIVE_INFINITY;

  constructor(limits: IntakeLimits, now: number) {
    this.limits = limits;
    this.bits = limits.maxBitsPerSecond * BURST_SECONDS;
    this.frames = limits.maxFramesPerSecond * BURST_SECONDS;
    this.at = now;
  }

  /** Looks at a frame of `bytes` bytes. */
  take(kind: 'audio' | 'video' | 'other', bytes: number, isKeyframe: boolean, now: number): IntakeVerdict {
    this.refill(now);
    if (this.frames < 1) return 'flood';
    this.frames -= 1;
    const bits = bytes * 8;
    if (kind === 'audio') {
      // Audio goes first: it takes from the same bits, down to none.
      this.bits = Math.max(0, this.bits - bits);
      return 'take';
    }
    if (kind === 'other') return 'take';
    if (bits > this.bits || (this.needsKeyframe && !isKeyframe)) {
      this.needsKeyframe = true;
      return 'drop';
    }
    this.bits -= bits;
    this.needsKeyframe = false;
    return 'take';
  }

  /** Whether to ask for a keyframe now: once, and again after a while. */
  ask(now: number): boolean {
    if (!this.needsKeyframe || now - this.askedAt < ASK_AGAIN_MS) return false;
    this.askedAt = now;
    return true;
  }

  private refill(now: number): void {
    const seconds = Math.max(0, now - this.at) / 1_000;
    const { maxBitsPerSecond, maxFramesPerSecond } = this.limits;
    this.at = now;
    this.bits = Math.min(maxBitsPerSecond * BURST_SECONDS, this.bits + seconds * maxBitsPerSecond);
    this.frames = Math.min(maxFramesPerSecond * BURST_SECONDS, this.frames + seconds * maxFramesPerSecond);
  }
}
