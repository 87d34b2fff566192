/** The connection's reducer as a model for exhaustive search: one room, two tries, every input in every state. */
import type { Envelope } from '@guildkit/core/wire';
import type { Edge, Model } from '@guildkit/testkit';
import { createStep, deadline, INITIAL } from '../../src/protocol/connection.js';
import type { ConnectionEffect, ConnectionInput, ConnectionState } from '../../src/protocol/connection-state.js';
import { NEVER, type RoomState } from '../../src/protocol/room.js';
import { SETTINGS } from './world.js';

export interface Timed {
  readonly c: ConnectionState;
  readonly now: number;
}

export interface TimedInput {
  readonly name: string;
  readonly at: number;
  readonly input: ConnectionInput | { readonly type: 'timer' };
}

export type ConnectionEdge = Edge<Timed, TimedInput, ConnectionEffect>;
type StepFunction = ReturnType<typeof createStep>;

const ROOM = 'channel:1';
const MAX_ATTEMPTS = 2;
const LATE_BY_MS = 50_000;

function frame(fields: Partial<Envelope>): Envelope {
  return { v: 1, type: 'event', event: 'x', payload: {}, ts: 0, ...fields };
}

function framesFor({ authId, rooms }: ConnectionState): Readonly<Record<string, Envelope>> {
  const room = rooms.get(ROOM);
  const { epoch, seq } = room?.position ?? { epoch: 'e1', seq: 0 };
  const event = (at: number, payload: unknown = { userId: 'a' }) =>
    frame({ event: 'voice.left', room: ROOM, seq: at, payload });
  const snapshot = { kind: 'none' };
  const re = room?.ask?.id;
  return {
    welcome: frame({
      event: 'sys.welcome',
      payload: { authTimeoutMs: 5_000, heartbeatMs: 15_000, retry: { baseMs: 0 } },
    }),
    'welcome without auth': frame({ event: 'sys.welcome', payload: { authTimeoutMs: 0 } }),
    ping: frame({ event: 'sys.ping' }),
    reauth: frame({ event: 'sys.reauth' }),
    next: event(seq + 1),
    seen: event(seq),
    hole: event(seq + 2),
    'bad payload': event(seq + 1, null),
    unsubscribed: frame({ event: 'sys.unsubscribed', payload: { room: ROOM, code: 'X' } }),
    'sys.snapshot': frame({ event: 'sys.snapshot', payload: { room: ROOM, epoch: 'e2', seq: 5, snapshot } }),
    ...(authId !== undefined && {
      authed: frame({ type: 'ack', event: 'auth', re: authId }),
      'auth refused': frame({ type: 'error', event: 'auth', re: authId, payload: { code: 'X' } }),
    }),
    ...(re !== undefined && {
      snapshot: frame({ type: 'ack', re, payload: { room: ROOM, epoch, seq: seq + 1, recovered: false, snapshot } }),
      recovered: frame({ type: 'ack', re, payload: { room: ROOM, epoch, seq: seq + 1, recovered: true } }),
      nonsense: frame({ type: 'ack', re, payload: {} }),
      denied: frame({ type: 'error', re, payload: { code: 'X' } }),
      'not now': frame({ type: 'error', re, payload: { code: 'X', retryAfterMs: 1_000 } }),
    }),
  };
}

function inputsFor({ c, now }: Timed): readonly TimedInput[] {
  const { gen } = c;
  const plain: readonly (readonly [string, ConnectionInput])[] = [
    ...(['connect', 'reconnect', 'close', 'online', 'offline', 'visible'] as const).map(
      (type) => [type, { type }] as const,
    ),
    ['want', { type: 'want', room: ROOM }],
    ['release', { type: 'release', room: ROOM }],
    ['token', { type: 'token', gen, ok: true }],
    ['no token', { type: 'token', gen, ok: false }],
    ['garbage', { type: 'frame', gen, frame: undefined }],
    ['broken', { type: 'broken', gen, reason: '' }],
    ...[1006, 4401, 4403, 4503].map((code) => [`lost ${code}`, { type: 'lost', gen, code, reason: '' }] as const),
    ['old loss', { type: 'lost', gen: gen - 1, code: 4403, reason: '' }],
    ['old frame', { type: 'frame', gen: gen - 1, frame: frame({ event: 'sys.ping' }) }],
    ...Object.entries(framesFor(c)).map(([name, each]) => [name, { type: 'frame', gen, frame: each }] as const),
  ];
  const at = deadline(c);
  const timers: readonly TimedInput[] =
    at === undefined
      ? []
      : [
          { name: 'timer', at, input: { type: 'timer' } },
          { name: 'late timer', at: at + LATE_BY_MS, input: { type: 'timer' } },
        ];
  return [...plain.map(([name, input]) => ({ name, at: now, input })), ...timers];
}

/** Of times only their order counts; of numbers that grow without end, that they are above zero. */
function keyOf({ c, now }: Timed): string {
  const { phase, attempt, refused, offline, wasOpen, gotToken, dueAt } = c;
  const rooms = [...c.rooms.values()];
  const stableAt = Math.max(c.stableAt, now - 1);
  const times = [now, dueAt, stableAt, ...rooms.flatMap(({ ask, releaseAt }) => [ask?.by ?? NEVER, releaseAt])];
  const order = [...new Set(times)].sort((a, b) => a - b);
  const roomKeys = rooms.map((room: RoomState) => [
    room.phase,
    room.position === undefined,
    room.snapshot === undefined,
    Object.keys(room.early).map((seq) => Number(seq) - (room.position?.seq ?? 0)),
    room.ask?.id === '',
    (room.ask?.target ?? 0) > (room.position?.seq ?? 0),
  ]);
  return JSON.stringify([
    [
      phase,
      attempt,
      refused,
      !!offline,
      !!wasOpen,
      String(gotToken),
      isUp(c) && c.holdUntil > now,
      c.authId !== undefined,
    ],
    times.map((time) => (time === NEVER ? '-' : order.indexOf(time))),
    roomKeys,
  ]);
}

const isUp = ({ phase }: ConnectionState) => ['connecting', 'greeted', 'recovering', 'open'].includes(phase);
const isAuthed = ({ phase }: ConnectionState) => phase === 'recovering' || phase === 'open';

/** Each rule by name: what must hold on every step. */
export const RULES: Readonly<Record<string, (edge: ConnectionEdge) => boolean>> = {
  'one socket at a time': ({ from, effects, to }) => {
    const dials = effects.filter(({ type }) => type === 'dial').length;
    const hangsUp = effects.some(({ type }) => type === 'hangUp');
    return dials <= 1 && (dials === 0 || !isUp(from.c) || hangsUp) && (dials === 1) === to.c.gen > from.c.gen;
  },
  'no socket is left open': ({ from, effects, to }) =>
    !isUp(from.c) || isUp(to.c) || effects.some(({ type }) => type === 'hangUp'),
  'an old socket says nothing': ({ from, input, to, effects }) =>
    !('gen' in input.input) ||
    input.input.gen === from.c.gen ||
    (effects.length === 0 && keyOf({ c: to.c, now: from.now }) === keyOf(from)),
  'a socket is never waited for without end': ({ to }) => !isUp(to.c) || to.c.dueAt < NEVER,
  'nothing ticks when nothing is under way': ({ to }) =>
    isUp(to.c) || to.c.phase === 'waiting' || Math.min(to.c.dueAt, to.c.stableAt) === NEVER,
  'closed leaves no timer': ({ to }) => to.c.phase !== 'closed' || to.c.rooms.size > 0 || deadline(to.c) === undefined,
  'waits for a time, or for the page to be online': ({ to }) =>
    to.c.phase !== 'waiting' || to.c.dueAt < NEVER === !to.c.offline,
  'a try is forgotten by the user or by stability only': ({ from, input, to }) =>
    to.c.attempt >= from.c.attempt ||
    input.input.type === 'connect' ||
    input.input.type === 'reconnect' ||
    input.at >= from.c.stableAt,
  'gives up after the last try, not before': ({ to }) =>
    to.c.phase === 'manual' ? to.c.attempt === MAX_ATTEMPTS : to.c.phase !== 'waiting' || to.c.attempt < MAX_ATTEMPTS,
  'a failed try counts': ({ from, input, to }) =>
    !isUp(from.c) ||
    input.name !== 'lost 1006' ||
    input.at >= from.c.stableAt ||
    from.c.offline === true ||
    to.c.attempt === from.c.attempt + 1,
  'a drain is no failed try': ({ from, input, to }) => input.name !== 'lost 4503' || to.c.attempt <= from.c.attempt,
  'what is not allowed is not tried again': ({ from, input, to }) =>
    !isUp(from.c) || input.name !== 'lost 4403' || to.c.phase === 'closed',
  'a second refusal in a row ends it': ({ from, input, to }) =>
    !isUp(from.c) || input.name !== 'lost 4401' || (from.c.refused ? to.c.phase === 'closed' : to.c.refused),
  'only the user leaves manual': ({ from, input, to }) =>
    from.c.phase !== 'manual' ||
    to.c.phase === 'manual' ||
    ['connect', 'reconnect', 'close'].includes(input.input.type),
  'open means that every room has its answer': ({ from, to }) =>
    !(from.c.phase !== 'open' && to.c.phase === 'open') ||
    [...to.c.rooms.values()].every(({ phase, ask }) => phase === 'live' || phase === 'denied' || ask?.id === ''),
  'a room that lags behind is asked for': ({ to }) =>
    !isAuthed(to.c) ||
    [...to.c.rooms.values()].every(({ phase, ask }) => phase !== 'behind' || (ask?.by ?? NEVER) < NEVER),
  'no room is live without a connection': ({ to }) =>
    isAuthed(to.c) || [...to.c.rooms.values()].every(({ phase, ask }) => phase !== 'live' && ask === undefined),
  'speaks only when it may': ({ effects, to }) =>
    effects.every((effect) => {
      if (effect.type !== 'send' || effect.frame.type === 'pong') return true;
      return effect.frame.type === 'auth' ? to.c.gotToken === true : isAuthed(to.c);
    }),
  'a deadline is dealt with': ({ input, to }) => input.input.type !== 'timer' || (deadline(to.c) ?? NEVER) > input.at,
};

/** The reducer as the model drives it. */
export const honestStep: StepFunction = createStep({ ...SETTINGS, maxAttempts: MAX_ATTEMPTS });

/** The model around a reducer or a mutant of it. */
export function connectionModel(step: StepFunction = honestStep): Model<Timed, TimedInput, ConnectionEffect> {
  return {
    initial: { c: INITIAL, now: 0 },
    inputs: inputsFor,
    step: ({ c }, { at, input }) => {
      const { state, effects } = step(c, { ...input, now: at, random: 0 });
      return { state: { c: state, now: at }, effects };
    },
    key: keyOf,
    invariant: (edge) => Object.entries(RULES).find(([, holds]) => !holds(edge))?.[0],
    label: ({ name }) => name,
    phase: ({ c }) => c.phase,
    maxStates: 400_000,
  };
}
