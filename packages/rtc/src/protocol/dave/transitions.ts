/**
 * Owns which MLS session is in use, which protocol version is in force, and what the voice gateway is told (DAVE whitepaper,
 * "Protocol Version Changes" to "Recovery from Invalid Commit or Welcome"). Pure: sessions are numbers here, their bytes are
 * the shell's.
 *
 * A session that is given up (downgrade, recovery, a group made anew) keeps its keys for 10 s, for frames under way and, while
 * the group is being joined again, for own frames: the others still have the keys for as long.
 */
import type { Reducer } from '@guildkit/core';
import type { DaveActivity, DaveProblem } from './dave-types.js';

/** A transition that was announced. */
export interface PreparedTransition {
  readonly id: number;
  readonly version: number;
  /** When it is carried out, or forgotten, without op 22. */
  readonly by: number;
}

/** A session that is over but for its keys. */
export interface RetiredSession {
  readonly session: number;
  readonly until: number;
}

export interface DaveState {
  /** Version in force. */
  readonly version: number;
  /** Version of the group that is being made. */
  readonly target: number;
  /** Number of the session in use, `undefined` while DAVE is off. */
  readonly session: number | undefined;
  /** Sessions opened so far. */
  readonly opened: number;
  /** The session has keys. */
  readonly ready: boolean;
  /** Why a group that was there is not there now. */
  readonly lost: 'flagged' | 'reset' | undefined;
  /** When a flagged commit is flagged again. */
  readonly flagAgainAt: number | undefined;
  /** Newest last. */
  readonly retired: readonly RetiredSession[];
  readonly prepared: readonly PreparedTransition[];
  /** Until when readable frames are taken after encryption began. */
  readonly readableUntil: number;
  /** Who else is in the channel. */
  readonly others: ReadonlySet<string>;
  /** Of the last commit. */
  readonly lastTransition: number;
}

export type DaveStepInput =
  | { readonly type: 'session'; readonly protocolVersion: number }
  | { readonly type: 'clientsConnect'; readonly userIds: readonly string[] }
  | { readonly type: 'clientDisconnect'; readonly userId: string }
  | { readonly type: 'prepareTransition'; readonly protocolVersion: number; readonly transitionId: number }
  | { readonly type: 'executeTransition'; readonly transitionId: number }
  | { readonly type: 'prepareEpoch'; readonly protocolVersion: number; readonly epoch: number }
  /** Op 29 or 30; the message stays with the shell. */
  | { readonly type: 'commit' | 'welcome'; readonly transitionId: number }
  /** How the session took it. */
  | {
      readonly type: 'processed';
      readonly what: 'commit' | 'welcome';
      readonly transitionId: number;
      readonly ok: boolean;
    }
  /** Signed proposals for an epoch that this session has not reached: a commit was missed. */
  | { readonly type: 'behind' }
  /** Nothing of what comes can be decrypted, for longer than a transition takes. */
  | { readonly type: 'deaf' };

export type DaveStepEffect =
  /** Make a session with that number and send its key package. */
  | { readonly type: 'open'; readonly session: number; readonly version: number }
  /** Forget its keys. */
  | { readonly type: 'drop'; readonly session: number }
  /** Have the session take the message of the input. */
  | {
      readonly type: 'process';
      readonly session: number;
      readonly what: 'commit' | 'welcome';
      readonly transitionId: number;
    }
  | { readonly type: 'send'; readonly op: 23 | 31; readonly transitionId: number }
  | { readonly type: 'activity'; readonly from: DaveActivity; readonly to: DaveActivity }
  | { readonly type: 'epoch'; readonly session: number; readonly transitionId: number }
  | { readonly type: 'transition'; readonly transitionId: number; readonly version: number }
  | { readonly type: 'problem'; readonly reason: DaveProblem; readonly detail: string };

/** The numbers of the reducer. */
export const DAVE_RULES = {
  /** "Temporarily retained during transition phases, for a period of up to ten seconds." */
  retentionMs: 10_000,
  /** Five times what the voice gateway waits for the last member. */
  executionTimeoutMs: 10_000,
  /** How long the voice gateway has to bring a member back that flagged a commit. */
  recoveryTimeoutMs: 10_000,
} as const;

/** Nobody else is in a channel of this size. */
const MAX_OTHERS = 25_000;
/** Transitions under way at once: a server that announces more is broken. */
const MAX_PREPARED = 16;
/** Old sessions that are kept: the last two. */
const MAX_RETIRED = 2;
/** "For (re)initialization […] can be executed immediately." */
const IMMEDIATE = 0;

/** A connection that has had no session description. */
export const initialDave = (): DaveState => ({
  version: 0,
  target: 0,
  session: undefined,
  opened: 0,
  ready: false,
  lost: undefined,
  flagAgainAt: undefined,
  retired: [],
  prepared: [],
  readableUntil: Number.NEGATIVE_INFINITY,
  others: new Set(),
  lastTransition: IMMEDIATE,
});

/** Whether frames are encrypted, and why not. */
export function activityOf({ version, ready, lost, others }: DaveState): DaveActivity {
  if (version === 0) return 'off';
  if (ready) return 'active';
  // Alone there is nobody to hear and nobody to be joined.
  return lost !== undefined && others.size > 0 ? 'recovering' : 'waiting';
}

/** Whether a readable frame is taken now ("Passthrough Mode"). */
export function takesReadable(state: DaveState, now: number): boolean {
  const activity = activityOf(state);
  if (activity === 'off' || activity === 'waiting') return true;
  return now < state.readableUntil || state.prepared.some(({ version }) => version === 0);
}

/** The reducer of a connection's DAVE side. */
export type DaveReducer = Reducer<DaveState, DaveStepInput, DaveStepEffect>;

/** Creates the reducer. `maxVersion`: the highest version that the library speaks. */
export function createDaveReducer(maxVersion: number): DaveReducer {
  return {
    deadline({ prepared, retired, flagAgainAt }) {
      const times = [flagAgainAt, ...prepared.map(({ by }) => by), ...retired.map(({ until }) => until)];
      const due = times.filter((at) => at !== undefined);
      return due.length === 0 ? undefined : Math.min(...due);
    },
    step(from, input) {
      const work = createWork(from, input.now, maxVersion);
      work.take(input);
      const before = activityOf(from);
      const after = activityOf(work.state);
      if (before === after) return work;
      // Frames that were sent readable before the others began arrive for a while.
      const isBeginning = after === 'active' && before !== 'recovering';
      const state = isBeginning ? { ...work.state, readableUntil: input.now + DAVE_RULES.retentionMs } : work.state;
      return { state, effects: [...work.effects, { type: 'activity', from: before, to: after }] };
    },
  };
}

/** One step's working copy. */
function createWork(from: DaveState, now: number, maxVersion: number) {
  let state = from;
  const effects: DaveStepEffect[] = [];

  const set = (change: Partial<DaveState>): void => {
    state = { ...state, ...change };
  };
  const emit = (effect: DaveStepEffect): void => {
    effects.push(effect);
  };

  function isSpoken(version: number): boolean {
    if (version <= maxVersion) return true;
    emit({
      type: 'problem',
      reason: 'unsupportedVersion',
      detail: `version ${version}, at most ${maxVersion} is spoken`,
    });
    return false;
  }

  // ── Sessions ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Gives up the session in use; its keys stay for a while, if it had any. */
  function retire(): void {
    const { session, ready, retired } = state;
    if (session === undefined) return;
    set({ session: undefined, ready: false });
    if (!ready) {
      emit({ type: 'drop', session });
      return;
    }
    const next = [...retired, { session, until: now + DAVE_RULES.retentionMs }];
    for (const old of next.slice(0, -MAX_RETIRED)) emit({ type: 'drop', session: old.session });
    set({ retired: next.slice(-MAX_RETIRED) });
  }

  /** "Clients reset their local group state" and send a new key package. */
  function open(version: number, lost: DaveState['lost']): void {
    retire();
    const session = state.opened + 1;
    const flagAgainAt = lost === 'flagged' ? now + DAVE_RULES.recoveryTimeoutMs : undefined;
    set({ session, opened: session, target: version, lost, flagAgainAt });
    emit({ type: 'open', session, version });
  }

  /** "Recovery from Invalid Commit or Welcome". */
  function flag(transitionId: number): void {
    emit({ type: 'send', op: 31, transitionId });
    // What was announced ends in a group that this session is not in.
    set({ prepared: state.prepared.filter(({ version }) => version === 0) });
    open(state.target, 'flagged');
  }

  // ── Transitions ───────────────────────────────────────────────────────────────────────────────────────────────────

  function prepare(id: number, version: number): void {
    const prepared = [
      ...state.prepared.filter((one) => one.id !== id),
      { id, version, by: now + DAVE_RULES.executionTimeoutMs },
    ];
    set({ prepared: prepared.slice(-MAX_PREPARED) });
    emit({ type: 'send', op: 23, transitionId: id });
  }

  function execute(id: number, version: number): void {
    set({ version, prepared: state.prepared.filter((one) => one.id !== id) });
    if (version === 0) {
      retire();
      set({ target: 0, lost: undefined, flagAgainAt: undefined });
    }
    emit({ type: 'transition', transitionId: id, version });
  }

  function processed(what: 'commit' | 'welcome', transitionId: number, ok: boolean): void {
    const { session, target } = state;
    if (session === undefined) return;
    if (!ok) {
      const reason = what === 'commit' ? 'invalidCommit' : 'invalidWelcome';
      emit({ type: 'problem', reason, detail: `transition ${transitionId}` });
      flag(transitionId);
      return;
    }
    set({ ready: true, lost: undefined, flagAgainAt: undefined, lastTransition: transitionId });
    emit({ type: 'epoch', session, transitionId });
    if (transitionId === IMMEDIATE) execute(IMMEDIATE, target);
    else prepare(transitionId, target);
  }

  // ── Inputs ────────────────────────────────────────────────────────────────────────────────────────────────────────

  function wake(): void {
    for (const { session, until } of state.retired) if (now >= until) emit({ type: 'drop', session });
    set({ retired: state.retired.filter(({ until }) => now < until) });
    for (const { id, version, by } of state.prepared) {
      if (now < by) continue;
      // Op 22 was lost. To encryption it was certain; what ends encryption has to be said.
      if (version > 0) execute(id, version);
      else set({ prepared: state.prepared.filter((one) => one.id !== id) });
    }
    if (state.flagAgainAt !== undefined && now >= state.flagAgainAt) flag(state.lastTransition);
  }

  function describe(version: number): void {
    set({ prepared: [], lost: undefined, flagAgainAt: undefined });
    const isOff = version === 0 || !isSpoken(version);
    set({ version: isOff ? 0 : version });
    if (!isOff) {
      open(version, undefined);
      return;
    }
    retire();
    set({ target: 0 });
  }

  function prepareEpoch(version: number, epoch: number): void {
    if (!isSpoken(version) || version === 0) return;
    if (epoch !== 1) {
      set({ target: version });
      return;
    }
    // A group that goes on without us would not be told so: everyone makes it anew, and what was announced is void.
    set({ prepared: [], version: state.version === 0 ? 0 : version });
    const hadGroup = state.ready || state.lost !== undefined;
    open(version, state.version > 0 && hadGroup && state.others.size > 0 ? 'reset' : undefined);
  }

  function take(input: Parameters<DaveReducer['step']>[1]): void {
    switch (input.type) {
      case 'timer':
        wake();
        break;
      case 'session':
        describe(input.protocolVersion);
        break;
      case 'clientsConnect':
        set({ others: new Set([...state.others, ...input.userIds].slice(0, MAX_OTHERS)) });
        break;
      case 'clientDisconnect': {
        const others = new Set(state.others);
        others.delete(input.userId);
        set({ others });
        break;
      }
      case 'prepareTransition':
        if (!isSpoken(input.protocolVersion)) break;
        if (input.transitionId === IMMEDIATE) execute(IMMEDIATE, input.protocolVersion);
        else prepare(input.transitionId, input.protocolVersion);
        break;
      case 'executeTransition': {
        // An unknown one is of a group that was left since.
        const found = state.prepared.find(({ id }) => id === input.transitionId);
        if (found !== undefined) execute(found.id, found.version);
        break;
      }
      case 'prepareEpoch':
        prepareEpoch(input.protocolVersion, input.epoch);
        break;
      case 'commit':
      case 'welcome':
        passOn(input.type, input.transitionId);
        break;
      case 'processed':
        processed(input.what, input.transitionId, input.ok);
        break;
      case 'behind':
      case 'deaf':
        if (state.session !== undefined && state.version > 0 && state.lost !== 'flagged') flag(state.lastTransition);
        break;
    }
  }

  function passOn(what: 'commit' | 'welcome', transitionId: number): void {
    const { session, lost } = state;
    if (session === undefined) {
      emit({ type: 'problem', reason: 'malformedMessage', detail: `a ${what} without a session` });
      return;
    }
    // Was under way when the group was flagged; the way back is a welcome.
    if (what === 'commit' && lost === 'flagged') return;
    emit({ type: 'process', session, what, transitionId });
  }

  return {
    get state() {
      return state;
    },
    effects,
    take,
  };
}
