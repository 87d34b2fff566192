/**
 * Owns the election of one owner among several processes, as one of them sees it: a lease that Redis grants and that this
 * process counts by its own clock. Pure. Refuses to be the owner longer than it can prove: its count begins when it asked,
 * which is before Redis began to count, and ends a margin early.
 *
 * What holds for writes does not rest on clocks at all: each carries its term, and Redis takes only the latest.
 */
import type { Stamp, TimerInput, Transition } from '@guildkit/core';

/** Times of an election, in ms. */
export interface ElectionRules {
  /** How long Redis keeps the lease for an owner that says nothing. */
  readonly leaseMs: number;
  /** How much earlier the owner stops: its clock may be that much slower than the server's within one lease. */
  readonly marginMs: number;
  /** How often an owner asks for more. */
  readonly renewEveryMs: number;
  /** How often one that stands ready asks, and an owner that had no answer. */
  readonly askEveryMs: number;
}

/** Why an ownership is over. */
export type DeposedReason =
  /** Redis did not prolong the lease in time. */
  | 'expired'
  /** Redis named another owner, or has forgotten this one. */
  | 'taken'
  /** A write was refused. */
  | 'refused'
  /** `resign()`: given back. */
  | 'resigned'
  /** `close()`: given back. */
  | 'closed'
  /** The work ended by itself: given back. */
  | 'ended';

/** Where it goes once the work has ended. */
type Next = 'standby' | 'closed';

interface Common {
  /** The last number given to a question: an answer to an older one is none. */
  readonly ids: number;
  /** The highest term heard of: the next has to be higher, even if Redis has lost it. */
  readonly floor: number;
}

interface Held extends Common {
  readonly term: number;
  /** The question that was answered with the lease: with the term it names the ownership. */
  readonly lease: number;
  /** On the own clock: from here on another may be the owner. */
  readonly until: number;
  readonly renewAt: number;
  readonly renewal: { readonly id: number; readonly sentAt: number } | undefined;
}

/** Where an election is. */
export type ElectionState =
  /** Another is the owner, or nobody is yet. */
  | (Common & { readonly phase: 'standby'; readonly askAt: number })
  /** Redis was asked for the lease. */
  | (Common & { readonly phase: 'asking'; readonly id: number; readonly sentAt: number })
  | (Held & { readonly phase: 'owner' })
  /** The work was told to end; until it has, the lease is held and prolonged. */
  | (Held & { readonly phase: 'leaving'; readonly next: Next; readonly restMs: number })
  /** The lease is another's, or may be. The work was told to end. */
  | (Common & { readonly phase: 'deposed'; readonly next: Next; readonly restMs: number })
  /** The lease is given back. */
  | (Common & {
      readonly phase: 'releasing';
      readonly id: number;
      readonly sentAt: number;
      readonly next: Next;
      readonly restMs: number;
    })
  | (Common & { readonly phase: 'closed' });

/** What happens to it. `id` names the question that an input answers. */
export type ElectionInput =
  | { readonly type: 'granted'; readonly id: number; readonly term: number }
  /** Another has the lease, for so long. */
  | { readonly type: 'held'; readonly id: number; readonly term: number; readonly remainingMs: number }
  | { readonly type: 'renewed'; readonly id: number }
  /** Not prolonged: another term is the latest. */
  | { readonly type: 'lost'; readonly id: number; readonly term: number }
  | { readonly type: 'released'; readonly id: number }
  /** No answer, whatever was asked. */
  | { readonly type: 'failed'; readonly id: number }
  /** A write of that term was refused; `seen` is the term it met. */
  | { readonly type: 'refused'; readonly term: number; readonly seen: number }
  /** The work has ended, told to or not. */
  | { readonly type: 'finished' }
  | { readonly type: 'resign' }
  | { readonly type: 'close' };

/** What the shell has to do, in order. */
export type ElectionEffect =
  | { readonly type: 'ask'; readonly id: number; readonly floor: number }
  | { readonly type: 'renew'; readonly id: number; readonly term: number; readonly lease: number }
  /** Gives back what was granted for earlier questions. */
  | { readonly type: 'release'; readonly id: number }
  /** The work begins. */
  | { readonly type: 'elect'; readonly term: number; readonly lease: number }
  /** The work has to end, and says `finished` then. */
  | { readonly type: 'end'; readonly term: number; readonly reason: DeposedReason }
  | { readonly type: 'closed' };

type AnyInput = (ElectionInput | TimerInput) & Stamp;
type Step = Transition<ElectionState, ElectionEffect>;

/** The election as a reducer. */
export interface Election {
  step(state: ElectionState, input: AnyInput): Step;
  deadline(state: ElectionState): number | undefined;
}

/** Stands ready, and asks at once. */
export function initialElection(now: number): ElectionState {
  return { phase: 'standby', askAt: now, ids: 0, floor: 0 };
}

/** Whether the state is the owner's at that time, by its own clock. A process that slept may not know it yet. */
export function isOwnerAt(state: ElectionState, now: number): boolean {
  return (state.phase === 'owner' || state.phase === 'leaving') && now < state.until;
}

export function createElection(rules: ElectionRules): Election {
  const { leaseMs, marginMs, renewEveryMs, askEveryMs } = rules;
  const usableMs = leaseMs - marginMs;

  function step(state: ElectionState, input: AnyInput): Step {
    switch (input.type) {
      case 'timer':
        return onTimer(state, input);
      case 'resign':
        return state.phase === 'owner' ? leave(state, 'resigned', 'standby', 4 * askEveryMs) : stay(state);
      case 'close':
        return close(state, input.now);
      case 'finished':
        return onFinished(state, input.now);
      case 'refused':
        return isHeld(state) && input.term === state.term
          ? depose(heard(state, input.seen), 'refused')
          : stay(heard(state, input.seen));
      default:
        return onAnswer(state, input);
    }
  }

  function onAnswer(state: ElectionState, input: AnyInput & { readonly id: number }): Step {
    switch (state.phase) {
      case 'asking':
        return input.id === state.id ? onAsked(state, input) : stay(state);
      case 'owner':
      case 'leaving':
        return input.id === state.renewal?.id ? onRenewal(state, state.renewal.sentAt, input) : stay(state);
      case 'releasing':
        return input.id === state.id ? goOn(state, input.now) : stay(state);
      default:
        return stay(state);
    }
  }

  function onAsked(state: Extract<ElectionState, { phase: 'asking' }>, input: AnyInput): Step {
    if (input.type === 'granted') {
      const until = state.sentAt + usableMs;
      const known = heard(state, input.term);
      // It took so long that it may be another's by now.
      if (input.now >= until) return release(known, input.now, 'standby', askEveryMs);
      const { term } = input;
      const renewAt = state.sentAt + renewEveryMs;
      const { ids, floor } = known;
      return {
        state: { phase: 'owner', ids, floor, term, lease: state.id, until, renewAt, renewal: undefined },
        effects: [{ type: 'elect', term, lease: state.id }],
      };
    }
    if (input.type !== 'held') return stay(standby(state, input.now + askEveryMs));
    // Not all at the same moment, and soon after the lease has run out.
    const waitMs = Math.min(askEveryMs, Math.max(1, input.remainingMs)) + 0.2 * askEveryMs * input.random;
    return stay(standby(heard(state, input.term), input.now + waitMs));
  }

  function onRenewal(state: In<'owner' | 'leaving'>, sentAt: number, input: AnyInput): Step {
    if (input.type === 'lost') return depose(heard(state, input.term), 'taken');
    if (input.type !== 'renewed') return stay({ ...state, renewal: undefined, renewAt: input.now + askEveryMs });
    const until = sentAt + usableMs;
    // A process that slept: the lease was prolonged, and may have run out since.
    if (input.now >= until) return depose(state, 'expired');
    return stay({ ...state, renewal: undefined, until, renewAt: Math.max(input.now, sentAt + renewEveryMs) });
  }

  function onTimer(state: ElectionState, { now }: AnyInput): Step {
    switch (state.phase) {
      case 'standby': {
        if (now < state.askAt) return stay(state);
        const id = state.ids + 1;
        const { floor } = state;
        return {
          state: { phase: 'asking', ids: id, floor, id, sentAt: now },
          effects: [{ type: 'ask', id, floor }],
        };
      }
      case 'asking':
        return now < state.sentAt + leaseMs ? stay(state) : stay(standby(state, now + askEveryMs));
      case 'owner':
      case 'leaving': {
        if (now >= state.until) return depose(state, 'expired');
        if (state.renewal !== undefined || now < state.renewAt) return stay(state);
        const id = state.ids + 1;
        return {
          state: { ...state, ids: id, renewal: { id, sentAt: now } },
          effects: [{ type: 'renew', id, term: state.term, lease: state.lease }],
        };
      }
      case 'releasing':
        return now < state.sentAt + leaseMs ? stay(state) : goOn(state, now);
      default:
        return stay(state);
    }
  }

  function onFinished(state: ElectionState, now: number): Step {
    switch (state.phase) {
      case 'owner': {
        // Whatever made it end would end it again: the others are first.
        const { state: next, effects } = release(state, now, 'standby', leaseMs);
        return { state: next, effects: [{ type: 'end', term: state.term, reason: 'ended' }, ...effects] };
      }
      case 'leaving':
        return release(state, now, state.next, state.restMs);
      case 'deposed':
        return goOn(state, now);
      default:
        return stay(state);
    }
  }

  function close(state: ElectionState, now: number): Step {
    switch (state.phase) {
      case 'owner':
        return leave(state, 'closed', 'closed', 0);
      case 'leaving':
      case 'deposed':
      case 'releasing':
        return stay({ ...state, next: 'closed' });
      case 'asking':
        // What was asked for may have been granted.
        return release(state, now, 'closed', 0);
      case 'standby':
        return closed(state);
      case 'closed':
        return stay(state);
    }
  }

  function deadline(state: ElectionState): number | undefined {
    switch (state.phase) {
      case 'standby':
        return state.askAt;
      case 'asking':
      case 'releasing':
        return state.sentAt + leaseMs;
      case 'owner':
      case 'leaving':
        return state.renewal === undefined ? Math.min(state.renewAt, state.until) : state.until;
      default:
        return undefined;
    }
  }

  return { step, deadline };
}

type In<Phase extends ElectionState['phase']> = Extract<ElectionState, { phase: Phase }>;

function stay(state: ElectionState): Step {
  return { state, effects: [] };
}

function isHeld(state: ElectionState): state is In<'owner' | 'leaving'> {
  return state.phase === 'owner' || state.phase === 'leaving';
}

function heard<S extends ElectionState>(state: S, term: number): S {
  return term > state.floor ? { ...state, floor: term } : state;
}

function standby({ ids, floor }: Common, askAt: number): ElectionState {
  return { phase: 'standby', ids, floor, askAt };
}

function closed({ ids, floor }: Common): Step {
  return { state: { phase: 'closed', ids, floor }, effects: [{ type: 'closed' }] };
}

function leave(state: In<'owner'>, reason: DeposedReason, next: Next, restMs: number): Step {
  return {
    state: { ...state, phase: 'leaving', next, restMs },
    effects: [{ type: 'end', term: state.term, reason }],
  };
}

function depose(state: In<'owner' | 'leaving'>, reason: DeposedReason): Step {
  const { ids, floor, term } = state;
  if (state.phase === 'leaving') {
    const { next, restMs } = state;
    return stay({ phase: 'deposed', ids, floor, next, restMs });
  }
  return {
    state: { phase: 'deposed', ids, floor, next: 'standby', restMs: 0 },
    effects: [{ type: 'end', term, reason }],
  };
}

function release({ ids, floor }: Common, now: number, next: Next, restMs: number): Step {
  const id = ids + 1;
  return {
    state: { phase: 'releasing', ids: id, floor, id, sentAt: now, next, restMs },
    effects: [{ type: 'release', id }],
  };
}

function goOn(state: In<'deposed' | 'releasing'>, now: number): Step {
  return state.next === 'closed' ? closed(state) : stay(standby(state, now + state.restMs));
}
