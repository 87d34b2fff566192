/** Owns who sits at which leaf of the group's tree (RFC 9420 sections 7.7, 7.8, 12.1). User ids only; keys are the members'. */

/** User ids by leaf, `undefined` where a leaf is blank; the last one is never blank. */
export type Leaves = readonly (string | undefined)[];

/**
 * The leaves after a commit: removes first, whatever their place in the commit; then adds in their order, each into the
 * leftmost blank leaf, or behind the last (RFC 9420 section 12.3).
 */
export function applyCommit(leaves: Leaves, removes: readonly number[], adds: readonly string[]): Leaves {
  const next = [...leaves];
  for (const leaf of removes) next[leaf] = undefined;
  // The tree shrinks with its last leaves (section 7.8), so that the next add begins there.
  while (next.length > 0 && next.at(-1) === undefined) next.pop();
  for (const userId of adds) {
    const blank = next.indexOf(undefined);
    next[blank < 0 ? next.length : blank] = userId;
  }
  return next;
}
