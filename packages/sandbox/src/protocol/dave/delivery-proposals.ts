/**
 * Owns what is proposed to a group, and when: who is added, whose leaf is removed (DAVE whitepaper, "Group Key Exchange").
 * Pure.
 *
 * One round of proposals at a time. What is wanted while a round is under way waits for the next epoch ("may delay … to
 * finalize committing a previous in-flight add proposal"), so that no stream of newcomers can outdate every commit; only a
 * round with an Add whose reason is gone is revoked at once.
 */
import { type DeliveryDraft, inGroup } from './delivery-draft.js';
import type { DeliveryMember, DeliveryRules, Proposal } from './delivery-types.js';

/** The commit timeout doubles so often at most. */
const MAX_DOUBLINGS = 5;

/** The proposals of a step. */
export interface Proposals {
  /** The member's leaf is to be removed. */
  markStale(userId: string): void;
  /** Takes back the round in which someone is added who does not want it any more; the others are proposed anew. */
  withdraw(userId: string): void;
  /** Has what is wanted proposed soon, unless a round is under way: then after it. */
  plan(): void;
  /** Proposes everything that is wanted. */
  flush(): void;
}

/** Works on the draft of a step at `now`. */
export function createProposals(draft: DeliveryDraft, rules: DeliveryRules, now: number): Proposals {
  const { set, emit, count, memberOf } = draft;

  function markStale(userId: string): void {
    const leaf = draft.state.leaves.indexOf(userId);
    if (leaf < 0 || draft.state.stale.includes(leaf)) return;
    set({ stale: [...draft.state.stale, leaf] });
    // Who is not in the group any more can neither commit nor be waited for.
    if (draft.state.round !== undefined) {
      const committers = draft.state.round.committers.filter((committer) => committer !== userId);
      set({ round: { ...draft.state.round, committers } });
    }
  }

  // Revoking that one Add alone would do by the whitepaper, but davey 0.1.12 then commits the rest without a Welcome.
  function withdraw(userId: string): void {
    const { round } = draft.state;
    const isAdded = round?.proposals.some((proposal) => proposal.kind === 'add' && proposal.userId === userId);
    if (round === undefined || isAdded !== true) return;
    count('revocations', round.proposals.length);
    for (const to of round.committers) {
      // Whoever sends a new key package has forgotten what it was told, and must not be told to forget it.
      if (to !== userId && memberOf(to) !== undefined)
        emit({ type: 'revoke', to, proposals: idsFor(to, round.proposals) });
    }
    set({ round: undefined });
  }

  /** A member's own Add is never sent to it: its client would add itself a second time. */
  function idsFor(to: string, proposals: readonly Proposal[]): number[] {
    return proposals.filter((proposal) => proposal.kind !== 'add' || proposal.userId !== to).map(({ id }) => id);
  }

  function plan(): void {
    if (draft.state.round !== undefined || !draft.state.encrypted) return;
    const at = wantedAt();
    if (at !== undefined && (draft.state.flushAt === undefined || at < draft.state.flushAt)) set({ flushAt: at });
  }

  function wantedAt(): number | undefined {
    const soon = now + rules.batchMs;
    const adds = addable().map(({ addFrom }) => Math.max(soon, addFrom));
    adds.sort((a, b) => a - b);
    // One alone makes no group.
    if (draft.state.epoch === 0) return adds[1];
    return draft.state.stale.length > 0 ? soon : adds[0];
  }

  /** Who has a key package and is not in the group. */
  function addable(): DeliveryMember[] {
    const live = inGroup(draft.state);
    return draft.state.members.filter(({ userId, keyPackage }) => keyPackage !== undefined && !live.includes(userId));
  }

  function flush(): void {
    set({ flushAt: undefined });
    if (draft.state.round !== undefined || !draft.state.encrypted) return;
    const live = inGroup(draft.state);
    let id = draft.state.lastProposal;
    const removes = draft.state.stale.map((leaf): Proposal => {
      id += 1;
      return { id, kind: 'remove', leaf };
    });
    const adds: Proposal[] = [];
    for (const { userId, keyPackage, addFrom } of addable()) {
      if (keyPackage === undefined || now < addFrom) continue;
      id += 1;
      adds.push({ id, kind: 'add', userId, keyPackage });
    }
    const proposals = [...removes, ...adds];
    const committers = draft.state.epoch > 0 ? live : adds.flatMap((add) => (add.kind === 'add' ? [add.userId] : []));
    if (proposals.length < (draft.state.epoch > 0 ? 1 : 2)) return;
    const patience = rules.commitTimeoutMs * 2 ** Math.min(draft.state.deadRounds, MAX_DOUBLINGS);
    set({ lastProposal: id, round: { proposals, committers, by: now + patience } });
    count('proposals', proposals.length);
    emit({ type: 'propose', epoch: draft.state.epoch, proposals });
    for (const to of committers) emit({ type: 'append', to, proposals: idsFor(to, proposals) });
  }

  return { markStale, withdraw, plan, flush };
}
