/**
 * Owns the notion that something was missed: frames come, all of them encrypted with keys that this side lacks, for longer than
 * any transition takes. A lost commit or welcome shows in no other way when nobody joins or leaves after it.
 */

/** A second of audio, or less of video. */
const MIN_FRAMES = 50;
/** Longer than the voice gateway waits for the last member of a transition. */
const SETTLED_MS = 3_000;
/** While a commit is expected anyway: as long as the voice gateway waits for one. */
const UNSETTLED_MS = 7_500;
/** Anyone in the channel can send rubbish: no more often than this does it lead to a new join. */
const PAUSE_MS = 30_000;

/** Counts frames that nobody can open. */
export interface Deafness {
  /** When the group should be joined again, if nothing is heard before. */
  readonly recoverAt: number | undefined;
  /** Something could be decrypted, or there are new keys. */
  heard(): void;
  /** A frame could not. `settled`: no commit is expected. */
  missed(now: number, settled: boolean): void;
  /** It was acted upon. */
  gaveUp(now: number): void;
}

/** Creates the counter. */
export function createDeafness(): Deafness {
  let frames = 0;
  let since = 0;
  let pausedUntil = Number.NEGATIVE_INFINITY;
  let recoverAt: number | undefined;
  return {
    get recoverAt() {
      return recoverAt;
    },
    heard() {
      frames = 0;
      recoverAt = undefined;
    },
    missed(now, settled) {
      if (frames === 0) since = now;
      frames += 1;
      const at = since + (settled ? SETTLED_MS : UNSETTLED_MS);
      if (frames >= MIN_FRAMES && now >= at && now >= pausedUntil) recoverAt ??= now;
    },
    gaveUp(now) {
      frames = 0;
      recoverAt = undefined;
      pausedUntil = now + PAUSE_MS;
    },
  };
}
