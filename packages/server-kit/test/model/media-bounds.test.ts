/** What may wait for a page, and what a page may send: against their meaning, with mutants; and every state of the session. */
import { explore } from '@guildkit/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Intake } from '../../src/media/protocol/intake.js';
import { Outflow, type Outgoing } from '../../src/media/protocol/outflow.js';
import {
  createMediaReducer,
  type MediaEffect,
  type MediaInput,
  type MediaSession,
  newMediaSession,
} from '../../src/media/protocol/session.js';

type Kind = Outgoing['kind'];
const pushes = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        type: fc.constant('push' as const),
        kind: fc.constantFrom<Kind>('audio', 'video', 'video', 'video', 'control'),
        stream: fc.nat(1),
        keyframe: fc.boolean(),
        size: fc.integer({ min: 1, max: 40 }),
      }),
    },
    { weight: 2, arbitrary: fc.constant({ type: 'shift' as const }) },
  ),
  { maxLength: 80, size: 'max' },
);
type Op = typeof pushes extends fc.Arbitrary<(infer T)[]> ? T : never;

/** The meaning: bounded; audio and control all come out, in order; of video only what can be decoded; drops are told. */
function brokenRule(
  list: readonly Op[],
  flow: Pick<Outflow, 'push' | 'shift' | 'bytes' | 'length'>,
): string | undefined {
  let numbers = 0;
  const kept: number[] = [];
  const out: { n: number; kind: Kind }[] = [];
  /** By stream: the numbers of all frames of video that were pushed, with whether each is a keyframe. */
  const pushed = new Map<number, { n: number; keyframe: boolean }[]>();
  const told = new Set<number>();
  const take = () => {
    const frame = flow.shift();
    if (frame !== undefined) out.push({ n: new DataView(frame.bytes.buffer).getUint32(0), kind: frame.kind });
  };
  for (const op of list) {
    if (op.type === 'shift') {
      take();
      continue;
    }
    numbers += 1;
    const bytes = new Uint8Array(op.size + 4);
    new DataView(bytes.buffer).setUint32(0, numbers);
    const { kind, stream, keyframe } = op;
    if (kind === 'video') pushed.set(stream, [...(pushed.get(stream) ?? []), { n: numbers, keyframe }]);
    const lost = flow.push({ kind, stream, keyframe, bytes });
    if (lost === 'full') return undefined;
    for (const each of lost) told.add(each);
    if (kind !== 'video') kept.push(numbers);
    if (flow.bytes > 100) return 'more bytes than the bound';
  }
  while (flow.length > 0) take();
  if (flow.bytes !== 0) return 'bytes are counted wrong';
  if (out.some(({ n }, at) => at > 0 && n <= (out[at - 1]?.n ?? 0))) return 'out of order';
  if (
    out
      .filter(({ kind }) => kind !== 'video')
      .map(({ n }) => n)
      .join() !== kept.join()
  )
    return 'audio was dropped';
  const given = new Set(out.map(({ n }) => n));
  for (const [stream, frames] of pushed) {
    let isWhole = true;
    for (const { n, keyframe } of frames) {
      if (!given.has(n)) {
        isWhole = false;
        if (!told.has(stream)) return 'a drop that nobody is told of';
      } else if (keyframe) isWhole = true;
      else if (!isWhole) return 'video that cannot be decoded';
    }
  }
  return undefined;
}

const failed = (create: () => Pick<Outflow, 'push' | 'shift' | 'bytes' | 'length'>) =>
  fc.check(
    fc.property(pushes, (list) => brokenRule(list, create()) === undefined),
    { numRuns: 500, seed: 11 },
  ).failed;

describe('what waits for a page', () => {
  it('is bounded, drops oldest video first and never audio, and nothing that cannot be decoded is sent', () => {
    expect(failed(() => new Outflow(100))).toBe(false);
    // Without a bound that bites nothing is dropped.
    const flow = new Outflow(10_000);
    for (let n = 0; n < 50; n += 1) {
      expect(flow.push({ kind: 'video', stream: 1, keyframe: n === 0, bytes: new Uint8Array(100) })).toEqual(new Set());
    }
    expect(flow.length).toBe(50);
    expect(new Outflow(10).push({ kind: 'audio', stream: 1, keyframe: false, bytes: new Uint8Array(11) })).toBe('full');
  });

  const MUTANTS: Record<string, () => Outflow> = {
    'a bound of a bit more': () => new Outflow(104),
    'a delta frame after a drop': () =>
      new (class extends Outflow {
        override push(frame: Outgoing) {
          return super.push({ ...frame, keyframe: true });
        }
      })(100),
    'newest first': () =>
      new (class extends Outflow {
        override shift(): Outgoing | undefined {
          const first = super.shift();
          const second = super.shift();
          if (second !== undefined && first !== undefined) super.push(first);
          return second ?? first;
        }
      })(100),
    'nobody is told': () =>
      new (class extends Outflow {
        override push(frame: Outgoing) {
          const lost = super.push(frame);
          return lost === 'full' ? lost : new Set<number>();
        }
      })(100),
    'audio is dropped like video': () =>
      new (class extends Outflow {
        override push(frame: Outgoing) {
          return super.push(frame.kind === 'audio' ? { ...frame, kind: 'video', keyframe: true } : frame);
        }
      })(100),
  };
  for (const [name, create] of Object.entries(MUTANTS)) {
    it(`is checked well enough to tell: ${name}`, () => {
      expect(failed(create)).toBe(true);
    });
  }
});

describe('what a page may send', () => {
  const limits = { maxBitsPerSecond: 8_000, maxFramesPerSecond: 10 };

  it('is its bits: above, video is dropped until a keyframe fits, and audio never', () => {
    const intake = new Intake(limits, 0);
    expect(intake.take('video', 900, true, 0)).toBe('take');
    expect(intake.ask(0)).toBe(false);
    expect(intake.take('video', 200, false, 0)).toBe('drop');
    expect([intake.ask(0), intake.ask(499), intake.ask(500)]).toEqual([true, false, true]);
    expect(intake.take('audio', 500, false, 0)).toBe('take');
    // There would be room again, but nothing to build on.
    expect(intake.take('video', 10, false, 900)).toBe('drop');
    expect(intake.take('video', 10, true, 900)).toBe('take');
    expect(intake.take('video', 10, false, 900)).toBe('take');
    expect(intake.ask(2_000)).toBe(false);
  });

  it('is its frames: more than any encoder makes is a flood', () => {
    const intake = new Intake(limits, 0);
    for (let n = 0; n < 10; n += 1) expect(intake.take('audio', 1, false, 0)).toBe('take');
    expect(intake.take('other', 1, false, 99)).toBe('flood');
    expect(intake.take('audio', 1, false, 100)).toBe('take');
  });

  it('never exceeds its bits over any time', () => {
    const step = fc.record({ waitMs: fc.nat(300), bytes: fc.integer({ min: 1, max: 1_500 }), keyframe: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (list) => {
        const intake = new Intake({ maxBitsPerSecond: 8_000, maxFramesPerSecond: 100_000 }, 0);
        let now = 0;
        let bits = 0;
        let isWhole = true;
        for (const { waitMs, bytes, keyframe } of list) {
          now += waitMs;
          if (intake.take('video', bytes, keyframe, now) === 'take') {
            bits += bytes * 8;
            expect(isWhole || keyframe).toBe(true);
            isWhole = true;
          } else isWhole = false;
        }
        expect(bits).toBeLessThanOrEqual(8_000 + now * 8 + 1e-6);
      }),
    );
  });
});

describe('a media session', () => {
  const LIMITS = { authTimeoutMs: 10, heartbeatMs: 20, pongTimeoutMs: 10 };
  type Input = MediaInput | { readonly type: 'timer' };
  interface World {
    readonly session: MediaSession;
    readonly now: number;
    readonly opened: boolean;
    readonly asked: readonly number[];
    readonly seats: number;
  }
  const reducer = createMediaReducer(LIMITS);
  const someone = (userId: string) => ({ userId, roles: [], expiresAt: 1_000 });

  const inputs = ({ session, opened, asked, seats }: World): readonly Input[] => {
    if (!opened) return [{ type: 'opened' }];
    const list: Input[] = [
      { type: 'auth', token: 't' },
      { type: 'pong' },
      { type: 'broken', code: 4400, cause: 'ERR_MEDIA_FRAME_INVALID' },
      { type: 'drain' },
      { type: 'socketClosed' },
      { type: 'authFailed', attempt: -1, unavailable: true },
    ];
    for (const attempt of asked) {
      const known = { type: 'authenticated', attempt, expiresInMs: 30, admitted: true } as const;
      list.push(
        { ...known, principal: someone('1') },
        { ...known, principal: someone('1'), admitted: false },
        { ...known, principal: someone('1'), expiresInMs: 0 },
        ...(session.principal === undefined ? [] : [{ ...known, principal: someone('2') }]),
        { type: 'authFailed', attempt, unavailable: true },
        { type: 'authFailed', attempt, unavailable: false },
      );
    }
    if (seats > 0) list.push({ type: 'seated' }, { type: 'unseated', cause: 'ERR_MEDIA_SEAT_UNAVAILABLE' });
    return reducer.deadline(session) === undefined ? list : [...list, { type: 'timer' }];
  };
  const step = (world: World, input: Input): { state: World; effects: readonly MediaEffect[] } => {
    const due = reducer.deadline(world.session);
    const now = input.type === 'timer' ? Math.max(world.now, due ?? world.now) : world.now;
    const { state: session, effects } = reducer.step(world.session, { ...input, now, random: 0 });
    let { asked, seats } = world;
    if ('attempt' in input) asked = asked.filter((attempt) => attempt !== input.attempt);
    if (input.type === 'seated' || input.type === 'unseated') seats -= 1;
    for (const effect of effects) {
      if (effect.type === 'authenticate') asked = [...asked, effect.attempt];
      if (effect.type === 'takeSeat') seats += 1;
    }
    return { state: { session, now, opened: world.opened || input.type === 'opened', asked, seats }, effects };
  };
  const rel = (time: number | undefined, now: number) => (time === undefined ? null : Math.max(-1, time - now));

  it('keeps its rules in every reachable state', () => {
    const found = explore<World, Input, MediaEffect>({
      initial: { session: newMediaSession(LIMITS, 0), now: 0, opened: false, asked: [], seats: 0 },
      inputs,
      step,
      key: ({ session, now, opened, asked, seats }) =>
        session.phase === 'closed'
          ? 'closed'
          : JSON.stringify([
              session.phase,
              session.principal?.userId,
              session.attempt === undefined,
              [session.authBy, session.endsAt, session.pingAt, session.pongBy].map((time) => rel(time, now)),
              opened,
              [...new Set(asked.map((attempt) => attempt === session.attempt))].sort(),
              seats,
            ]),
      label: ({ type }) => type,
      phase: ({ session }) => session.phase,
      invariant: ({ from, input, to, effects }) => {
        const [before, after] = [from.session, to.session];
        const of = (type: MediaEffect['type']) => effects.filter((effect) => effect.type === type).length;
        if (before.phase === 'closed') return effects.length > 0 ? 'closed is the end' : undefined;
        const ends = after.phase === 'closed';
        if (of('release') !== (ends ? 1 : 0) || (ends && effects.at(-1)?.type !== 'release'))
          return 'release, once, last';
        if (of('close') > (ends ? 1 : 0)) return 'close only at the end';
        if (ends && input.type !== 'socketClosed' && of('close') !== 1) return 'the page is told why';
        if (ends && reducer.deadline(after) !== undefined) return 'no timer after the end';
        if (!ends && reducer.deadline(after) === undefined) return 'stuck';
        if (input.type === 'timer' && before === after) return 'a timer that changes nothing';
        if (of('takeSeat') > 0 && (before.principal !== undefined || after.principal === undefined)) return 'one seat';
        if (of('ready') > 0 && (input.type !== 'seated' || after.phase !== 'open')) return 'ready with a seat';
        if (!ends && (after.phase === 'seating' || after.phase === 'open') !== (after.principal !== undefined)) {
          return 'a seat for someone known';
        }
        if (before.principal && after.principal && before.principal.userId !== after.principal.userId)
          return 'one user';
        return undefined;
      },
    });
    expect(found.violation).toBeUndefined();
    expect(found.complete).toBe(true);
    expect(found.states).toBeGreaterThan(30);
  });
});
