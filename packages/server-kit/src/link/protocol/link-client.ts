/**
 * Owns the app's end of the link: dialling, resuming, the order of events, the fate of each command. Pure. Refuses to know
 * sockets and what events and commands mean.
 *
 * waiting (until the next try) → connecting (socket, then `resume`) → open → … → closed.
 */
import { backoffDelay, type Reducer, type Stamp, type TimerInput } from '@guildkit/core';
import type { LinkErrorCode } from '../errors.js';
import type { LinkServerFrame } from './frames.js';

/** Bounds of a link. */
export interface LinkLimits {
  readonly maxCommands: number;
  readonly commandTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly pingIntervalMs: number;
  readonly pongTimeoutMs: number;
  readonly backoffBaseMs: number;
  readonly backoffCapMs: number;
  /** An open link that lasted so long makes the next failure the first. */
  readonly stableMs: number;
}

/** A command that waits for its result. */
export interface PendingCommand {
  readonly expiresAt: number;
  /** Has gone out on the present connection, or the service has seen it. */
  readonly sent: boolean;
  /** Has gone out on any. */
  readonly everSent: boolean;
}

/** Everything that the app's end knows. */
export interface LinkState {
  readonly phase: 'idle' | 'waiting' | 'connecting' | 'open' | 'closed';
  /** Of the socket; answers of former ones mean nothing. */
  readonly generation: number;
  readonly attempt: number;
  /** In `waiting`: the next try. In `connecting`: the latest. */
  readonly until: number | undefined;
  readonly openedAt: number;
  readonly epoch: string | undefined;
  readonly seq: number;
  readonly pingAt: number | undefined;
  readonly pongBy: number | undefined;
  /** A snapshot is asked for then: an event was lost on this side. */
  readonly resyncAt: number | undefined;
  readonly commands: ReadonlyMap<string, PendingCommand>;
}

/** What happens to the app's end. */
export type LinkInput =
  | { readonly type: 'start' }
  | { readonly type: 'opened'; readonly generation: number }
  | { readonly type: 'frame'; readonly generation: number; readonly frame: LinkServerFrame | undefined }
  | { readonly type: 'lost'; readonly generation: number; readonly unauthorized: boolean }
  | { readonly type: 'command'; readonly requestId: string }
  | { readonly type: 'cancel'; readonly requestId: string }
  /** An event could not be taken in. */
  | { readonly type: 'eventLost' }
  | { readonly type: 'close' };

/** What the app's end wants done. */
export type LinkEffect =
  | { readonly type: 'connect'; readonly generation: number }
  | { readonly type: 'disconnect'; readonly generation: number }
  | {
      readonly type: 'sendResume';
      readonly epoch: string | undefined;
      readonly seq: number;
      readonly pending: readonly string[];
    }
  | { readonly type: 'sendCommand'; readonly requestId: string }
  | { readonly type: 'sendPing'; readonly seq: number }
  | { readonly type: 'deliver'; readonly event: Extract<LinkServerFrame, { type: 'event' }>['event'] }
  | { readonly type: 'settle'; readonly requestId: string; readonly frame: SettlingFrame }
  | { readonly type: 'refuse'; readonly requestId: string; readonly code: LinkErrorCode }
  /** For operators. */
  | { readonly type: 'report'; readonly code: LinkErrorCode; readonly retryInMs?: number | undefined }
  | { readonly type: 'notice'; readonly frame: Extract<LinkServerFrame, { type: 'rateLimited' | 'error' }> };

/** A frame that decides a command. */
export type SettlingFrame = Extract<LinkServerFrame, { type: 'result' | 'rateLimited' | 'error' }>;

type Step = { readonly state: LinkState; readonly effects: readonly LinkEffect[] };
type Stamped = (LinkInput | TimerInput) & Stamp;

/** A lost event is asked for again after this long: what refused it may still do. */
const RESYNC_MS = 1_000;

/** The state before `start`. */
export function newLink(): LinkState {
  return {
    phase: 'idle',
    generation: 0,
    attempt: 0,
    until: undefined,
    openedAt: 0,
    epoch: undefined,
    seq: 0,
    pingAt: undefined,
    pongBy: undefined,
    resyncAt: undefined,
    commands: new Map(),
  };
}

/** The state machine of the app's end. */
export function createLinkReducer(limits: LinkLimits): Reducer<LinkState, LinkInput, LinkEffect> {
  return { step: (state, input) => step(limits, state, input), deadline };
}

function deadline({ phase, until, pingAt, pongBy, resyncAt, commands }: LinkState): number | undefined {
  if (phase === 'closed') return undefined;
  // All wait equally long: the first is the first to expire.
  const [oldest] = commands.values();
  const times = [until, pongBy ?? pingAt, resyncAt, oldest?.expiresAt].filter((time) => time !== undefined);
  return times.length === 0 ? undefined : Math.min(...times);
}

function step(limits: LinkLimits, state: LinkState, input: Stamped): Step {
  if (state.phase === 'closed') return refuseLate(state, input);
  switch (input.type) {
    case 'start':
      return state.phase === 'idle' ? dial(limits, state, input.now) : stay(state);
    case 'opened': {
      if (input.generation !== state.generation || state.phase !== 'connecting') return stay(state);
      const { epoch, seq, commands } = state;
      return go(state, { type: 'sendResume', epoch, seq, pending: [...commands.keys()] });
    }
    case 'frame':
      return input.generation === state.generation ? onFrame(limits, state, input.frame, input) : stay(state);
    case 'lost':
      return input.generation === state.generation
        ? retry(limits, state, input.unauthorized ? 'ERR_LINK_TOKEN_REFUSED' : 'ERR_LINK_CONNECTION_LOST', input)
        : stay(state);
    case 'command':
      return onCommand(limits, state, input.requestId, input.now);
    case 'cancel':
      return stay(withoutCommand(state, input.requestId));
    case 'eventLost':
      return go(
        { ...state, resyncAt: state.resyncAt ?? input.now + RESYNC_MS },
        { type: 'report', code: 'ERR_LINK_EVENT_LOST' },
      );
    case 'timer':
      return onTimer(limits, state, input);
    case 'close':
      return close(state);
  }
}

// ─── connection ─────────────────────────────────────────────────────────────────────────────────────────────────

function dial({ connectTimeoutMs }: LinkLimits, state: LinkState, now: number): Step {
  const generation = state.generation + 1;
  return go(
    { ...state, phase: 'connecting', generation, until: now + connectTimeoutMs },
    { type: 'connect', generation },
  );
}

/** The connection is of no use any more: another one later. */
function retry(limits: LinkLimits, state: LinkState, code: LinkErrorCode, { now, random }: Stamp): Step {
  if (state.phase !== 'connecting' && state.phase !== 'open') return stay(state);
  const wasStable = state.phase === 'open' && now - state.openedAt >= limits.stableMs;
  const attempt = wasStable ? 0 : state.attempt;
  const { backoffBaseMs, backoffCapMs } = limits;
  const retryInMs = backoffDelay(attempt, random, {
    baseMs: backoffBaseMs,
    capMs: backoffCapMs,
    minMs: backoffBaseMs / 2,
  });
  const commands = new Map([...state.commands].map(([id, command]) => [id, { ...command, sent: false }]));
  return {
    state: {
      ...state,
      phase: 'waiting',
      attempt: attempt + 1,
      until: now + retryInMs,
      pingAt: undefined,
      pongBy: undefined,
      resyncAt: undefined,
      commands,
    },
    effects: [
      { type: 'disconnect', generation: state.generation },
      { type: 'report', code, retryInMs },
    ],
  };
}

function close(state: LinkState): Step {
  const refusals = [...state.commands.keys()].map(
    (requestId): LinkEffect => ({ type: 'refuse', requestId, code: 'ERR_LINK_CLOSED' }),
  );
  return {
    state: {
      ...state,
      phase: 'closed',
      until: undefined,
      pingAt: undefined,
      pongBy: undefined,
      resyncAt: undefined,
      commands: new Map(),
    },
    effects: [...refusals, { type: 'disconnect', generation: state.generation }],
  };
}

function onTimer(limits: LinkLimits, given: LinkState, input: Stamped): Step {
  const { now } = input;
  const expired = [...given.commands].filter(([, { expiresAt }]) => expiresAt <= now);
  const refusals = expired.map(
    ([requestId, { everSent }]): LinkEffect => ({
      type: 'refuse',
      requestId,
      code: everSent ? 'ERR_LINK_COMMAND_UNANSWERED' : 'ERR_LINK_COMMAND_EXPIRED',
    }),
  );
  const state =
    expired.length === 0 ? given : { ...given, commands: new Map([...given.commands].slice(expired.length)) };
  const { state: next, effects } = onDue(limits, state, input);
  return { state: next, effects: [...refusals, ...effects] };
}

function onDue(limits: LinkLimits, state: LinkState, input: Stamped): Step {
  const { now } = input;
  const { phase, until, pingAt, pongBy, resyncAt, seq, commands } = state;
  if (phase === 'waiting' && isDue(until, now)) return dial(limits, state, now);
  if (phase === 'connecting' && isDue(until, now)) return retry(limits, state, 'ERR_LINK_CONNECTION_SILENT', input);
  if (isDue(pongBy, now)) return retry(limits, state, 'ERR_LINK_CONNECTION_SILENT', input);
  if (isDue(resyncAt, now)) {
    // Without a position: a snapshot and whatever follows it.
    return go(
      { ...state, resyncAt: undefined },
      { type: 'sendResume', epoch: undefined, seq: 0, pending: [...commands.keys()] },
    );
  }
  if (!isDue(pingAt, now)) return stay(state);
  return go(
    { ...state, pingAt: now + limits.pingIntervalMs, pongBy: now + limits.pongTimeoutMs },
    { type: 'sendPing', seq },
  );
}

// ─── frames ─────────────────────────────────────────────────────────────────────────────────────────────────────

function onFrame(limits: LinkLimits, state: LinkState, frame: LinkServerFrame | undefined, stamp: Stamp): Step {
  if (frame === undefined) return go(state, { type: 'report', code: 'ERR_LINK_FRAME_MALFORMED' });
  switch (frame.type) {
    case 'resume':
      return onResume(limits, state, frame, stamp.now);
    case 'event': {
      if (state.phase !== 'open' || frame.seq <= state.seq) return stay(state);
      // Nothing can be missing on one socket: the other side is wrong, or this one. Start over from what is known.
      if (frame.seq !== state.seq + 1) return retry(limits, state, 'ERR_LINK_EVENTS_MISSED', stamp);
      return go({ ...state, seq: frame.seq }, { type: 'deliver', event: frame.event });
    }
    case 'pong':
      return stay({ ...state, pongBy: undefined });
    case 'result':
      return settle(state, frame.requestId, frame);
    case 'rateLimited':
    case 'error': {
      const notice: LinkEffect = { type: 'notice', frame };
      if (frame.requestId === undefined) return go(state, notice);
      const { state: next, effects } = settle(state, frame.requestId, frame);
      return { state: next, effects: [...effects, notice] };
    }
  }
}

function onResume(
  { pingIntervalMs }: LinkLimits,
  state: LinkState,
  frame: Extract<LinkServerFrame, { type: 'resume' }>,
  now: number,
): Step {
  if (state.phase !== 'connecting' && state.phase !== 'open') return stay(state);
  const { epoch, seq, recovered, known, snapshot } = frame;
  // Only what was asked for can be recovered.
  const goesOn = recovered && epoch === state.epoch && seq >= state.seq;
  const seen = new Set(known);
  const missed = state.epoch !== undefined && !goesOn;
  const isFirst = state.phase === 'connecting';
  const unsent = [...state.commands].filter(([id, { sent }]) => !sent && !seen.has(id)).map(([id]) => id);
  const commands = new Map(
    [...state.commands].map(([id, command]) => [id, { ...command, sent: true, everSent: true }]),
  );
  return {
    state: {
      ...state,
      phase: 'open',
      until: undefined,
      openedAt: isFirst ? now : state.openedAt,
      epoch,
      seq: goesOn ? state.seq : seq,
      pingAt: isFirst ? now + pingIntervalMs : state.pingAt,
      commands,
    },
    effects: [
      ...(missed && isFirst ? [{ type: 'report', code: 'ERR_LINK_EVENTS_MISSED' } as const] : []),
      ...(goesOn ? [] : snapshot.map((event) => ({ type: 'deliver', event }) as const)),
      ...unsent.map((requestId) => ({ type: 'sendCommand', requestId }) as const),
    ],
  };
}

// ─── commands ───────────────────────────────────────────────────────────────────────────────────────────────────

function onCommand(
  { maxCommands, commandTimeoutMs }: LinkLimits,
  state: LinkState,
  requestId: string,
  now: number,
): Step {
  // The same command again: its result is on its way.
  if (state.commands.has(requestId)) return stay(state);
  if (state.commands.size >= maxCommands) return go(state, { type: 'refuse', requestId, code: 'ERR_LINK_QUEUE_FULL' });
  const sent = state.phase === 'open';
  const commands = new Map(state.commands).set(requestId, { expiresAt: now + commandTimeoutMs, sent, everSent: sent });
  return { state: { ...state, commands }, effects: sent ? [{ type: 'sendCommand', requestId }] : [] };
}

function settle(state: LinkState, requestId: string, frame: SettlingFrame): Step {
  // Settled before, expired, or of a command that someone cancelled.
  if (!state.commands.has(requestId)) return stay(state);
  return go(withoutCommand(state, requestId), { type: 'settle', requestId, frame });
}

function withoutCommand(state: LinkState, requestId: string): LinkState {
  if (!state.commands.has(requestId)) return state;
  const commands = new Map(state.commands);
  commands.delete(requestId);
  return { ...state, commands };
}

// ─── helpers ────────────────────────────────────────────────────────────────────────────────────────────────────

function refuseLate(state: LinkState, input: Stamped): Step {
  return input.type === 'command'
    ? go(state, { type: 'refuse', requestId: input.requestId, code: 'ERR_LINK_CLOSED' })
    : stay(state);
}

function isDue(time: number | undefined, now: number): boolean {
  return time !== undefined && now >= time;
}

const stay = (state: LinkState): Step => ({ state, effects: [] });
const go = (state: LinkState, ...effects: readonly LinkEffect[]): Step => ({ state, effects });
