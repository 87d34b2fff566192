/**
 * Owns when a channel's members are told what about their MLS group (DAVE whitepaper, "Group Key Exchange"): who is proposed
 * for adding and removal, which commit wins, when a transition is executed, when the group is made anew. Pure. Refuses bytes:
 * the shell parses, signs and checks signatures.
 *
 * One round of proposals at a time. What is wanted while a round is under way waits for the next epoch ("may delay … to
 * finalize committing a previous in-flight add proposal"), so that no stream of newcomers can outdate every commit; only a
 * round with an Add whose reason is gone is revoked at once.
 */
import type { Reducer } from '@guildkit/core';
import { announce, flagged } from './blame.js';
import { type CommitVerdict, judgeCommit } from './commit-rules.js';
import { DAVE_VERSION } from './constants.js';
import type {
  CommitFacts,
  DeliveryCount,
  DeliveryEffect,
  DeliveryInput,
  DeliveryMember,
  DeliveryRefusal,
  DeliveryRules,
  DeliveryState,
  PendingTransition,
  Proposal,
} from './delivery-types.js';
import { applyCommit } from './leaves.js';

/** "When the included transition ID is 0, the transition is for (re)initialization and it can be executed immediately." */
const IMMEDIATE = 0;
/** Transition ids have 16 bits. */
const LAST_TRANSITION_ID = 0xffff;
/** Transitions under way at once; with one more the oldest is executed. */
const MAX_TRANSITIONS = 2;
/** How long a member waits that flagged too often; doubles with every time. A broken client must not keep all others busy. */
const FLAG_PAUSE_MS = 1_000;
/** Up to eight seconds: less than a client waits for an answer. */
const MAX_PAUSE_DOUBLINGS = 3;
/** The commit timeout doubles so often at most. */
const MAX_DOUBLINGS = 5;

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

/** Members of the group whose leaf holds: they have its keys. */
export function inGroup(state: DeliveryState): string[] {
  return state.leaves.filter((userId, leaf): userId is string => {
    return userId !== undefined && !state.stale.includes(leaf) && state.members.some((one) => one.userId === userId);
  });
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
  let state = from;
  const effects: DeliveryEffect[] = [];

  const set = (change: Partial<DeliveryState>): void => {
    state = { ...state, ...change };
  };
  const emit = (effect: DeliveryEffect): void => {
    effects.push(effect);
  };
  const count = (what: DeliveryCount, by = 1): void => emit({ type: 'count', what, by });
  const refuse = (reason: DeliveryRefusal): void => emit({ type: 'refuse', reason });
  const memberOf = (userId: string) => state.members.find((member) => member.userId === userId);
  const change = (userId: string, changes: Partial<DeliveryMember>): void =>
    set({ members: state.members.map((member) => (member.userId === userId ? { ...member, ...changes } : member)) });

  function nextTransition(): number {
    const id = state.lastTransition >= LAST_TRANSITION_ID ? 1 : state.lastTransition + 1;
    set({ lastTransition: id });
    return id;
  }

  // ── Coming and going ──────────────────────────────────────────────────────────────────────────────────────────────

  function join(userId: string, maxVersion: number): void {
    const isCapable = areAllCapable(rules, [maxVersion]);
    if (!isCapable && rules.policy === 'require') {
      refuse('notMember');
      return;
    }
    // Replaced: nothing is turned on that the next line turns off.
    if (memberOf(userId) !== undefined) {
      if (isCapable || state.encrypted) leave(userId);
      else set({ members: state.members.filter((member) => member.userId !== userId) });
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
    set({ members: [...state.members, member] });
    if (!state.encrypted) return;
    if (isCapable) tellSender(userId);
    else downgrade();
  }

  function leave(userId: string): void {
    set({ members: state.members.filter((member) => member.userId !== userId) });
    set({ barred: state.barred.filter((barred) => barred !== userId) });
    stopWaitingFor(userId, true);
    if (!state.encrypted) upgradeIfAll();
    else if (state.epoch > 0 && state.members.length <= 1) reset();
    else {
      withdraw(userId);
      markStale(userId);
      ensureCommitter();
    }
  }

  /** "When the last unsupporting client disconnects […] the remaining members will seamlessly upgrade". */
  function upgradeIfAll(): void {
    const versions = state.members.map(({ maxVersion }) => maxVersion);
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
    const told = state.members.filter(({ maxVersion }) => maxVersion >= DAVE_VERSION);
    clearGroup();
    set({ encrypted: false, upgrading: false, transitions: [] });
    if (told.length === 0) return;
    count('downgrades');
    const id = nextTransition();
    for (const { userId } of told) emit({ type: 'prepareTransition', to: userId, version: 0, transitionId: id });
    openTransition(id, 'downgrade', told);
  }

  /** Forgets the group and everything that was to change it. */
  function clearGroup(): void {
    set({ epoch: 0, leaves: [], stale: [], round: undefined, flushAt: undefined, announced: [] });
    set({ members: state.members.map((member) => ({ ...member, keyPackage: undefined })) });
  }

  /** Has a new group made by whoever is there ("Sole member reset", "Upgrade from Transport-Only Encryption"). */
  function reset(): void {
    clearGroup();
    set({ transitions: [] });
    if (state.members.length > 0) count('resets');
    for (const { userId, knowsSender } of state.members) {
      emit({ type: 'prepareEpoch', to: userId, version: DAVE_VERSION, epoch: 1 });
      // After op 24: who joined a channel without DAVE has no session before it.
      if (!knowsSender) tellSender(userId);
    }
    const [sole, other] = state.members;
    if (sole !== undefined && other === undefined) {
      emit({ type: 'prepareTransition', to: sole.userId, version: DAVE_VERSION, transitionId: IMMEDIATE });
    }
  }

  // ── Proposals ─────────────────────────────────────────────────────────────────────────────────────────────────────

  function markStale(userId: string): void {
    const leaf = state.leaves.indexOf(userId);
    if (leaf < 0 || state.stale.includes(leaf)) return;
    set({ stale: [...state.stale, leaf] });
    // Who is not in the group any more can neither commit nor be waited for.
    if (state.round !== undefined) {
      const committers = state.round.committers.filter((committer) => committer !== userId);
      set({ round: { ...state.round, committers } });
    }
  }

  /**
   * Takes back the round in which someone is added who does not want it any more; the others are proposed anew. Revoking that
   * one Add alone would do by the whitepaper, but davey 0.1.12 then commits the rest without a Welcome.
   */
  function withdraw(userId: string): void {
    const { round } = state;
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

  /** Has what is wanted proposed soon, unless a round is under way: then after it. */
  function plan(): void {
    if (state.round !== undefined || !state.encrypted) return;
    const at = wantedAt();
    if (at !== undefined && (state.flushAt === undefined || at < state.flushAt)) set({ flushAt: at });
  }

  function wantedAt(): number | undefined {
    const soon = now + rules.batchMs;
    const adds = addable().map(({ addFrom }) => Math.max(soon, addFrom));
    adds.sort((a, b) => a - b);
    // One alone makes no group.
    if (state.epoch === 0) return adds[1];
    return state.stale.length > 0 ? soon : adds[0];
  }

  /** Who has a key package and is not in the group. */
  function addable(): DeliveryMember[] {
    const live = inGroup(state);
    return state.members.filter(({ userId, keyPackage }) => keyPackage !== undefined && !live.includes(userId));
  }

  /** Proposes everything that is wanted. */
  function flush(): void {
    set({ flushAt: undefined });
    if (state.round !== undefined || !state.encrypted) return;
    const live = inGroup(state);
    let id = state.lastProposal;
    const removes = state.stale.map((leaf): Proposal => {
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
    const committers = state.epoch > 0 ? live : adds.flatMap((add) => (add.kind === 'add' ? [add.userId] : []));
    if (proposals.length < (state.epoch > 0 ? 1 : 2)) return;
    const patience = rules.commitTimeoutMs * 2 ** Math.min(state.deadRounds, MAX_DOUBLINGS);
    set({ lastProposal: id, round: { proposals, committers, by: now + patience } });
    count('proposals', proposals.length);
    emit({ type: 'propose', epoch: state.epoch, proposals });
    for (const to of committers) emit({ type: 'append', to, proposals: idsFor(to, proposals) });
  }

  /** A group that nobody is left in, or that only barred members are left in, is made anew. */
  function ensureCommitter(): void {
    if (!state.encrypted || state.members.length === 0) return;
    const candidates = state.epoch > 0 ? inGroup(state) : state.members.map(({ userId }) => userId);
    if (candidates.some((userId) => !state.barred.includes(userId))) return;
    // Nobody else is there to commit: better a suspect than nobody.
    set({ barred: [] });
    if (state.epoch > 0 && candidates.length === 0) reset();
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
        stopWaitingFor(userId, false);
        break;
      case 'resumed':
        change(userId, { attached: true });
        break;
      case 'transitionReady':
        ready(userId, input.transitionId);
        break;
      default:
        // These belong to a group, and there is none while frames are readable.
        if (!state.encrypted) refuse('notMember');
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
      if (!inGroup(state).includes(userId)) emit({ type: 'prepareEpoch', to: userId, version: DAVE_VERSION, epoch: 1 });
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
    const verdict = judgeCommit(state, userId, facts);
    if (typeof verdict === 'string') refuse(verdict);
    else accept(userId, verdict);
  }

  /** The first valid commit of an epoch wins. */
  function accept(committer: string, { removes, adds }: CommitVerdict): void {
    const isFirst = state.epoch === 0;
    const before = isFirst ? [committer] : inGroup(state);
    const leaves = applyCommit(
      isFirst ? [committer] : state.leaves,
      removes,
      adds.map(({ userId }) => userId),
    );
    const added = adds.map(({ userId }) => userId);
    const told = [...before, ...added];
    const id = isFirst && !state.upgrading ? IMMEDIATE : nextTransition();
    count('commits');
    for (const to of before) emit({ type: 'announce', to, transitionId: id });
    for (const { userId, keyPackage } of adds) {
      emit({ type: 'welcome', to: userId, transitionId: id, keyPackage });
      count('welcomes');
    }
    const others = before.filter((userId) => userId !== committer);
    set({
      leaves,
      epoch: state.epoch + 1,
      stale: state.stale.filter((leaf) => !removes.includes(leaf)),
      round: undefined,
      upgrading: false,
      deadRounds: 0,
      announced: announce(state.announced, {
        transitionId: id,
        committer,
        members: others,
        welcomed: added,
        flaggedBy: [],
      }),
      // Used up: by the welcome, or by being in the group.
      members: state.members.map((one) => (told.includes(one.userId) ? spend(one) : one)),
    });
    if (id !== IMMEDIATE) {
      openTransition(
        id,
        'commit',
        state.members.filter(({ userId }) => told.includes(userId)),
      );
    }
  }

  /** "Recovery from Invalid Commit or Welcome": the flagging member is removed, and added when its key package comes. */
  function flag(userId: string, transitionId: number): void {
    count('recoveries');
    stopWaitingFor(userId, true);
    withdraw(userId);
    change(userId, { keyPackage: undefined, ...paused(memberOf(userId)) });
    markStale(userId);
    const { announced, atFault } = flagged(state.announced, userId, transitionId, (one) => memberOf(one) !== undefined);
    set({ announced });
    if (atFault === undefined) ensureCommitter();
    else {
      set({ barred: [...state.barred.filter((one) => one !== atFault), atFault] });
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

  // ── Transitions ───────────────────────────────────────────────────────────────────────────────────────────────────

  function openTransition(id: number, kind: PendingTransition['kind'], members: readonly DeliveryMember[]): void {
    const told = members.map(({ userId }) => userId);
    const waiting = members.filter(({ attached }) => attached).map(({ userId }) => userId);
    const transition = { id, kind, told, waiting, by: now + rules.transitionTimeoutMs };
    set({ transitions: [...state.transitions, transition] });
    const [oldest] = state.transitions;
    if (oldest !== undefined && state.transitions.length > MAX_TRANSITIONS) execute(oldest);
    if (waiting.length === 0) execute(transition);
  }

  function ready(userId: string, transitionId: number): void {
    // A late or an unknown one is no mistake: the timeout may have been faster.
    const isAwaited = state.transitions.some(({ id, kind, waiting }) => {
      return id === transitionId && kind === 'commit' && waiting.includes(userId);
    });
    if (isAwaited) change(userId, { flags: 0 });
    settle((transition) => (transition.id === transitionId ? [userId] : []), false);
  }

  function stopWaitingFor(userId: string, isGone: boolean): void {
    settle(() => [userId], isGone);
  }

  /** Takes users off the lists, and executes what nobody is waited for any more. */
  function settle(usersOf: (transition: PendingTransition) => readonly string[], isGone: boolean): void {
    for (const transition of state.transitions) {
      const users = usersOf(transition);
      const waiting = transition.waiting.filter((userId) => !users.includes(userId));
      const told = isGone ? transition.told.filter((userId) => !users.includes(userId)) : transition.told;
      if (waiting.length === transition.waiting.length && told.length === transition.told.length) continue;
      const next = { ...transition, waiting, told };
      set({ transitions: state.transitions.map((one) => (one === transition ? next : one)) });
      if (waiting.length === 0) execute(next);
    }
  }

  function execute({ id, told }: PendingTransition): void {
    set({ transitions: state.transitions.filter((one) => one.id !== id) });
    count('transitions');
    for (const to of told) emit({ type: 'execute', to, transitionId: id });
  }

  // ── Time ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  function wake(): void {
    for (const transition of state.transitions) {
      if (now < transition.by) continue;
      count('transitionTimeouts');
      execute(transition);
    }
    if (state.round !== undefined && now >= state.round.by) {
      count('commitTimeouts');
      set({ deadRounds: state.deadRounds + 1, barred: [] });
      reset();
    }
    if (state.flushAt !== undefined && now >= state.flushAt) flush();
  }

  return {
    get state() {
      return state;
    },
    effects,
    join,
    hear,
    wake,
    plan,
    refuse,
  };
}
