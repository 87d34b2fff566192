/**
 * Owns which commit the voice gateway announces (DAVE whitepaper, "Voice Gateway Commit Validity", "Commit Ordering"): the
 * first of its epoch that holds exactly what was proposed. Refuses to look at signatures.
 */
import type { CommitFacts, DeliveryRefusal, DeliveryState, Proposal } from './delivery-types.js';

/** What a valid commit does. */
export interface CommitVerdict {
  readonly removes: readonly number[];
  /** In the commit's order, which decides about leaves. */
  readonly adds: readonly (Proposal & { readonly kind: 'add' })[];
}

/** What a commit of that member would do, or why it is refused. */
export function judgeCommit(state: DeliveryState, userId: string, facts: CommitFacts): CommitVerdict | DeliveryRefusal {
  const { round, epoch, leaves, barred } = state;
  if (facts.epoch !== epoch) return 'wrongEpoch';
  if (round === undefined) return 'wrongProposals';
  const leaf = epoch > 0 ? leaves.indexOf(userId) : 0;
  if (!round.committers.includes(userId) || facts.sender !== leaf) return 'wrongSender';
  if (barred.includes(userId)) return 'barred';

  // "It references all unrevoked proposals broadcast in the epoch […] and includes no other": all it was sent.
  const expected = round.proposals.filter((one) => one.kind !== 'add' || one.userId !== userId);
  const inOrder: Proposal[] = [];
  for (const id of facts.proposals ?? []) {
    const proposal = expected.find((one) => one.id === id);
    if (proposal !== undefined && !inOrder.includes(proposal)) inOrder.push(proposal);
  }
  if (inOrder.length !== expected.length || inOrder.length !== facts.proposals?.length) return 'wrongProposals';

  const adds = inOrder.filter((one) => one.kind === 'add');
  const hasAllSecrets = adds.every(({ keyPackage }) => facts.welcomes.includes(keyPackage));
  if (!hasAllSecrets || adds.length !== facts.welcomes.length) return 'incompleteWelcome';
  return { adds, removes: inOrder.filter((one) => one.kind === 'remove').map((one) => one.leaf) };
}
