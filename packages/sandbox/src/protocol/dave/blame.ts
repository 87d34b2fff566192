/**
 * Owns whose fault it is when members cannot process a commit ("The voice gateway may remove the user that produced the
 * offending commit/welcome message from committing members"). One who flags may be at fault itself and only joins anew; where
 * all flag that had the same to process, or again and again someone, it is the committer.
 */
import type { Announced } from './delivery-types.js';

/** Commits that can still be flagged. */
const KEPT = 4;
/** A commit or welcome that all of at least so many flag is the committer's fault. */
const ALL_OF = 2;
/** Commits in a row of one committer, each flagged by someone. */
const IN_A_ROW = 3;

/** The list with one more commit. */
export const announce = (announced: readonly Announced[], next: Announced): readonly Announced[] => [
  ...announced.slice(1 - KEPT),
  next,
];

/** The list after a member flagged a transition, and the committer if it is at fault. */
export function flagged(
  announced: readonly Announced[],
  userId: string,
  transitionId: number,
  isPresent: (userId: string) => boolean,
): { readonly announced: readonly Announced[]; readonly atFault: string | undefined } {
  const at = announced.findLastIndex(
    (one) => one.transitionId === transitionId && (one.members.includes(userId) || one.welcomed.includes(userId)),
  );
  const found = announced[at];
  if (found === undefined || found.flaggedBy.includes(userId)) return { announced, atFault: undefined };
  const flaggedBy = [...found.flaggedBy, userId];
  const next = announced.with(at, { ...found, flaggedBy });
  const byAll = [found.members, found.welcomed].some((had) => {
    const present = had.filter(isPresent);
    return present.length >= ALL_OF && present.every((one) => flaggedBy.includes(one));
  });
  const last = next.slice(-IN_A_ROW);
  const again =
    last.length === IN_A_ROW && last.every((one) => one.committer === found.committer && one.flaggedBy.length > 0);
  return { announced: next, atFault: byAll || again ? found.committer : undefined };
}
