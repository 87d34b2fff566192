/** The hub session with a world around it: answers under way, what the client waits for, what the shell holds. */
import type { Position } from '@guildkit/core/wire';
import type { Principal } from '@guildkit/server-kit/hub';
import type { Edge } from '@guildkit/testkit';
import type { ParsedFrame } from '../../src/hub/protocol/client-frame.js';
import type { RoomRead } from '../../src/hub/protocol/records.js';
import { type createSessionReducer, newSession } from '../../src/hub/protocol/session.js';
import type {
  SessionEffect,
  SessionInput,
  SessionKind,
  SessionLimits,
  SessionState,
} from '../../src/hub/protocol/session-types.js';

export const LIMITS: SessionLimits = {
  // All multiples of one step: the search then meets few different times.
  authTimeoutMs: 10,
  heartbeatMs: 20,
  pongTimeoutMs: 10,
  reauthLeadMs: 10,
  maxSubscriptions: 1,
  // The search keeps no count of tokens; the budget has tests of its own.
  maxFramesPerSecond: 1_000_000,
  maxLagEvents: 3,
  maxPendingCommands: 1,
};

export type ModelInput = SessionInput | { readonly type: 'timer' };
export type SessionReducer = ReturnType<typeof createSessionReducer> & { readonly kind?: SessionKind };

interface Ticketed {
  readonly room: string;
  readonly ticket: number;
}

export interface World {
  readonly session: SessionState;
  readonly now: number;
  readonly opened: boolean;
  readonly authentications: readonly number[];
  readonly authorizations: readonly Ticketed[];
  readonly reads: readonly Ticketed[];
  /** Frames of the client that wait for an answer. */
  readonly unanswered: readonly string[];
  /** Feeds that the shell has joined. */
  readonly places: readonly Ticketed[];
  readonly welcomes: number;
}

export const A = 'channel:1';
export const B = 'channel:2';

export function newWorld(limits = LIMITS): World {
  return {
    session: newSession(limits, 0),
    now: 0,
    opened: false,
    authentications: [],
    authorizations: [],
    reads: [],
    unanswered: [],
    places: [],
    welcomes: 0,
  };
}

const someone = (userId: string): Principal => ({ userId, roles: [], expiresAt: 1_000 });
const read: RoomRead = { epoch: 'e', seq: 3, recovered: false, events: [], snapshot: { kind: 'none' } };

const framed = (parsed: ParsedFrame, behind = 0): ModelInput => ({ type: 'frame', parsed, behind });
const auth = (id = 'auth') => framed({ kind: 'frame', frame: { v: 1, type: 'auth', id, payload: { token: 't' } } });
const subscribe = (room: string, since?: Position) =>
  framed({ kind: 'frame', frame: { v: 1, type: 'subscribe', id: `sub ${room}`, payload: { room, since } } });
const unsubscribe = (room: string) =>
  framed({ kind: 'frame', frame: { v: 1, type: 'unsubscribe', id: `unsub ${room}`, payload: { room } } });
const command = framed({
  kind: 'frame',
  frame: { v: 1, type: 'command', id: 'cmd', payload: { name: 'x', input: 0 } },
});
const pong = (behind: number) => framed({ kind: 'frame', frame: { v: 1, type: 'pong', id: 'p', payload: {} } }, behind);

/** Every input worth trying. Answers come only for what was asked, but late and in any order. */
export function inputsOf(world: World, limits = LIMITS, kind: SessionKind = 'socket'): readonly ModelInput[] {
  const { session, opened, authentications, authorizations, reads, places } = world;
  if (!opened) return [{ type: 'opened' }];
  const inputs: ModelInput[] = [
    { type: 'socketClosed' },
    { type: 'overflowed' },
    { type: 'oversized' },
    { type: 'broken' },
    { type: 'drain', reconnectInMs: 1, closeInMs: 10 },
    { type: 'drain', reconnectInMs: 1, closeInMs: 0 },
    framed({ kind: 'malformed' }),
    framed({ kind: 'unknown', id: 'u' }),
    framed({ kind: 'invalid', id: undefined, problem: 'p' }),
    command,
    framed({ kind: 'ping' }),
    { type: 'commandDone', ticket: -1, answer: { ok: true, latencyMs: 0 } },
    pong(0),
    pong(limits.maxLagEvents + 1),
    subscribe('nowhere'),
    unsubscribe(A),
  ];
  if (authorizations.length + reads.length < 2) {
    // In a stream nothing comes in but what the shell makes of its request.
    if (kind === 'socket') inputs.push(auth());
    inputs.push(subscribe(A), { type: 'revalidate' }, { type: 'revalidate', room: A });
    // The second room is there to meet the limit; alone it would only mirror the first.
    if (session.subscriptions.has(A)) inputs.push(subscribe(B));
  }
  for (const ticket of session.commands.keys()) {
    inputs.push(
      { type: 'commandDone', ticket, answer: { ok: true, result: 1, latencyMs: 0 } },
      { type: 'commandDone', ticket, answer: { ok: false, error: { status: 502, code: 'X', message: 'm' } } },
    );
  }
  if (session.principal !== undefined && authorizations.length + reads.length < 2) {
    inputs.push(
      { type: 'renewed', principal: someone('1'), expiresInMs: 30, rolesChanged: false },
      { type: 'renewed', principal: someone('1'), expiresInMs: 30, rolesChanged: true },
      { type: 'renewed', principal: someone('2'), expiresInMs: 30, rolesChanged: true },
      { type: 'renewed', principal: someone('1'), expiresInMs: 0, rolesChanged: false },
    );
  }
  for (const attempt of authentications) {
    const known = { type: 'authenticated', attempt, expiresInMs: 30, admitted: true } as const;
    inputs.push(
      { ...known, principal: someone('1') },
      ...(session.principal === undefined ? [] : [{ ...known, principal: someone('2') }]),
      { ...known, principal: someone('1'), admitted: false },
      { ...known, principal: someone('1'), expiresInMs: 0 },
      { type: 'authFailed', attempt, unavailable: false },
      { type: 'authFailed', attempt, unavailable: true },
    );
  }
  for (const asked of authorizations) {
    for (const verdict of ['allowed', 'denied', 'failed'] as const) {
      inputs.push({ type: 'authorized', ...asked, verdict });
    }
  }
  for (const asked of reads) inputs.push({ type: 'read', ...asked, read }, { type: 'readFailed', ...asked });
  for (const place of places) inputs.push({ type: 'holeFound', ...place });
  for (const [room, { ticket }] of session.subscriptions) inputs.push({ type: 'holeFound', room, ticket: ticket - 1 });
  return inputs;
}

export function stepWorld(
  reducer: SessionReducer,
  world: World,
  input: ModelInput,
  random = 0,
): { readonly state: World; readonly effects: readonly SessionEffect[] } {
  const due = reducer.deadline(world.session);
  const now = input.type === 'timer' ? Math.max(world.now, due ?? world.now) : world.now;
  const { state: session, effects } = reducer.step(world.session, { ...input, now, random });
  let { authentications, authorizations, reads, unanswered, places, welcomes } = world;
  const id = idOf(input);
  if (id !== undefined && world.session.phase !== 'closed') unanswered = [...unanswered, id];
  if ('attempt' in input) authentications = authentications.filter((attempt) => attempt !== input.attempt);
  if (input.type === 'authorized') authorizations = without(authorizations, input);
  if (input.type === 'read' || input.type === 'readFailed') reads = without(reads, input);
  for (const effect of effects) {
    switch (effect.type) {
      case 'authenticate':
        authentications = [...authentications, effect.attempt];
        break;
      case 'authorize':
        authorizations = [...authorizations, { room: effect.room, ticket: effect.ticket }];
        break;
      case 'join':
        places = [...places, { room: effect.room, ticket: effect.ticket }];
        reads = [...reads, { room: effect.room, ticket: effect.ticket }];
        break;
      case 'catchUp':
        reads = [...reads, { room: effect.room, ticket: effect.ticket }];
        break;
      case 'leave':
        places = without(places, effect);
        break;
      case 'welcome':
        welcomes += 1;
        break;
      case 'release':
        places = [];
        break;
      default:
    }
  }
  for (const answered of effects.flatMap(answerOf)) {
    const at = unanswered.indexOf(answered);
    unanswered = at < 0 ? [...unanswered, `answered twice: ${answered}`] : unanswered.toSpliced(at, 1);
  }
  const opened = world.opened || input.type === 'opened';
  return {
    state: { session, now, opened, authentications, authorizations, reads, unanswered, places, welcomes },
    effects,
  };
}

export function nextInputs(reducer: SessionReducer, world: World, limits = LIMITS): readonly ModelInput[] {
  const inputs = inputsOf(world, limits, reducer.kind);
  return reducer.deadline(world.session) === undefined ? inputs : [...inputs, { type: 'timer' }];
}

/** The rules. Each returns its name when it is broken. */
export function brokenRule(
  reducer: SessionReducer,
  { from, input, to, effects }: Edge<World, ModelInput, SessionEffect>,
  limits = LIMITS,
): string | undefined {
  const before = from.session;
  const after = to.session;
  const of = <T extends SessionEffect['type']>(type: T) =>
    effects.filter((effect): effect is Extract<SessionEffect, { type: T }> => effect.type === type);

  if (before.phase === 'closed') return effects.length > 0 || before !== after ? 'closed is the end' : undefined;
  const ends = after.phase === 'closed';
  if (of('release').length !== (ends ? 1 : 0)) return 'release exactly once, at the end';
  if (ends && effects.at(-1)?.type !== 'release') return 'release last';
  if (of('close').length > (ends ? 1 : 0)) return 'close only at the end';
  if (ends && to.places.length > 0) return 'nothing is held after the end';
  if (ends && reducer.deadline(after) !== undefined) return 'no timer after the end';
  if (!ends && reducer.deadline(after) === undefined) return 'stuck: no deadline';
  if (input.type === 'timer' && before === after) return 'a timer that changes nothing';

  if (to.welcomes > 1) return 'one welcome';
  if (to.welcomes !== (after.phase === 'opening' ? 0 : 1) && !ends) return 'welcome when the opening is over';
  const speaks = effects.findIndex(({ type }) => type === 'ack' || type === 'admitted');
  if (speaks >= 0 && to.welcomes === 0) return 'nothing before the welcome';

  const known = after.principal !== undefined;
  if (!ends && known !== (after.phase === 'open' || after.phase === 'draining')) return 'open is authenticated';
  if (of('admitted').length !== (before.principal === undefined && known ? 1 : 0)) return 'admitted exactly once';
  if (before.principal && after.principal && before.principal.userId !== after.principal.userId) return 'one user';
  if (!known && (after.subscriptions.size > 0 || of('authorize').length + of('join').length > 0)) {
    return 'no room without a principal';
  }
  if (input.type === 'authenticated' && (input.expiresInMs <= 0 || !input.admitted) && !before.principal && known) {
    return 'a refused proof admits nobody';
  }

  for (const { room, ticket } of of('join')) {
    const sub = before.subscriptions.get(room);
    const asked = sub?.stage === 'authorizing' && sub.ticket === ticket;
    if (input.type !== 'authorized' || input.verdict !== 'allowed' || input.ticket !== ticket || !asked) {
      return 'join only by the newest yes';
    }
  }
  for (const { room, ticket } of of('start')) {
    if (!from.places.some((place) => place.room === room && place.ticket === ticket))
      return 'start only what was joined';
  }
  if (input.type === 'authorized' && input.verdict !== 'allowed') {
    const sub = before.subscriptions.get(input.room);
    const asked = sub !== undefined && (sub.recheck ?? sub.ticket) === input.ticket;
    if (asked && (sub.recheck !== undefined || sub.stage === 'authorizing') && after.subscriptions.has(input.room)) {
      return 'a no, or no answer, ends the subscription';
    }
  }
  if (input.type === 'revalidate' && !ends) {
    for (const [room, sub] of after.subscriptions) {
      if (input.room !== undefined && input.room !== room) continue;
      const newest = Math.max(sub.ticket, sub.recheck ?? 0);
      if (!of('authorize').some((effect) => effect.room === room && effect.ticket === newest)) return 'asked anew';
      if (before.subscriptions.get(room)?.stage === 'authorizing' && sub.ticket !== newest)
        return 'old answers do not count';
    }
  }
  if (after.subscriptions.size > limits.maxSubscriptions) return 'the limit of subscriptions';
  if (before.phase === 'draining' && after.subscriptions.size > before.subscriptions.size)
    return 'nothing new while draining';
  if (after.commands.size > limits.maxPendingCommands) return 'the limit of commands';
  for (const { ticket } of of('command')) if (!after.commands.has(ticket)) return 'a command is remembered';
  if (input.type === 'renewed' && input.expiresInMs <= 0 && before !== after)
    return 'no renewal by a proof that is over';
  if (reducer.kind === 'stream' && after.phase === 'authenticating') return 'a stream cannot be asked';
  if (!ends) {
    const held = [...after.subscriptions].filter(([, sub]) => sub.stage !== 'authorizing');
    const names = held.map(([room, { ticket }]) => `${room}#${ticket}`).sort();
    if (
      names.join() !==
      to.places
        .map(({ room, ticket }) => `${room}#${ticket}`)
        .sort()
        .join()
    ) {
      return 'the shell holds what the session says';
    }
    const asked = [...after.subscriptions.values()].map((sub) => sub.re);
    const expected = [after.auth?.re, ...asked, ...after.commands.values()];
    if (
      expected
        .filter((re) => re !== undefined)
        .sort()
        .join() !== [...to.unanswered].sort().join()
    ) {
      return 'every request is answered exactly once';
    }
  }
  if (ends && to.unanswered.some((id) => id.startsWith('answered twice')))
    return 'every request is answered exactly once';
  if (isPong(input) && input.behind > limits.maxLagEvents && !ends) return 'a client that lags is let go';
  return undefined;
}

/** What makes two worlds the same: relative times, and what each ticket still counts for. */
export function keyOf({ session, now, ...world }: World): string {
  // All ends are alike: nothing may happen any more, whatever was under way.
  if (session.phase === 'closed') return 'closed';
  const rel = (time: number | undefined) => (time === undefined ? null : Math.max(-1, time - now));
  // A ticket that is neither of a subscription's two can never count again: which one it was makes no difference.
  const role = ({ room, ticket }: Ticketed) => {
    const sub = session.subscriptions.get(room);
    return `${room} ${sub?.ticket === ticket ? 'current' : sub?.recheck === ticket ? 'recheck' : 'stale'}`;
  };
  const ticketed = (list: readonly Ticketed[]) => [...new Set(list.map(role))].sort();
  return JSON.stringify([
    session.phase,
    session.principal?.userId,
    session.auth && [session.auth.attempt - session.attempts, session.auth.re],
    rel(session.authBy),
    session.expiry && [rel(session.expiry.endsAt), rel(session.expiry.remindAt)],
    session.heartbeat && [rel(session.heartbeat.pingAt), rel(session.heartbeat.pongBy)],
    rel(session.closeAt),
    session.commands.size,
    [...session.subscriptions].map(([room, sub]) => [room, sub.stage, sub.recheck !== undefined, sub.re]),
    world.opened,
    [...new Set(world.authentications.map((attempt) => attempt === session.auth?.attempt))].sort(),
    ticketed(world.authorizations),
    ticketed(world.reads),
    ticketed(world.places),
    [...world.unanswered].sort(),
    world.welcomes,
  ]);
}

export function labelOf(input: ModelInput): string {
  if (input.type === 'frame') {
    const { parsed } = input;
    return parsed.kind === 'frame' ? `${parsed.frame.type}${input.behind ? ' (behind)' : ''}` : `${parsed.kind} frame`;
  }
  if (input.type === 'authorized') return input.verdict;
  if (input.type === 'authenticated') return input.admitted ? 'authenticated' : 'too many';
  if (input.type === 'authFailed') return input.unavailable ? 'auth unavailable' : 'auth refused';
  return input.type;
}

function answerOf(effect: SessionEffect): readonly string[] {
  const { type } = effect;
  const answers = type === 'ack' || type === 'refuse' || type === 'refuseCommand' || type === 'start';
  const re = answers ? effect.re : undefined;
  // These two are not requests that the model waits for.
  return re === undefined || re === 'u' ? [] : [re];
}

function idOf(input: ModelInput): string | undefined {
  if (input.type !== 'frame' || input.parsed.kind !== 'frame' || input.parsed.frame.type === 'pong') return undefined;
  return input.parsed.frame.id;
}

function isPong(input: ModelInput): input is ModelInput & { behind: number } {
  return input.type === 'frame' && input.parsed.kind === 'frame' && input.parsed.frame.type === 'pong';
}

function without(list: readonly Ticketed[], { room, ticket }: Ticketed): readonly Ticketed[] {
  return list.filter((each) => each.room !== room || each.ticket !== ticket);
}
