/** The session as a model for the exhaustive search: small rules, every input, states told apart by what matters. */
import type { Stamp, TimerInput } from '@guildkit/core';
import { type Exploration, explore } from '@guildkit/testkit';
import { closeCode } from '../../src/protocol/close-codes.js';
import { waitingIn } from '../../src/protocol/outbox.js';
import { createSession, initialSession, type SessionReducer } from '../../src/protocol/session.js';
import type { SessionRules } from '../../src/protocol/session-rules.js';
import type { SessionInput, SessionState } from '../../src/protocol/session-types.js';
import {
  brokenInvariant,
  type Effect,
  type Input,
  isLive,
  nextWire,
  type Payload,
  SILENT_WIRE,
  type Wire,
} from './session-invariants.js';

/** Times share a step of ten, so that few differences arise. */
export const MODEL_RULES: SessionRules = {
  helloTimeoutMs: 20,
  permitTimeoutMs: 40,
  readyTimeoutMs: 20,
  resumeTimeoutMs: 20,
  sendTimeoutMs: 20,
  maxQueuedSends: 2,
  // With a beat every 20: two payloads, one beat.
  sendLimit: { limit: 3, windowMs: 20 },
  presenceLimit: { limit: 1, windowMs: 20 },
  spareBeats: 0,
  maxHeartbeatMs: 40,
  backoff: { baseMs: 20, capMs: 40, minMs: 10 },
  invalidSessionWaitMs: { min: 20, max: 40 },
  maxRetryAfterMs: 40,
  maxPermitDelayMs: 40,
  alertAfterAttempts: 2,
  degradedAfterMs: 50,
  gapRestMs: 30,
  lateTimerMs: 5,
  lateGraceMs: 10,
  closeCode,
};

/**
 * What is searched: the connection's life, with sends that are never held back, or the sends, with a life of few
 * events. Both at once have more states than a search on every push can visit.
 */
export type Scope = 'life' | 'sends';

const UNLIMITED = { limit: 3, windowMs: 0 };

export const SCOPE_RULES: Readonly<Record<Scope, SessionRules>> = {
  life: { ...MODEL_RULES, maxQueuedSends: 1, sendLimit: UNLIMITED, presenceLimit: UNLIMITED },
  sends: {
    ...MODEL_RULES,
    helloTimeoutMs: 10,
    permitTimeoutMs: 10,
    readyTimeoutMs: 10,
    resumeTimeoutMs: 10,
    backoff: { baseMs: 20, capMs: 20, minMs: 10 },
    alertAfterAttempts: Number.POSITIVE_INFINITY,
    degradedAfterMs: Number.POSITIVE_INFINITY,
  },
};

/** What happens to a connection while its sends are searched. */
const SENDS_LABELS: ReadonlySet<string> = new Set([
  'connect',
  'close()',
  'send',
  'send presence',
  'abort send',
  'timer',
  'closed 1006',
  'permit',
  'HELLO',
  'ACK',
  'heartbeat request',
  'READY',
  'RESUMED',
]);

interface ModelState {
  readonly session: SessionState;
  readonly now: number;
  readonly sends: number;
  readonly wire: Wire;
}

interface ModelInput {
  readonly label: string;
  readonly input: Input;
}

/** Checks every rule on every transition. `effects` are the kinds of effect that came up. */
export function exploreSession(options: { scope?: Scope; make?: (rules: SessionRules) => SessionReducer } = {}): {
  readonly exploration: Exploration;
  readonly effects: ReadonlySet<string>;
} {
  const { scope = 'life', make = createSession } = options;
  const rules = SCOPE_RULES[scope];
  const reducer = make(rules);
  const seen = new Set<string>();
  const exploration = explore<ModelState, ModelInput, Effect>({
    initial: { session: initialSession(), now: 0, sends: 0, wire: SILENT_WIRE },
    inputs: (state) =>
      inputsOf(state, reducer).filter(({ label }) =>
        scope === 'life' ? label !== 'send presence' : SENDS_LABELS.has(label),
      ),
    step({ session, sends, wire }, { input }) {
      const { state: next, effects } = reducer.step<Payload>(session, input);
      const state = {
        session: next,
        now: input.now,
        sends: sends + (input.type === 'send' ? 1 : 0),
        wire: nextWire(wire, { from: session, input, to: next, effects }, rules),
      };
      return { state, effects };
    },
    key: (state) => keyOf(state, scope, rules),
    invariant({ from, input, to, effects }) {
      for (const effect of effects) seen.add(kindOf(effect));
      const transition = { from: from.session, input: input.input, to: to.session, effects };
      return brokenInvariant(transition, rules, reducer, from.wire);
    },
    label: ({ label }) => label,
    phase: ({ session }) => session.phase,
    maxStates: 300_000,
  });
  return { exploration, effects: seen };
}

function kindOf(effect: Effect): string {
  switch (effect.type) {
    case 'sendControl':
      return effect.frame.kind;
    case 'rejectSend':
      return `${effect.type} ${effect.refusal}`;
    case 'closeSocket':
      return `${effect.type} ${effect.how}`;
    case 'gap':
      return `${effect.type} ${effect.recovery}`;
    case 'drop':
      return `${effect.type} ${effect.what}`;
    default:
      return effect.type;
  }
}

function inputsOf({ session, now, sends }: ModelState, reducer: SessionReducer): ModelInput[] {
  const inputs: ModelInput[] = [];
  const add = (label: string, input: SessionInput<Payload> | TimerInput, stamp: Partial<Stamp> = {}): void => {
    inputs.push({ label, input: { now, random: 0.5, ...stamp, ...input } as Input });
  };
  add('connect', { type: 'connect' });
  add('close()', { type: 'close' });
  add('detach()', { type: 'detach' });
  add('send', { type: 'send', id: sends + 1 });
  add('send presence', { type: 'send', id: sends + 1, presence: true });
  add('abort send', { type: 'cancelSend', id: waitingIn(session.outbox)[0]?.id ?? 0 });
  const due = reducer.deadline(session);
  // A timer fires when it is due, or late.
  if (due !== undefined) add('timer', { type: 'timer' }, { now: Math.max(now, due) });
  if (due !== undefined) add('timer', { type: 'timer' }, { now: Math.max(now, due) + 10 });
  if (!isLive(session)) {
    // What the last socket may still say.
    add('stale close', { type: 'socketClosed', gen: session.gen, code: 4004 });
    add('stale frame', { type: 'frame', gen: session.gen, frame: { kind: 'hello', heartbeatIntervalMs: 40 } });
    return inputs;
  }
  for (const code of [1000, 1006, 4000, 4004, 4009])
    add(`closed ${code}`, { type: 'socketClosed', gen: session.gen, code });
  add('stale close', { type: 'socketClosed', gen: session.gen - 1, code: 4004 });
  add('stale frame', { type: 'frame', gen: session.gen - 1, frame: { kind: 'dispatch', seq: 1, payload: 0 } });
  add('stale permit', { type: 'permitGranted', gen: session.gen - 1 });
  add('permit', { type: 'permitGranted', gen: session.gen });
  add('permit denied', { type: 'permitDenied', gen: session.gen, retryAfterMs: 50 });
  add('stream corrupt', { type: 'streamCorrupt', gen: session.gen });
  if (session.phase === 'connecting') {
    for (const status of [401, 403, 429, 503]) {
      add(`HTTP ${status}`, { type: 'upgradeRefused', gen: session.gen, status, retryAfterMs: 60 });
    }
  }
  const seq = session.session?.seq ?? 0;
  const frames: [string, Extract<SessionInput<Payload>, { type: 'frame' }>['frame']][] = [
    ['HELLO', { kind: 'hello', heartbeatIntervalMs: 20 }],
    ['ACK', { kind: 'heartbeatAck' }],
    ['heartbeat request', { kind: 'heartbeatRequest' }],
    ['RECONNECT', { kind: 'reconnect' }],
    ['INVALID_SESSION true', { kind: 'invalidSession', resumable: true }],
    ['INVALID_SESSION false', { kind: 'invalidSession', resumable: false }],
    // The reducer may not tell sessions apart by anything but their id.
    ['READY', { kind: 'ready', seq: 1, sessionId: `s${session.gen}`, resumeUrl: 'wss://resume', payload: 1 }],
    ['RESUMED', { kind: 'resumed', seq: seq + 1, payload: 0 }],
    ['RESUMED', { kind: 'resumed', seq, payload: 0 }],
    ['RESUMED with a gap', { kind: 'resumed', seq: seq + 2, payload: 0 }],
    ['duplicate', { kind: 'dispatch', seq, payload: seq }],
    ['dispatch', { kind: 'dispatch', seq: seq + 1, payload: seq + 1 }],
    ['gap', { kind: 'dispatch', seq: seq + 2, payload: seq + 2 }],
  ];
  for (const [label, frame] of frames) add(label, { type: 'frame', gen: session.gen, frame });
  return inputs;
}

/** Two states are the same when nothing that follows can tell them apart: times are relative, numbers erased. */
function keyOf({ session, now }: ModelState, scope: Scope, rules: SessionRules): string {
  const { phase, attempts, outage, gapAt, gapRestUntil, outbox } = session;
  const age = (log: readonly number[], windowMs: number): number[] =>
    log.map((at) => now - at).filter((ms) => ms < windowMs);
  return JSON.stringify([
    phase,
    // Beyond five only the parity matters, for the choice of address; the backoff has reached its cap.
    scope === 'sends' ? 0 : attempts < 5 ? attempts : 5 + (attempts % 2),
    session.session !== undefined,
    gapAt === undefined ? 'none' : gapAt === (session.session?.seq ?? Number.NaN) + 1,
    gapRestUntil === undefined ? 0 : Math.max(0, gapRestUntil - now),
    session.excused,
    outage === undefined || scope === 'sends' ? 0 : outage.told ? 'told' : now - outage.since,
    outbox.queue.map(({ expiresAt }) => expiresAt - now),
    outbox.presence === undefined ? -1 : outbox.presence.expiresAt - now,
    age(outbox.sent, rules.sendLimit.windowMs),
    age(outbox.presences, rules.presenceLimit.windowMs),
    'until' in session ? session.until - now : 0,
    'heart' in session
      ? [
          session.heart.nextAt - now,
          session.heart.unansweredSince === undefined ? -1 : now - session.heart.unansweredSince,
          session.heart.excused,
        ]
      : 0,
  ]);
}
