/**
 * A small Discord and a network with faults, in virtual time, around one session. Events are numbered, so that what
 * was delivered can be told from what happened.
 */
import { createSession, initialSession, type SessionReducer } from '../../src/protocol/session.js';
import type { SessionRules } from '../../src/protocol/session-rules.js';
import type { SessionInput } from '../../src/protocol/session-types.js';
import {
  brokenInvariant,
  type Effect,
  type Input,
  isLive,
  nextWire,
  type Payload,
  SILENT_WIRE,
} from './session-invariants.js';
import { MODEL_RULES } from './session-model.js';

/** What befalls the connection. `n` picks among variants. */
export interface Fault {
  readonly kind: (typeof FAULTS)[number];
  readonly n: number;
}

/** The first ones come more often: without calm stretches nothing deep is reached. */
export const FAULTS = [
  'event',
  'timer',
  'permit',
  'ack',
  'send',
  'wait',
  'cut',
  'close',
  'reconnect',
  'ask',
  'invalidate',
  'lose',
  'repeat',
  'swap',
  'mute',
  'refuse',
  'forget',
] as const;

const CLOSE_CODES = [1000, 1001, 1006, 4000, 4007, 4008, 4009];
/** A replay takes longer than one step of time; the server keeps a session as long as the whole run. */
const HEARTBEAT_MS = 20;

interface ServerSession {
  readonly id: string;
  readonly log: { readonly seq: number; readonly event: number }[];
  seq: number;
}

/** What a run came to. */
export interface Outcome {
  readonly broken: string | undefined;
  readonly happened: readonly number[];
  readonly delivered: readonly number[];
  /** Sessions that were given up: events of those may be missing. */
  readonly lost: number;
  readonly sends: { readonly made: number; readonly settled: number };
  /** After the calm weather. */
  readonly phase: string;
  /** After the end: closed by us with a send that waits, or by a fatal close code. */
  readonly finalPhase: string;
}

/** Runs a schedule of faults, then calm weather until the session is ready and everything has arrived. */
export function runAgainstServer(
  faults: readonly Fault[],
  random: () => number,
  options: { reducer?: SessionReducer; rules?: SessionRules } = {},
): Outcome {
  const { rules = MODEL_RULES, reducer = createSession(rules) } = options;
  let state = initialSession();
  let now = 0;
  let ghost = SILENT_WIRE;
  let broken: string | undefined;
  let server: ServerSession | undefined;
  let sessions = 0;
  let muted = false;
  let refusing = 0;
  let fate: 'lose' | 'repeat' | 'swap' | undefined;
  let held: SessionInput<Payload> | undefined;
  let attached = false;
  let beatsUnanswered = 0;
  let made = 0;
  let lost = 0;
  const wire: SessionInput<Payload>[] = [];
  const happened: number[] = [];
  const delivered: number[] = [];
  const settled = new Set<number>();

  function feed(input: SessionInput<Payload> | { type: 'timer' }): void {
    const stamped = { now, random: random(), ...input } as Input;
    const { state: next, effects } = reducer.step<Payload>(state, stamped);
    const transition = { from: state, input: stamped, to: next, effects };
    broken ??= brokenInvariant(transition, rules, reducer, ghost);
    ghost = nextWire(ghost, transition, rules);
    state = next;
    for (const effect of effects) carryOut(effect);
  }

  function fromServer(input: SessionInput<Payload>): void {
    if (!muted) wire.push(input);
  }

  function emit(session: ServerSession, event: number, seq: number): void {
    // What has no event is the RESUMED of an earlier resume.
    const kind = event === 0 ? 'resumed' : 'dispatch';
    const input = { type: 'frame', gen: state.gen, frame: { kind, seq, payload: event } } as const;
    const befallen = fate;
    fate = undefined;
    if (befallen === 'swap') {
      held = input;
      return;
    }
    if (befallen !== 'lose') fromServer(input);
    if (befallen === 'repeat') fromServer(input);
    if (held !== undefined) fromServer(held);
    held = undefined;
    session.seq = Math.max(session.seq, seq);
  }

  function carryOut(effect: Effect): void {
    switch (effect.type) {
      case 'openSocket':
        wire.length = 0;
        attached = false;
        beatsUnanswered = 0;
        if (refusing > 0) {
          refusing -= 1;
          wire.push({ type: 'upgradeRefused', gen: effect.gen, status: 503, retryAfterMs: undefined });
        } else {
          fromServer({ type: 'frame', gen: effect.gen, frame: { kind: 'hello', heartbeatIntervalMs: HEARTBEAT_MS } });
        }
        return;
      case 'closeSocket':
        wire.length = 0;
        attached = false;
        if (effect.how === 'end') server = undefined;
        return;
      case 'sendControl':
        if (effect.frame.kind === 'heartbeat') beatsUnanswered += 1;
        if (effect.frame.kind === 'identify') identify();
        if (effect.frame.kind === 'resume') resume(effect.frame.sessionId, effect.frame.seq);
        return;
      case 'deliver':
        if (effect.payload > 0) delivered.push(effect.payload);
        return;
      case 'sessionLost':
        lost += 1;
        return;
      case 'transmit':
      case 'rejectSend':
      case 'supersedeSend':
        settled.add(effect.id);
        return;
      default:
    }
  }

  function identify(): void {
    sessions += 1;
    server = { id: `session-${sessions}`, log: [], seq: 1 };
    attached = true;
    const frame = { kind: 'ready', seq: 1, sessionId: server.id, resumeUrl: 'wss://resume', payload: 0 } as const;
    fromServer({ type: 'frame', gen: state.gen, frame });
  }

  function resume(sessionId: string, seq: number): void {
    if (server === undefined || server.id !== sessionId) {
      fromServer({ type: 'frame', gen: state.gen, frame: { kind: 'invalidSession', resumable: false } });
      return;
    }
    attached = true;
    for (const entry of server.log) if (entry.seq > seq) emit(server, entry.event, entry.seq);
    server.seq += 1;
    fromServer({ type: 'frame', gen: state.gen, frame: { kind: 'resumed', seq: server.seq, payload: 0 } });
    // RESUMED has a number, and so a place in the log.
    server.log.push({ seq: server.seq, event: 0 });
  }

  function eventHappens(): void {
    const event = happened.length + 1;
    happened.push(event);
    if (server === undefined) return;
    server.seq += 1;
    server.log.push({ seq: server.seq, event });
    if (attached) emit(server, event, server.seq);
  }

  function deliverWire(): void {
    for (let next = wire.shift(); next !== undefined; next = wire.shift()) feed(next);
  }

  function timer(late: number): void {
    const due = reducer.deadline(state);
    if (due === undefined) return;
    now = Math.max(now, due) + late;
    feed({ type: 'timer' });
  }

  function acknowledge(): void {
    if (beatsUnanswered > 0) fromServer({ type: 'frame', gen: state.gen, frame: { kind: 'heartbeatAck' } });
    beatsUnanswered = 0;
  }

  function closed(code: number): void {
    if (!isLive(state)) return;
    wire.length = 0;
    attached = false;
    feed({ type: 'socketClosed', gen: state.gen, code });
  }

  function befall({ kind, n }: Fault): void {
    const gen = state.gen;
    switch (kind) {
      case 'event':
        eventHappens();
        return;
      case 'timer':
        timer(n % 3 === 0 ? n % 7 : 0);
        return;
      case 'permit':
        feed(
          n % 8 === 0
            ? { type: 'permitDenied', gen, retryAfterMs: n }
            : { type: 'permitGranted', gen: gen - (n % 5 === 0 ? 1 : 0) },
        );
        return;
      case 'ack':
        acknowledge();
        return;
      case 'send':
        made += 1;
        feed({ type: 'send', id: made, presence: n % 3 === 0 });
        return;
      case 'wait': {
        // Never past the deadline: a timer would have fired.
        const due = reducer.deadline(state) ?? now;
        now = Math.max(now, Math.min(now + (n % 5), due));
        return;
      }
      case 'cut':
        closed(1006);
        return;
      case 'close':
        closed(CLOSE_CODES[n % CLOSE_CODES.length] ?? 1006);
        return;
      case 'reconnect':
        fromServer({ type: 'frame', gen, frame: { kind: 'reconnect' } });
        return;
      case 'ask':
        fromServer({ type: 'frame', gen, frame: { kind: 'heartbeatRequest' } });
        return;
      case 'invalidate':
        fromServer({ type: 'frame', gen, frame: { kind: 'invalidSession', resumable: n % 2 === 0 } });
        return;
      case 'lose':
      case 'repeat':
      case 'swap':
        fate = kind;
        return;
      case 'mute':
        muted = !muted;
        return;
      case 'refuse':
        refusing = n % 4;
        return;
      case 'forget':
        // Only a session that nobody uses times out.
        if (!attached) server = undefined;
        return;
    }
  }

  feed({ type: 'connect' });
  for (const fault of faults) {
    befall(fault);
    // Frames may be under way while other things happen.
    if (fault.n % 4 !== 0) deliverWire();
  }

  muted = false;
  refusing = 0;
  fate = undefined;
  held = undefined;
  // Calm weather: within a bounded number of turns it has to be ready, with everything there.
  for (let turn = 0; turn < 60; turn += 1) {
    deliverWire();
    acknowledge();
    deliverWire();
    if (state.phase === 'awaitingPermit') feed({ type: 'permitGranted', gen: state.gen });
    else if (state.phase !== 'ready') timer(0);
    deliverWire();
    // A last event brings a gap to light, if there is one.
    if (state.phase === 'ready' && turn % 10 === 9) eventHappens();
  }
  deliverWire();
  const { phase } = state;
  const lostBeforeEnd = lost;

  if (random() < 0.5) {
    closed(1006);
    befall({ kind: 'send', n: 0 });
    feed({ type: 'close' });
  } else {
    closed(4004);
  }
  return {
    broken,
    happened,
    delivered,
    lost: lostBeforeEnd,
    sends: { made, settled: settled.size },
    phase,
    finalPhase: state.phase,
  };
}
