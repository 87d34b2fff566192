/**
 * Owns when a channel's members are told what about their MLS group (DAVE whitepaper, "Group Key Exchange"): which commit wins,
 * when the group is made anew, who is believed. Pure. Refuses bytes: the shell parses, signs and checks signatures.
 */
import type { Reducer } from '@guildkit/core';
import { announce, flagged } from './blame.js';
import { type CommitVerdict, judgeCommit } from './commit-rules.js';
import { DAVE_VERSION } from './constants.js';
import { createDraft, inGroup } from './delivery-draft.js';
import { createProposals } from './delivery-proposals.js';
import { createTransitions } from './delivery-transitions.js';
import type {
  CommitFacts,
  DeliveryEffect,
  DeliveryInput,
  DeliveryMember,
  DeliveryRefusal,
  DeliveryRules,
  DeliveryState,
} from './delivery-types.js';
import { applyCommit } from './leaves.js';

/** "When the included transition ID is 0, the transition is for (re)initialization and it can be executed immediately." */
const IMMEDIATE = 0;
/** How long a member waits that flagged too often; doubles with every time. A broken client must not keep all others busy. */
const FLAG_PAUSE_MS = 1_000;
/** Up to eight seconds: less than a client waits for an answer. */
const MAX_PAUSE_DOUBLINGS = 3;

/** The reducer of a channel's delivery service. */
export type Delivery = Reducer<DeliveryState, DeliveryInput, DeliveryEffect>;

/** A channel without anyone. */
export const initialDelivery = ({ policy }: DeliveryRules): DeliveryState => ({
  members: [],
  encrypted: policy !== 'off',
  epoch: 0,
  leaves: [],
  stale: [],
  round: undefined,
  flushAt: undefined,
  transitions: [],
  announced: [],
  barred: [],
  upgrading: false,
  lastTransition: 0,
  lastProposal: 0,
  deadRounds: 0,
});

/** Whether all of them speak DAVE. */
export function areAllCapable(rules: DeliveryRules, maxVersions: readonly number[]): boolean {
  return rules.policy !== 'off' && maxVersions.every((version) => version >= DAVE_VERSION);
}

/** Creates the reducer. */
export function createDelivery(rules: DeliveryRules): Delivery {
  return {
    deadline({ flushAt, round, transitions }) {
      const times = [flushAt, round?.by, ...transitions.map(({ by }) => by)].filter((at) => at !== undefined);
      return times.length === 0 ? undefined : Math.min(...times);
    },
    step(state, input) {
      const work = createWork(rules, state, input.now);
      switch (input.type) {
        case 'joined':
          work.join(input.userId, input.maxVersion);
          break;
        case 'timer':
          work.wake();
          break;
        default: {
          const member = state.members.find(({ userId }) => userId === input.userId);
          if (member === undefined) work.refuse('notMember');
          else work.hear(member, input);
        }
      }
      work.plan();
      return { state: work.state, effects: work.effects };
    },
  };
}

/** A member whose key package is used up, if it had one. */
const spend = (member: DeliveryMember): DeliveryMember => ({
  ...member,
  keyPackage: undefined,
  spent: member.keyPackage ?? member.spent,
});

/** What someone who is in the channel does. */
type MemberInput = Exclude<DeliveryInput, { type: 'joined' | 'timer' }>;

interface Work {
  readonly state: DeliveryState;
  readonly effects: readonly DeliveryEffect[];
  join(userId: string, maxVersion: number): void;
  hear(member: DeliveryMember, input: MemberInput): void;
  wake(): void;
  plan(): void;
  refuse(reason: DeliveryRefusal): void;
}

/** One step's working copy. */
function createWork(rules: DeliveryRules, from: DeliveryState, now: number): Work {
  const draft = createDraft(from);
  const { set, emit, count, refuse, memberOf, change } = draft;
  const transitions = createTransitions(draft, rules, now);
  const { markStale, withdraw, plan, flush } = createProposals(draft, rules, now);

  // ── Coming and going ──────────────────────────────────────────────────────────────────────────────────────────────

  function join(userId: string, maxVersion: number): void {
    const isCapable = areAllCapable(rules, [maxVersion]);
    if (!isCapable && rules.policy === 'require') {
      refuse('notMember');
      return;
    }
    // Replaced: nothing is turned on that the next line turns off.
    if (memberOf(userId) !== undefined) {
      if (isCapable || draft.state.encrypted) leave(userId);
      else set({ members: draft.state.members.filter((member) => member.userId !== userId) });
    }
    const member = {
      userId,
      maxVersion,
      attached: true,
      knowsSender: false,
      keyPackage: undefined,
      spent: undefined,
      flags: 0,
      addFrom: now,
    };
    set({ members: [...draft.state.members, member] });
    if (!draft.state.encrypted) return;
    if (isCapable) tellSender(userId);
    else downgrade();
  }

  function leave(userId: string): void {
    set({ members: draft.state.members.filter((member) => member.userId !== userId) });
    set({ barred: draft.state.barred.filter((barred) => barred !== userId) });
    transitions.stopWaitingFor(userId, true);
    if (!draft.state.encrypted) upgradeIfAll();
    else if (draft.state.epoch > 0 && draft.state.members.length <= 1) reset();
    else {
      withdraw(userId);
      markStale(userId);
      ensureCommitter();
    }
  }

  /** "When the last unsupporting client disconnects […] the remaining members will seamlessly upgrade". */
  function upgradeIfAll(): void {
    const versions = draft.state.members.map(({ maxVersion }) => maxVersion);
    if (!areAllCapable(rules, versions)) return;
    set({ encrypted: true, upgrading: versions.length > 1 });
    if (versions.length > 0) count('upgrades');
    reset();
  }

  function tellSender(userId: string): void {
    emit({ type: 'externalSender', to: userId });
    change(userId, { knowsSender: true });
  }

  /** "Downgrade to Transport-Only Encryption": all that encrypt go on so until everyone can take readable frames. */
  function downgrade(): void {
    const told = draft.state.members.filter(({ maxVersion }) => maxVersion >= DAVE_VERSION);
    clearGroup();
    set({ encrypted: false, upgrading: false, transitions: [] });
    if (told.length === 0) return;
    count('downgrades');
    const id = transitions.next();
    for (const { userId } of told) emit({ type: 'prepareTransition', to: userId, version: 0, transitionId: id });
    transitions.open(id, 'downgrade', told);
  }

  /** Forgets the group and everything that was to change it. */
  function clearGroup(): void {
    set({ epoch: 0, leaves: [], stale: [], round: undefined, flushAt: undefined, announced: [] });
    set({ members: draft.state.members.map((member) => ({ ...member, keyPackage: undefined })) });
  }

  /** Has a new group made by whoever is there ("Sole member reset", "Upgrade from Transport-Only Encryption"). */
  function reset(): void {
    clearGroup();
    set({ transitions: [] });
    if (draft.state.members.length > 0) count('resets');
    for (const { userId, knowsSender } of draft.state.members) {
      emit({ type: 'prepareEpoch', to: userId, version: DAVE_VERSION, epoch: 1 });
      // After op 24: who joined a channel without DAVE has no session before it.
      if (!knowsSender) tellSender(userId);
    }
    const [sole, other] = draft.state.members;
    if (sole !== undefined && other === undefined) {
      emit({ type: 'prepareTransition', to: sole.userId, version: DAVE_VERSION, transitionId: IMMEDIATE });
    }
  }

  /** A group that nobody is left in, or that only barred members are left in, is made anew. */
  function ensureCommitter(): void {
    if (!draft.state.encrypted || draft.state.members.length === 0) return;
    const candidates = draft.state.epoch > 0 ? inGroup(draft.state) : draft.state.members.map(({ userId }) => userId);
    if (candidates.some((userId) => !draft.state.barred.includes(userId))) return;
    // Nobody else is there to commit: better a suspect than nobody.
    set({ barred: [] });
    if (draft.state.epoch > 0 && candidates.length === 0) reset();
  }

  // ── What members send ─────────────────────────────────────────────────────────────────────────────────────────────

  function hear(member: DeliveryMember, input: MemberInput): void {
    const { userId } = member;
    switch (input.type) {
      case 'left':
        leave(userId);
        break;
      case 'detached':
        change(userId, { attached: false });
        transitions.stopWaitingFor(userId, false);
        break;
      case 'resumed':
        change(userId, { attached: true });
        break;
      case 'transitionReady':
        transitions.ready(userId, input.transitionId);
        break;
      default:
        // These belong to a group, and there is none while frames are readable.
        if (!draft.state.encrypted) refuse('notMember');
        else if (input.type === 'keyPackage') takeKeyPackage(member, input.keyPackage);
        else if (input.type === 'commit') takeCommit(userId, input.facts);
        else flag(userId, input.transitionId);
    }
  }

  function takeKeyPackage({ userId, keyPackage: unused, spent }: DeliveryMember, keyPackage: number): void {
    // Said again after a resume, by a client that cannot know what arrived.
    if (keyPackage === unused) return;
    if (keyPackage === spent) {
      // Nobody can be added with it a second time: its secrets are gone.
      if (!inGroup(draft.state).includes(userId))
        emit({ type: 'prepareEpoch', to: userId, version: DAVE_VERSION, epoch: 1 });
      return;
    }
    count('keyPackages');
    // An Add with the package before is outdated, a leaf with other keys, too: "about to be re-added".
    withdraw(userId);
    markStale(userId);
    change(userId, { keyPackage });
    ensureCommitter();
  }

  function takeCommit(userId: string, facts: CommitFacts): void {
    const verdict = judgeCommit(draft.state, userId, facts);
    if (typeof verdict === 'string') refuse(verdict);
    else accept(userId, verdict);
  }

  /** The first valid commit of an epoch wins. */
  function accept(committer: string, { removes, adds }: CommitVerdict): void {
    const isFirst = draft.state.epoch === 0;
    const before = isFirst ? [committer] : inGroup(draft.state);
    const leaves = applyCommit(
      isFirst ? [committer] : draft.state.leaves,
      removes,
      adds.map(({ userId }) => userId),
    );
    const added = adds.map(({ userId }) => userId);
    const told = [...before, ...added];
    const id = isFirst && !draft.state.upgrading ? IMMEDIATE : transitions.next();
    count('commits');
    for (const to of before) emit({ type: 'announce', to, transitionId: id });
    for (const { userId, keyPackage } of adds) {
      emit({ type: 'welcome', to: userId, transitionId: id, keyPackage });
      count('welcomes');
    }
    const others = before.filter((userId) => userId !== committer);
    set({
      leaves,
      epoch: draft.state.epoch + 1,
      stale: draft.state.stale.filter((leaf) => !removes.includes(leaf)),
      round: undefined,
      upgrading: false,
      deadRounds: 0,
      announced: announce(draft.state.announced, {
        transitionId: id,
        committer,
        members: others,
        welcomed: added,
        flaggedBy: [],
      }),
      // Used up: by the welcome, or by being in the group.
      members: draft.state.members.map((one) => (told.includes(one.userId) ? spend(one) : one)),
    });
    if (id !== IMMEDIATE) {
      transitions.open(
        id,
        'commit',
        draft.state.members.filter(({ userId }) => told.includes(userId)),
      );
    }
  }

  /** "Recovery from Invalid Commit or Welcome": the flagging member is removed, and added when its key package comes. */
  function flag(userId: string, transitionId: number): void {
    count('recoveries');
    transitions.stopWaitingFor(userId, true);
    withdraw(userId);
    change(userId, { keyPackage: undefined, ...paused(memberOf(userId)) });
    markStale(userId);
    const { announced, atFault } = flagged(
      draft.state.announced,
      userId,
      transitionId,
      (one) => memberOf(one) !== undefined,
    );
    set({ announced });
    if (atFault === undefined) ensureCommitter();
    else {
      set({ barred: [...draft.state.barred.filter((one) => one !== atFault), atFault] });
      reset();
    }
  }

  /** Since when a member that flags again may be added. Who waits and flags meanwhile, as clients do, waits no longer. */
  function paused({ flags, addFrom }: Pick<DeliveryMember, 'flags' | 'addFrom'> = { flags: 0, addFrom: now }) {
    if (now < addFrom) return { flags, addFrom };
    const excess = flags + 1 - rules.flagsForgiven;
    const pause = excess > 0 ? FLAG_PAUSE_MS * 2 ** Math.min(excess - 1, MAX_PAUSE_DOUBLINGS) : 0;
    return { flags: flags + 1, addFrom: now + pause };
  }

  // ── Time ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  function wake(): void {
    transitions.expire();
    if (draft.state.round !== undefined && now >= draft.state.round.by) {
      count('commitTimeouts');
      set({ deadRounds: draft.state.deadRounds + 1, barred: [] });
      reset();
    }
    if (draft.state.flushAt !== undefined && now >= draft.state.flushAt) flush();
  }

  return {
    get state() {
      return draft.state;
    },
    effects: draft.effects,
    join,
    hear,
    wake,
    plan,
    refuse,
  };
}
