/** The limits of sending over a long time, with Discord's own numbers: what the server counts, and when beats come. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createSession, initialSession } from '../../src/protocol/session.js';
import { SESSION_RULES } from '../../src/protocol/session-rules.js';
import type { SessionEffect, SessionInput, SessionState } from '../../src/protocol/session-types.js';

const RULES = { ...SESSION_RULES, sendTimeoutMs: 600_000 };
/** Docs, Gateway: Rate Limiting. */
const LIMIT = 120;
const WINDOW_MS = 60_000;
const HEARTBEAT_MS = 41_250;

interface Happening {
  readonly kind: 'send' | 'burst' | 'presence' | 'ask' | 'wait' | 'cut';
  readonly n: number;
}

/** What one socket sent, and when. */
interface Socket {
  readonly frames: { readonly at: number; readonly kind: 'beat' | 'identify' | 'resume' | 'payload' }[];
  /** Beats that were due by the interval. */
  readonly due: number[];
}

function run(happenings: readonly Happening[]) {
  const reducer = createSession(RULES);
  const sockets: Socket[] = [];
  const settled = new Map<number, string>();
  const sentIds: number[] = [];
  const presences: number[] = [];
  const isPresence = new Set<number>();
  let state: SessionState = initialSession();
  let now = 0;
  let ids = 0;
  let asked = 0;

  function feed(input: SessionInput<number> | { type: 'timer' }): void {
    const { heart } = state as { heart?: { nextAt: number; unansweredSince: number | undefined } };
    const isBeatDue = input.type === 'timer' && heart !== undefined && now >= heart.nextAt;
    if (isBeatDue) sockets.at(-1)?.due.push(heart.nextAt);
    const step = reducer.step<number>(state, { ...input, now, random: 0.5 } as never);
    state = step.state;
    for (const effect of step.effects) carryOut(effect);
  }

  function carryOut(effect: SessionEffect<number>): void {
    const frames = sockets.at(-1)?.frames;
    switch (effect.type) {
      case 'openSocket':
        sockets.push({ frames: [], due: [] });
        inbox.push({
          type: 'frame',
          gen: effect.gen,
          frame: { kind: 'hello', heartbeatIntervalMs: HEARTBEAT_MS },
        });
        return;
      case 'requestPermit':
        inbox.push({ type: 'permitGranted', gen: effect.gen });
        return;
      case 'sendControl': {
        const { kind } = effect.frame;
        frames?.push({ at: now, kind: kind === 'heartbeat' ? 'beat' : kind });
        if (kind === 'identify') {
          presences.push(now);
          const ready = {
            kind: 'ready',
            seq: 1,
            sessionId: `s${effect.gen}`,
            resumeUrl: 'wss://r',
            payload: 0,
          } as const;
          inbox.push({ type: 'frame', gen: effect.gen, frame: ready });
        }
        if (kind === 'resume') {
          const resumed = { kind: 'resumed', seq: effect.frame.seq + 1, payload: 0 } as const;
          inbox.push({ type: 'frame', gen: effect.gen, frame: resumed });
        }
        if (kind === 'heartbeat') {
          inbox.push({ type: 'frame', gen: effect.gen, frame: { kind: 'heartbeatAck' } });
        }
        return;
      }
      case 'transmit':
        frames?.push({ at: now, kind: 'payload' });
        settled.set(effect.id, 'sent');
        if (isPresence.has(effect.id)) presences.push(now);
        else sentIds.push(effect.id);
        return;
      case 'rejectSend':
        settled.set(effect.id, effect.refusal);
        return;
      case 'supersedeSend':
        settled.set(effect.id, 'superseded');
        return;
      default:
    }
  }

  const inbox: SessionInput<number>[] = [];
  function answer(): void {
    for (let next = inbox.shift(); next !== undefined; next = inbox.shift()) feed(next);
  }

  function passTime(ms: number): void {
    const until = now + ms;
    for (let due = reducer.deadline(state); due !== undefined && due <= until; due = reducer.deadline(state)) {
      now = Math.max(now, due);
      feed({ type: 'timer' });
      answer();
    }
    now = until;
  }

  function send(presence: boolean): void {
    ids += 1;
    if (presence) isPresence.add(ids);
    feed({ type: 'send', id: ids, presence });
  }

  feed({ type: 'connect' });
  answer();
  for (const { kind, n } of happenings) {
    if (kind === 'send') send(false);
    if (kind === 'burst') for (let count = 0; count < n; count += 1) send(false);
    if (kind === 'presence') for (let count = 0; count < (n % 8) + 1; count += 1) send(true);
    // As often as there is room for: a server that asks without end asks for trouble.
    if (kind === 'ask' && now - asked >= 25_000) {
      asked = now;
      feed({ type: 'frame', gen: state.gen, frame: { kind: 'heartbeatRequest' } });
    }
    if (kind === 'cut' && state.phase === 'ready') feed({ type: 'socketClosed', gen: state.gen, code: 1006 });
    answer();
    if (kind === 'wait') passTime(n * 311);
  }
  const waiting = ids - settled.size;
  feed({ type: 'close' });
  return { sockets, settled, sentIds, presences, made: ids, waiting };
}

/** The most that fell into one window. */
function most(times: readonly number[], windowMs: number): number {
  return Math.max(0, ...times.map((start) => times.filter((at) => at >= start && at < start + windowMs).length));
}

const happening: fc.Arbitrary<Happening> = fc.record({
  kind: fc.constantFrom('send', 'burst', 'burst', 'presence', 'ask', 'wait', 'wait', 'wait', 'cut'),
  n: fc.nat(150),
});

test('never more than 120 frames in any 60 s of one socket, beats on time, all in order, each send settled', () => {
  const tops: number[] = [];
  fc.assert(
    fc.property(fc.array(happening, { minLength: 10, maxLength: 60, size: 'max' }), (happenings) => {
      const { sockets, settled, sentIds, presences, made } = run(happenings);
      for (const { frames, due } of sockets) {
        const top = most(
          frames.map(({ at }) => at),
          WINDOW_MS,
        );
        tops.push(top);
        expect(top).toBeLessThanOrEqual(LIMIT);
        const beats = frames.filter(({ kind }) => kind === 'beat').map(({ at }) => at);
        expect(beats).toEqual(expect.arrayContaining(due));
      }
      expect(most(presences, 20_000)).toBeLessThanOrEqual(5);
      expect(sentIds).toEqual([...sentIds].sort((a, b) => a - b));
      expect(settled.size).toBe(made);
    }),
    { numRuns: 300, seed: 20_260_101 },
  );
  // The limit is used, not only kept.
  expect(Math.max(...tops)).toBeGreaterThan(110);
});

test('a burst leaves at once as far as there is room, and the rest when the window has moved on', () => {
  const { sockets, sentIds } = run([
    { kind: 'burst', n: 150 },
    { kind: 'wait', n: 200 },
  ]);
  const times = sockets[0]?.frames.filter(({ kind }) => kind === 'payload').map(({ at }) => at) ?? [];
  expect(sentIds).toHaveLength(150);
  // 120, less two beats, three that may be asked for, and the IDENTIFY.
  expect(times.filter((at) => at === 0)).toHaveLength(114);
  expect(times.filter((at) => at === 61_000)).toHaveLength(36);
});

test('the last presence wins, and no more than five go out in 20 s', () => {
  const { settled, presences } = run([
    { kind: 'presence', n: 7 },
    { kind: 'wait', n: 100 },
  ]);
  // IDENTIFY's counts: four go at once, the eighth takes the places of the fifth to the seventh.
  expect([...settled].sort(([a], [b]) => a - b).map(([, outcome]) => outcome)).toEqual([
    'sent',
    'sent',
    'sent',
    'sent',
    'superseded',
    'superseded',
    'superseded',
    'sent',
  ]);
  expect(presences).toEqual([0, 0, 0, 0, 0, 21_000]);
});

test('a new socket begins anew, with presences still counted', () => {
  const { sockets, presences } = run([
    { kind: 'burst', n: 150 },
    { kind: 'presence', n: 7 },
    { kind: 'cut', n: 0 },
    { kind: 'wait', n: 10 },
  ]);
  expect(sockets[1]?.frames.filter(({ kind }) => kind === 'payload').length).toBe(37);
  // IDENTIFY's, and the last of eight: the window of the first socket was full.
  expect(presences).toHaveLength(2);
});
