/** Clients that go and come back at random, over an engine whose answers come late: all end with exactly the log. */

import { type HubEngine, memoryEngine } from '@guildkit/server-kit/hub';
import { createVirtualClock } from '@guildkit/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createHost, ModelConnection } from '../support/in-memory-hub.js';

const ROOM = 'channel:10';
const CLIENTS = 3;

type Op =
  | { readonly type: 'publish'; readonly user: number; readonly left: boolean }
  | { readonly type: 'connect' | 'disconnect' | 'subscribe'; readonly client: number }
  | { readonly type: 'settle'; readonly turns: number };

const client = fc.nat(CLIENTS - 1);
const ops = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ type: fc.constant('publish' as const), user: fc.nat(4), left: fc.boolean() }) },
    { weight: 3, arbitrary: fc.record({ type: fc.constant('connect' as const), client }) },
    { weight: 2, arbitrary: fc.record({ type: fc.constant('disconnect' as const), client }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('subscribe' as const), client }) },
    { weight: 4, arbitrary: fc.record({ type: fc.constant('settle' as const), turns: fc.constantFrom(1, 2, 4, 40) }) },
  ),
  { maxLength: 80, size: 'max' },
);

/** Answers late, by a chosen number of turns: before it looks, and after. */
function late(engine: HubEngine, delays: () => number): HubEngine {
  const wait = async () => {
    for (let turn = delays(); turn > 0; turn -= 1) await Promise.resolve();
  };
  return {
    ...engine,
    async read(room, since) {
      await wait();
      const read = await engine.read(room, since);
      await wait();
      return read;
    },
    async watch(room, listener) {
      await wait();
      const stop = await engine.watch(room, listener);
      await wait();
      return stop;
    },
  };
}

interface Outcome {
  readonly broken: string | undefined;
  readonly recovered: number;
  readonly restored: number;
}

async function play(
  list: readonly Op[],
  delayList: readonly number[],
  maxEvents: number,
  bend = (engine: HubEngine) => engine,
): Promise<Outcome> {
  const clock = createVirtualClock();
  let turn = 0;
  const delays = () => delayList[turn++ % delayList.length] ?? 0;
  const engine = memoryEngine({ clock, maxEvents });
  const host = createHost(late(bend(engine), delays), clock);
  const connections = Array.from({ length: CLIENTS }, () => new ModelConnection(host, ROOM));
  const settle = async (turns: number) => {
    for (let n = 0; n < turns; n += 1) await Promise.resolve();
  };
  let published = 0;
  const publish = (user: number, left: boolean) => {
    published += 1;
    const person = {
      guildId: '1',
      channelId: '10',
      userId: `${user}`,
      username: 'n',
      avatar: null,
      timestamp: published,
    };
    const payload = left ? person : { ...person, mute: published % 2 === 0, deaf: false, video: false };
    return engine.publish(ROOM, { event: left ? 'voice.left' : 'voice.joined', payload, id: `${published}`, ts: 1 });
  };
  for (const op of list) {
    const one = 'client' in op ? connections[op.client] : undefined;
    if (op.type === 'publish') void publish(op.user, op.left);
    else if (op.type === 'settle') await settle(op.turns);
    else if (op.type === 'connect') one?.connect();
    else if (op.type === 'disconnect') one?.disconnect();
    else one?.subscribe();
  }
  for (const connection of connections) connection.connect();
  // No further event: a hole must not need the next one to be noticed.
  await settle(400);

  const truth = await engine.read(ROOM);
  const outcome = { recovered: 0, restored: 0 };
  for (const connection of connections) {
    const { client: model } = connection;
    outcome.recovered += model.recovered;
    outcome.restored += model.restored;
    let broken = model.broken;
    if (new Set(model.applied).size !== model.applied.length) broken ??= 'an event twice';
    if (model.position?.seq !== truth.seq || model.position.epoch !== truth.epoch) broken ??= 'not at the end';
    if (JSON.stringify(model.snapshot) !== JSON.stringify(truth.snapshot)) broken ??= 'another state';
    // A log that keeps everything: after the first state, events alone.
    const first = Number(model.applied[0]?.split(' ')[1] ?? truth.seq + 1);
    if (maxEvents > list.length && model.applied.length !== truth.seq - first + 1)
      broken ??= 'not every event was told';
    connection.disconnect();
    if (broken !== undefined) return { ...outcome, broken };
  }
  await settle(200);
  if (host.feeds.size !== 0) return { ...outcome, broken: 'a room is still listened to' };
  if (clock.pending !== 0) return { ...outcome, broken: 'a timer is left' };
  return { ...outcome, broken: undefined };
}

const delayLists = fc.array(fc.nat(6), { minLength: 1, maxLength: 20 });

describe('recovery', () => {
  it('gives every client exactly the log, whatever it missed', async () => {
    let recovered = 0;
    let restored = 0;
    await fc.assert(
      fc.asyncProperty(ops, delayLists, fc.constantFrom(0, 1, 5, 1_000), async (list, delayList, maxEvents) => {
        const outcome = await play(list, delayList, maxEvents);
        recovered += outcome.recovered;
        restored += outcome.restored;
        expect(outcome.broken).toBeUndefined();
      }),
      { numRuns: 300 },
    );
    // Both ways were taken: a run in which nobody recovers proves nothing.
    expect(recovered).toBeGreaterThan(50);
    expect(restored).toBeGreaterThan(50);
  });

  const MUTANTS: Record<string, (engine: HubEngine) => HubEngine> = {
    'history that lacks its last event': (engine) => ({
      ...engine,
      read: async (room, since) => {
        const read = await engine.read(room, since);
        return read.recovered ? { ...read, events: read.events.slice(0, -1) } : read;
      },
    }),
    'history that starts one too early': (engine) => ({
      ...engine,
      read: (room, since) => engine.read(room, since && { ...since, seq: Math.max(0, since.seq - 1) }),
    }),
    'a snapshot that is older than its number': (engine) => {
      const before = new Map<string, Awaited<ReturnType<HubEngine['read']>>>();
      return {
        ...engine,
        read: async (room, since) => {
          const read = await engine.read(room, since);
          const old = before.get(room) ?? read;
          before.set(room, read);
          return { ...read, snapshot: old.snapshot };
        },
      };
    },
    'a feed that is live too late': (engine) => ({
      ...engine,
      watch: async (room, listener) => {
        let stop = () => {};
        void (async () => {
          for (let turn = 0; turn < 40; turn += 1) await Promise.resolve();
          stop = await engine.watch(room, listener);
        })();
        return () => stop();
      },
    }),
  };

  for (const [name, bend] of Object.entries(MUTANTS)) {
    it(`is checked well enough to catch ${name}`, async () => {
      const { failed } = await fc.check(
        fc.asyncProperty(ops, delayLists, fc.constantFrom(0, 5, 1_000), async (list, delayList, maxEvents) => {
          expect((await play(list, delayList, maxEvents, bend)).broken).toBeUndefined();
        }),
        { numRuns: 300, seed: 3 },
      );
      expect(failed).toBe(true);
    });
  }
});
