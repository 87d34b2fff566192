/**
 * Owns the life of the media socket: dial, authenticate, wait, come back. Refuses frames of media: they go by while it is
 * open. Unlike rooms there is nothing to recover: what was missed of a talk is over.
 */
import {
  type BackoffPolicy,
  backoffDelay,
  type Reducer,
  type Stamp,
  type TimerInput,
  type Transition,
} from '@guildkit/core';

/** `open`: the app has taken us in and media may be sent. */
export type LinkStatus = 'idle' | 'connecting' | 'open' | 'waiting' | 'closed';

/** The whole link. */
export interface LinkState {
  readonly status: LinkStatus;
  /** Number of the current socket. */
  readonly gen: number;
  /** Failed tries in a row. */
  readonly attempt: number;
  /** The last token was refused. */
  readonly refused: boolean;
  /** When patience ends, or the next try begins, ms. */
  readonly dueAt?: number | undefined;
  /** Why it is not open: the app's code, or `''`. */
  readonly reason?: string | undefined;
}

/** What happens to the link. */
export type LinkInput =
  | { readonly type: 'connect' }
  | { readonly type: 'close' }
  | { readonly type: 'online' }
  | { readonly type: 'opened'; readonly gen: number }
  | { readonly type: 'ready'; readonly gen: number }
  | { readonly type: 'lost'; readonly gen: number; readonly code: number; readonly reason: string };

/** What the shell has to do. */
export type LinkEffect =
  | { readonly type: 'dial'; readonly gen: number }
  | { readonly type: 'hangUp' }
  | { readonly type: 'authenticate'; readonly gen: number; readonly refused: boolean };

type Step = Transition<LinkState, LinkEffect>;

/** A link that nobody has started. */
export const IDLE_LINK: LinkState = { status: 'idle', gen: 0, attempt: 0, refused: false };

const POLICY: BackoffPolicy = { baseMs: 500, capMs: 15_000, minMs: 100 };
/** Close codes after which another try would end in the same way: a frame or an origin that is refused. */
const FINAL: readonly number[] = [4400, 4403];

/** Makes the reducer of a link. */
export function linkReducer(timeoutMs: number): Reducer<LinkState, LinkInput, LinkEffect> {
  return { step: (state, input) => step(timeoutMs, state, input), deadline: ({ dueAt }) => dueAt };
}

function step(timeoutMs: number, state: LinkState, input: (LinkInput | TimerInput) & Stamp): Step {
  const { status, gen } = state;
  if ('gen' in input && (input.gen !== gen || (status !== 'connecting' && status !== 'open'))) return stay(state);
  switch (input.type) {
    case 'connect':
      if (status === 'connecting' || status === 'open') return stay(state);
      return dial({ ...state, attempt: 0, refused: false }, input.now + timeoutMs);
    case 'close':
      return {
        state: { ...IDLE_LINK, gen, status: 'closed' },
        effects: status === 'connecting' || status === 'open' ? [{ type: 'hangUp' }] : [],
      };
    case 'online':
      return status === 'waiting' ? dial(state, input.now + timeoutMs) : stay(state);
    case 'opened':
      return { state, effects: [{ type: 'authenticate', gen, refused: state.refused }] };
    case 'ready':
      return stay({ ...IDLE_LINK, gen, status: 'open' });
    case 'lost':
      if (FINAL.includes(input.code)) return stay({ ...IDLE_LINK, gen, status: 'closed', reason: input.reason });
      if (input.code !== 4401) return wait(state, input, input.reason);
      if (state.refused) return stay({ ...IDLE_LINK, gen, status: 'closed', reason: input.reason });
      // Once more with a fresh token, at once.
      return dial({ ...state, refused: true }, input.now + timeoutMs);
    case 'timer': {
      if (state.dueAt === undefined || input.now < state.dueAt) return stay(state);
      if (status === 'waiting') return dial(state, input.now + timeoutMs);
      const next = wait(state, input, 'timeout');
      return { ...next, effects: [{ type: 'hangUp' }, ...next.effects] };
    }
  }
}

function stay(state: LinkState): Step {
  return { state, effects: [] };
}

function dial(state: LinkState, dueAt: number): Step {
  const gen = state.gen + 1;
  return { state: { ...state, status: 'connecting', gen, dueAt }, effects: [{ type: 'dial', gen }] };
}

function wait(state: LinkState, { now, random }: Stamp, reason: string): Step {
  const attempt = state.attempt + 1;
  const dueAt = now + backoffDelay(attempt - 1, random, POLICY);
  return stay({ ...state, status: 'waiting', attempt, dueAt, reason });
}
