/** Owns why what pages show may be old: several causes, of which one is told. */

/** What may be away. */
type Cause = 'discord' | 'redis';

export interface Troubles {
  /** A cause has come, or is over (`undefined`). */
  set(cause: Cause, reason: string | undefined): void;
}

/** @param tell Told of the reason that counts now; `undefined`: all is well. */
export function createTroubles(tell: (reason: string | undefined) => void): Troubles {
  const reasons = new Map<Cause, string>();
  return {
    set(cause, reason) {
      if (reason === undefined) reasons.delete(cause);
      else reasons.set(cause, reason);
      // Without Redis nothing comes from Discord either.
      tell(reasons.get('redis') ?? reasons.get('discord'));
    },
  };
}
