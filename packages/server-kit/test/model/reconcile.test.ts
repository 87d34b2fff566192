/** Discord events with losses and doubles, then a snapshot: rooms and clients end with the truth. */
import type { DomainEvent } from '@guildkit/core';
import { memoryEngine } from '@guildkit/server-kit/hub';
import { createVirtualClock } from '@guildkit/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DiscordSink } from '../../src/hub/io/discord-sink.js';
import { MAX_SINGLE_CHANGES, planSnapshot } from '../../src/hub/protocol/discord-plan.js';
import {
  created,
  deleted,
  domainEvent,
  GUILD,
  joined,
  left,
  moved,
  person,
  snapshot,
  updated,
} from '../support/events.js';
import { createHost, ModelConnection } from '../support/in-memory-hub.js';

const CHANNELS = ['10', '11', '12'];
const GUILD_ROOM = `guild:${GUILD}`;
const turns = async (n: number) => {
  for (let turn = 0; turn < n; turn += 1) await Promise.resolve();
};

/** Discord itself: who is where. */
class Truth {
  readonly channels = new Set<string>(['10', '11']);
  readonly voice = new Map<string, { channelId: string; mute: boolean }>();

  /** What happens, and the events it makes. */
  act(action: Action): readonly DomainEvent[] {
    const { channelId, userId } = action;
    const state = this.voice.get(userId);
    switch (action.type) {
      case 'enter': {
        if (!this.channels.has(channelId) || state?.channelId === channelId) return [];
        this.voice.set(userId, { channelId, mute: false });
        return [state === undefined ? joined(userId, channelId) : moved(userId, state.channelId, channelId)];
      }
      case 'leave':
        if (state === undefined) return [];
        this.voice.delete(userId);
        return [left(userId, action.vague ? null : state.channelId)];
      case 'mute':
        if (state === undefined) return [];
        this.voice.set(userId, { ...state, mute: !state.mute });
        return [updated(userId, state.channelId, !state.mute)];
      case 'create':
        if (this.channels.has(channelId)) return [];
        this.channels.add(channelId);
        return [created(channelId)];
      case 'delete': {
        // Never the last: an id that Discord gave once it gives to no other channel, so a deleted one stays deleted.
        if (!this.channels.has(channelId)) return [];
        const inside = [...this.voice].filter(([, each]) => each.channelId === channelId).map(([id]) => id);
        for (const id of inside) this.voice.delete(id);
        this.channels.delete(channelId);
        return [...inside.map((id) => left(id, channelId)), deleted(channelId)];
      }
    }
  }

  snapshot(id?: string): DomainEvent {
    const members = [...this.voice].map(([userId, each]) => ({ userId, ...each }));
    return snapshot(members, [...this.channels], id);
  }
}

interface Action {
  readonly type: 'enter' | 'leave' | 'mute' | 'create' | 'delete';
  readonly userId: string;
  readonly channelId: string;
  readonly vague: boolean;
  readonly fate: 'arrives' | 'lost' | 'twice';
}

const actions = fc.array(
  fc.record<Action>({
    type: fc.constantFrom('enter', 'enter', 'enter', 'leave', 'mute', 'create', 'delete'),
    userId: fc.constantFrom('1', '2', '3', '4'),
    channelId: fc.constantFrom(...CHANNELS),
    vague: fc.boolean(),
    fate: fc.constantFrom('arrives', 'arrives', 'lost', 'twice'),
  }),
  { maxLength: 40, size: 'max' },
);

const membersOf = (state: unknown) =>
  ((state as { members?: readonly { userId: string; mute: boolean }[] }).members ?? [])
    .map(({ userId, mute }) => `${userId}${mute ? ' muted' : ''}`)
    .sort();

/** A sink that forgets one of its duties. */
type Bend = (event: DomainEvent) => DomainEvent | undefined;

async function play(
  list: readonly Action[],
  again: boolean,
  bend: Bend = (event) => event,
): Promise<string | undefined> {
  const clock = createVirtualClock();
  const engine = memoryEngine({ clock });
  const failures: unknown[] = [];
  const sink = new DiscordSink(engine, {
    published: () => {},
    invalid: (problem) => failures.push(problem),
    failed: (error) => failures.push(error),
  });
  const accept = async (event: DomainEvent) => {
    const bent = bend(event);
    if (bent !== undefined) await sink.accept(bent);
  };
  const host = createHost(engine, clock);
  const connections = [...CHANNELS.map((id) => `channel:${id}`), GUILD_ROOM].map(
    (room) => new ModelConnection(host, room),
  );
  for (const connection of connections) connection.connect();
  await turns(20);

  const truth = new Truth();
  await accept(truth.snapshot());
  for (const action of list) {
    for (const event of truth.act(action)) {
      if (action.fate !== 'lost') await accept(event);
      if (action.fate === 'twice') await accept(event);
    }
  }
  const last = truth.snapshot();
  await accept(last);
  const positions = await Promise.all(CHANNELS.map((id) => engine.read(`channel:${id}`)));
  // What agrees is told nothing: neither by the same snapshot again nor by another that says the same.
  await accept(again ? last : truth.snapshot());
  await turns(50);
  if (failures.length > 0) return `failure: ${failures[0]}`;

  for (const [index, id] of CHANNELS.entries()) {
    const read = await engine.read(`channel:${id}`);
    const expected = [...truth.voice]
      .filter(([, each]) => each.channelId === id)
      .map(([userId, { mute }]) => `${userId}${mute ? ' muted' : ''}`);
    if (membersOf(read.snapshot).join() !== expected.sort().join()) return `room ${id} does not show the truth`;
    if (truth.channels.has(id) && (read.snapshot as { state?: string }).state !== 'open')
      return `room ${id} is not open`;
    if (read.seq !== positions[index]?.seq) return `room ${id} was told what it knew`;
    const model = connections[index]?.client;
    if (model?.broken !== undefined) return model.broken;
    if (JSON.stringify(model?.snapshot) !== JSON.stringify(read.snapshot)) return `client of ${id} differs`;
  }
  const guild = await engine.read(GUILD_ROOM);
  const channels = (guild.snapshot as { channels?: readonly { channelId: string }[] }).channels ?? [];
  if (
    channels
      .map(({ channelId }) => channelId)
      .sort()
      .join() !== [...truth.channels].sort().join()
  ) {
    return 'the guild does not show the truth';
  }
  if (JSON.stringify(connections.at(-1)?.client.snapshot) !== JSON.stringify(guild.snapshot))
    return 'client of the guild differs';
  return undefined;
}

describe('a snapshot after losses', () => {
  it('brings every room and every client to the truth, and says nothing twice', async () => {
    await fc.assert(
      fc.asyncProperty(actions, fc.boolean(), async (list, again) => {
        expect(await play(list, again)).toBeUndefined();
      }),
      { numRuns: 300 },
    );
  });

  const MUTANTS: Record<string, Bend> = {
    'an empty snapshot that is not taken': (event) =>
      event.event === 'voice.snapshot' && event.payload.members.length === 0 ? undefined : event,
    'a snapshot without flags': (event) =>
      event.event === 'voice.snapshot'
        ? {
            ...event,
            payload: { ...event.payload, members: event.payload.members.map((each) => ({ ...each, mute: false })) },
          }
        : event,
    'a snapshot without its channels': (event) =>
      event.event === 'voice.snapshot' ? { ...event, payload: { ...event.payload, channels: [] } } : event,
    'no snapshot': (event) => (event.event === 'voice.snapshot' ? undefined : event),
  };
  for (const [name, bend] of Object.entries(MUTANTS)) {
    it(`is checked well enough to catch ${name}`, async () => {
      const { failed } = await fc.check(
        fc.asyncProperty(actions, async (list) => expect(await play(list, false, bend)).toBeUndefined()),
        { numRuns: 200, seed: 1 },
      );
      expect(failed).toBe(true);
    });
  }

  it('tells many changes of one room as one event', () => {
    const crowd = Array.from({ length: MAX_SINGLE_CHANGES + 1 }, (_, n) => ({ userId: `${n + 1}`, channelId: '10' }));
    const event = snapshot(crowd, ['10']) as DomainEvent<'voice.snapshot'>;
    const view = { channels: [{ channelId: '10', name: 'voice 10' }], rooms: [] };
    expect(planSnapshot(event, view)).toMatchObject([
      {
        room: 'channel:10',
        event: 'voice.snapshot',
        payload: { snapshot: { members: { length: crowd.length }, state: 'open' } },
      },
    ]);
  });

  it('keeps when someone joined, and renames channels', () => {
    const event = snapshot([{ userId: '1', channelId: '10', mute: true }], ['10']) as DomainEvent<'voice.snapshot'>;
    const member = { ...person('1'), mute: false, deaf: false, video: false, joinedAt: 7 };
    const room = { kind: 'voice', channelId: '10', members: [member], state: 'open', stale: false } as const;
    expect(planSnapshot(event, { channels: [{ channelId: '10', name: 'old' }], rooms: [room] })).toMatchObject([
      { room: GUILD_ROOM, event: 'room.created', payload: { channelId: '10', name: 'voice 10' } },
      { room: 'channel:10', event: 'voice.updated', payload: { userId: '1', mute: true } },
    ]);
    const stale = { ...room, stale: true };
    expect(planSnapshot(event, { channels: event.payload.channels, rooms: [stale] })).toMatchObject([
      { event: 'voice.snapshot', payload: { snapshot: { stale: false, members: [{ mute: true, joinedAt: 7 }] } } },
    ]);
  });
});

describe('the sink', () => {
  it('finishes what failed half-way when the event comes again, and appends no part twice', async () => {
    const engine = memoryEngine();
    let fails = true;
    const sink = new DiscordSink(
      {
        ...engine,
        publish: (room, event) => {
          if (fails && event.event === 'voice.joined') return Promise.reject(new Error('down'));
          return engine.publish(room, event);
        },
      },
      { published: () => {}, invalid: () => {}, failed: () => {} },
    );
    const move = moved('1', '10', '11');
    expect(await sink.accept(move)).toBe('failed');
    fails = false;
    expect(await sink.accept(move)).toBe('published');
    expect(await sink.accept(move)).toBe('duplicate');
    expect([(await engine.read('channel:10')).seq, (await engine.read('channel:11')).seq]).toEqual([1, 1]);
  });

  it('makes names safe, and refuses what is no event', async () => {
    const engine = memoryEngine();
    const problems: string[] = [];
    const sink = new DiscordSink(engine, {
      published: () => {},
      invalid: (problem) => problems.push(problem),
      failed: () => {},
    });
    const base = {
      guildId: GUILD,
      channelId: '10',
      userId: '1',
      avatar: null,
      mute: false,
      deaf: false,
      video: false,
      timestamp: 1,
    };
    const name = `eve\u001b[31m\u202e\n${'x'.repeat(300)}`;
    await sink.accept(domainEvent('voice.joined', { ...base, username: name }));
    const { snapshot: state } = await engine.read('channel:10');
    expect(state).toMatchObject({ members: [{ username: `eve[31m${'x'.repeat(118)}…` }] });
    await sink.accept(domainEvent('voice.joined', { ...base, username: 'a', channelId: '../10' }));
    await sink.accept(domainEvent('voice.joined', { ...base, username: 7 as never }));
    expect(problems).toEqual(['payload.channelId', 'payload.username']);
    await fc.assert(
      fc.asyncProperty(fc.anything(), async (anything) => {
        expect(['invalid', 'ignored']).toContain(await sink.accept(anything as never));
      }),
    );
  });
});
