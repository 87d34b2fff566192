/** Whatever the server sends: a typed, counted error, and everything else keeps running. */
import { controlEventSchemas, roomEventSchemas } from '@guildkit/core/wire/schema';
import { type Transport, validatingTransport } from '@guildkit/realtime-client';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseFrame } from '../../src/protocol/frame.js';
import { presence } from '../support/scripted-hub.js';
import { type SetupOptions, setup } from '../support/setup.js';

const ROOM = 'channel:10';
const envelope = (fields: object) => JSON.stringify({ v: 1, type: 'event', event: 'x', payload: {}, ts: 1, ...fields });

async function openRoom(options?: SetupOptions, wrap?: (transport: Transport) => Transport) {
  const world = setup(options, {}, wrap);
  const room = world.client.room(ROOM);
  world.client.connect();
  await world.settle();
  expect(room.status).toBe('live');
  return { ...world, room };
}

describe('frames', () => {
  it.each([
    ['no JSON', '{"v":1,'],
    ['empty', ''],
    ['null', 'null'],
    ['a list', '[1]'],
    ['binary', new Uint8Array([1, 2, 3])],
    ['another version', envelope({ v: 2 })],
    ['an unknown type', envelope({ type: 'shout' })],
    ['no event', envelope({ event: 7 })],
    ['a fractional seq', envelope({ seq: 1.5 })],
    ['a negative seq', envelope({ seq: -1 })],
    ['a seq beyond integers', envelope({ seq: 2 ** 60 })],
  ])('counts %s and goes on', async (_name, data) => {
    const { client, hub, settle, room, errors } = await openRoom();
    hub.last.raw(data);
    hub.join('10', 'a');
    await settle();
    expect(client.stats().errors).toEqual({ ERR_REALTIME_FRAME_MALFORMED: 1 });
    expect(errors).toHaveLength(1);
    expect(room.members).toHaveLength(1);
    expect(hub.all).toHaveLength(1);
  });

  it('ignores what it does not know: events, keys, rooms, answers', async () => {
    const { client, hub, settle } = await openRoom();
    hub.last.raw(envelope({ event: 'sys.future', payload: 1 }));
    hub.last.raw(envelope({ event: 'x', room: 'channel:404', seq: 1 }));
    hub.last.raw(envelope({ event: 'x', room: { toString: 1 } }));
    hub.last.raw(envelope({ type: 'ack', re: 'nobody' }));
    hub.last.raw(envelope({ event: 'sys.snapshot', payload: null }));
    hub.last.raw(envelope({ event: 'sys.welcome', payload: null }));
    hub.last.raw(envelope({ event: 'app.event', room: ROOM, seq: 1, surprise: true }));
    await settle();
    expect(client.stats().errors).toEqual({});
    expect(client.state.status).toBe('open');
  });

  it.each([
    ['an envelope’s parts', { type: { toString: 1, valueOf: 1 } }],
    ['an error’s code', { type: 'error', payload: { code: { toString: 1, valueOf: 1 } } }],
    ['a room’s name', { event: 'sys.unsubscribed', payload: { room: { toString: 1, valueOf: 1 } } }],
    [
      'a snapshot’s kind',
      { event: 'sys.snapshot', payload: { room: ROOM, epoch: 'e', seq: 1, snapshot: { kind: {} } } },
    ],
  ])('does not trip over what cannot be made a text: %s', async (_name, fields) => {
    const { client, hub, settle } = await openRoom();
    hub.last.raw(envelope(fields).replaceAll('{}', '{"toString":1,"valueOf":1}'));
    hub.join('10', 'a');
    await settle();
    expect(client.state.status).toBe('open');
    expect(client.roomView(ROOM).members).toHaveLength(1);
  });

  it('never throws, whatever text comes', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), fc.anything()), (data) => {
        parseFrame(data);
      }),
    );
  });

  it('reads every truncation of a frame as none', () => {
    const text = envelope({ event: 'voice.joined', room: ROOM, seq: 1, payload: presence('10', 'a') });
    for (let length = 0; length < text.length; length += 1) expect(parseFrame(text.slice(0, length))).toBeUndefined();
    expect(parseFrame(text)).toMatchObject({ event: 'voice.joined', seq: 1 });
  });
});

describe('payloads', () => {
  it.each([
    ['voice.joined', null],
    ['voice.joined', {}],
    ['voice.left', { userId: 1 }],
    ['voice.snapshot', {}],
    ['voice.snapshot', { snapshot: { kind: 'voice', members: 'none' } }],
  ])('fetches the whole state after a senseless %s (%j)', async (event, payload) => {
    const { client, hub, settle, room } = await openRoom();
    const told: string[] = [];
    room.on('*', (_payload, frame) => told.push(frame.event));
    const { last } = hub;
    last.subscriptions.clear();
    hub.join('10', 'a');
    last.send({ event, room: ROOM, seq: 1, payload });
    await settle();
    expect(client.stats().errors).toEqual({ ERR_REALTIME_PAYLOAD_INVALID: 1 });
    expect(room.status).toBe('live');
    expect(room.members.map(({ userId }) => userId)).toEqual(['a']);
    expect(told).toEqual(['sys.snapshot']);
    expect(hub.all).toHaveLength(1);
  });

  it('does not fall for a list of channels that is none', async () => {
    const world = setup();
    const room = world.client.room('guild:1');
    world.client.connect();
    await world.settle();
    world.hub.last.subscriptions.clear();
    world.hub.publish('guild:1', 'room.created', { guildId: '1', channelId: '5', name: 'five' });
    world.hub.last.send({ event: 'room.created', room: 'guild:1', seq: 1, payload: { channelId: 5 } });
    await world.settle();
    expect(room.snapshot).toMatchObject({ channels: [{ channelId: '5', name: 'five' }] });
  });

  it.each([
    ['nothing', {}],
    ['no snapshot', { epoch: 'e', seq: 1, recovered: false }],
    ['a broken snapshot', { epoch: 'e', seq: 1, recovered: false, snapshot: { kind: 'voice' } }],
    ['no position', { recovered: true }],
  ])('treats an answer with %s as a failed try', async (_name, payload) => {
    const world = setup();
    const { hub, client, clock, errors } = world;
    const answer = hub.answer.bind(hub);
    hub.answer = (to, frame) => {
      if (frame.type === 'subscribe') to.send({ type: 'ack', event: 'subscribe', re: frame.id, payload });
      else answer(to, frame);
    };
    client.room(ROOM);
    client.connect();
    await clock.advance(300_000);
    expect(client.state.status).toBe('manual');
    expect(hub.all).toHaveLength(5);
    expect(new Set(errors.map(({ code }) => code))).toEqual(new Set(['ERR_REALTIME_PAYLOAD_INVALID']));
  });

  it('asks for the whole state when the hub recovers another epoch', async () => {
    const { client, hub, clock, room } = await openRoom();
    hub.join('10', 'a');
    hub.cut();
    const answer = hub.answer.bind(hub);
    let lied = false;
    hub.answer = (to, frame) => {
      if (frame.type !== 'subscribe' || lied) return answer(to, frame);
      lied = true;
      return to.send({
        type: 'ack',
        event: 'subscribe',
        re: frame.id,
        payload: { room: ROOM, epoch: 'e7', seq: 9, recovered: true },
      });
    };
    await clock.advance(1_000);
    expect(room.status).toBe('live');
    expect(room.members).toHaveLength(1);
    expect(client.stats().errors.ERR_REALTIME_PAYLOAD_INVALID).toBe(1);
  });

  it('is not impressed by a welcome full of nonsense', async () => {
    const nonsense = {
      heartbeatMs: -1,
      retry: { maxAttempts: 'many', baseMs: Number.NaN, capMs: 1e300 },
      limits: null,
    };
    const { client, hub, clock, settle } = setup({}, { welcome: nonsense as never });
    client.connect();
    await settle();
    expect(client.state.status).toBe('open');
    await clock.advance(31_000);
    expect(hub.all).toHaveLength(2);
  });

  it('survives hostile frames of every event, and recovers', async () => {
    const events = [...Object.keys(roomEventSchemas), ...Object.keys(controlEventSchemas), 'x'];
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            event: fc.constantFrom(...events),
            payload: fc.anything(),
            type: fc.constantFrom('event', 'ack', 'error'),
            room: fc.constantFrom(ROOM, undefined),
            seq: fc.constantFrom(1, 2, undefined),
            re: fc.constantFrom('1', '2', '3'),
          }),
          { maxLength: 8 },
        ),
        async (frames) => {
          const { client, hub, clock, room } = await openRoom();
          for (const frame of frames) {
            try {
              hub.last.raw(JSON.stringify({ v: 1, ts: 1, ...frame }));
            } catch {
              // `fc.anything()` makes values that JSON cannot hold.
            }
          }
          await clock.advance(700_000);
          hub.join('10', 'a');
          if (client.state.status !== 'open') client.reconnect();
          await clock.advance(10_000);
          expect(client.state.status).toBe('open');
          expect(['live', 'denied', 'deleted']).toContain(room.status);
        },
      ),
      { numRuns: 200, seed: 7 },
    );
  });
});

describe('validatingTransport', () => {
  const schemas = { ...roomEventSchemas, ...controlEventSchemas };
  const openChecked = () => openRoom({}, (transport) => validatingTransport(transport, schemas));

  it('lets through what fits', async () => {
    const { client, hub, settle, room } = await openChecked();
    hub.join('10', 'a');
    await settle();
    expect(client.stats().errors).toEqual({});
    expect(room.members).toHaveLength(1);
  });

  it('refuses what does not, and fetches the state anew', async () => {
    const { client, hub, settle, room } = await openChecked();
    const { last } = hub;
    last.subscriptions.clear();
    hub.join('10', 'a');
    last.send({ event: 'voice.joined', room: ROOM, seq: 1, payload: { ...presence('10', 'a'), mute: 'yes' } });
    last.send({ event: 'sys.drain', payload: { reconnectInMs: 'soon' } });
    await settle();
    expect(client.stats().errors).toEqual({ ERR_REALTIME_PAYLOAD_INVALID: 2 });
    expect(room.members).toMatchObject([{ userId: 'a', mute: false }]);
  });
});
