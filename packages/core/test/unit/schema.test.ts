import {
  ackSchemas,
  clientFrameSchema,
  controlEventSchemas,
  envelopeSchema,
  errorPayloadSchema,
  httpErrorBodySchema,
  positionSchema,
  postedFrameSchema,
  roomEventSchemas,
  roomSnapshotSchema,
} from '@guildkit/core/wire/schema';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

interface Parser {
  safeParse(value: unknown): { readonly success: boolean; readonly data?: unknown };
}

const auth = { v: 1, type: 'auth', id: 'r1', payload: { token: 't' } };
const subscribe = { v: 1, type: 'subscribe', id: 'r1', payload: { room: 'channel:1' } };
const since = { epoch: 'e', seq: 3 };
const envelope = { v: 1, type: 'event', event: 'voice.joined', payload: {}, ts: 1 };
const person = { userId: '1', username: 'a', avatar: null };
const flags = { mute: false, deaf: false, video: false };
const presence = { guildId: '1', channelId: '2', ...person, ...flags, timestamp: 1 };
const voice = { kind: 'voice', channelId: '2', members: [], state: 'open', stale: false };

const cases: readonly (readonly [string, Parser, readonly unknown[], readonly unknown[]])[] = [
  [
    'position',
    positionSchema,
    [since, { epoch: 'e', seq: 0 }],
    [{ epoch: '', seq: 0 }, { epoch: 'e', seq: -1 }, { epoch: 'e', seq: 1.5 }, { seq: 1 }],
  ],
  [
    'client frame',
    clientFrameSchema,
    [
      auth,
      subscribe,
      { ...subscribe, payload: { room: 'channel:1', since } },
      { v: 1, type: 'unsubscribe', id: 'r', payload: { room: 'channel:1' } },
      { v: 1, type: 'command', id: 'r', payload: { name: 'sendMessage', input: null } },
      { v: 1, type: 'pong', id: 'r', payload: {} },
      { v: 1, type: 'pong', id: 'r', payload: { seqs: { 'channel:1': 4 } } },
      { v: 1, type: 'pong', id: 'r', payload: { connectionId: 'c', cursor: 'channel:1,e,4' } },
    ],
    [
      { ...auth, v: 2 },
      { ...auth, type: 'login' },
      { ...auth, id: '' },
      { ...auth, id: 'x'.repeat(65) },
      { ...auth, id: 7 },
      { ...auth, payload: { token: '' } },
      { ...auth, payload: { token: 'x'.repeat(8193) } },
      { ...auth, payload: undefined },
      { ...subscribe, payload: { room: '' } },
      { ...subscribe, payload: { room: 'x'.repeat(161) } },
      { ...subscribe, payload: { room: 'channel:1', since: { epoch: 'e' } } },
      { v: 1, type: 'command', id: 'r', payload: { name: '', input: 1 } },
      { v: 1, type: 'pong', id: 'r', payload: { seqs: { 'channel:1': -1 } } },
      { v: 1, type: 'pong', id: 'r', payload: { seqs: [1] } },
      { v: 1, type: 'pong', id: 'r', payload: { cursor: 'x'.repeat(16_385) } },
    ],
  ],
  [
    'envelope',
    envelopeSchema,
    [envelope, { ...envelope, room: 'channel:1', seq: 1, id: 'i', re: 'r', traceId: 't', later: 'addition' }],
    [
      { ...envelope, v: '1' },
      { ...envelope, type: 'other' },
      { ...envelope, ts: -1 },
      { ...envelope, ts: Number.NaN },
      { ...envelope, seq: 1.5 },
    ],
  ],
  [
    'auth ack',
    ackSchemas.auth,
    [
      { userId: '1', expiresAt: 2 },
      { userId: '1', expiresAt: null },
    ],
    [{ userId: '1' }, { userId: 1, expiresAt: 2 }],
  ],
  [
    'subscribe ack',
    ackSchemas.subscribe,
    [
      { ...since, room: 'channel:1', recovered: true },
      { ...since, room: 'channel:1', recovered: false, snapshot: voice },
    ],
    [
      { ...since, room: 'channel:1' },
      { room: 'channel:1', recovered: true, epoch: 'e', seq: -1 },
    ],
  ],
  [
    'error payload',
    errorPayloadSchema,
    [
      { code: 'ERR_HUB_X', message: 'm' },
      { code: 'ERR_HUB_X', message: 'm', retryAfterMs: 5 },
    ],
    [{ code: 'ERR_HUB_X' }, { code: 'ERR_HUB_X', message: 'm', retryAfterMs: -5 }],
  ],
  [
    'room snapshot',
    roomSnapshotSchema,
    [
      voice,
      { ...voice, members: [{ ...person, ...flags, joinedAt: 1 }] },
      { kind: 'guild', guildId: '1', channels: [{ channelId: '2', name: 'n' }] },
      { kind: 'none' },
    ],
    [
      { ...voice, state: 'closed' },
      { ...voice, channelId: 'x' },
      { ...voice, members: [person] },
      { kind: 'guild' },
      {},
    ],
  ],
  [
    'voice.joined',
    roomEventSchemas['voice.joined'],
    [presence, { ...presence, avatar: 'hash' }],
    [
      { ...presence, guildId: 'abc' },
      { ...presence, mute: 0 },
      { ...presence, channelId: null },
    ],
  ],
  [
    'voice.left',
    roomEventSchemas['voice.left'],
    [presence, { ...presence, channelId: null }],
    [{ ...presence, timestamp: 'now' }],
  ],
  ['voice.snapshot', roomEventSchemas['voice.snapshot'], [{ snapshot: voice }], [{ snapshot: { kind: 'none' } }, {}]],
  ['room.deleted', roomEventSchemas['room.deleted'], [{ channelId: '1', guildId: '2' }], [{ channelId: '1' }]],
  [
    'posted frame',
    postedFrameSchema,
    [
      { v: 1, type: 'command', id: 'r', payload: { name: 'sendMessage', input: {} } },
      { v: 1, type: 'pong', id: 'r', payload: { connectionId: 'c', cursor: 'channel:1,e,4' } },
    ],
    [auth, subscribe, {}],
  ],
  [
    'http error body',
    httpErrorBodySchema,
    [{ error: { code: 'ERR_X', message: 'm', requestId: 'r', fields: [{ path: 'a', message: 'b' }] } }],
    [{ error: { code: 'ERR_X', message: 'm' } }, { code: 'ERR_X' }],
  ],
  [
    'message.created',
    roomEventSchemas['message.created'],
    [{ guildId: null, channelId: '1', messageId: '2', ...person, content: '', timestamp: 1 }],
    [{ guildId: '1', channelId: '1', messageId: 'x', ...person, content: '', timestamp: 1 }],
  ],
  [
    'sys.closed',
    controlEventSchemas['sys.closed'],
    [{ code: 4408, cause: 'ERR_HUB_CONNECTION_SLOW' }],
    [{ code: '4408', cause: 'x' }],
  ],
  ['sys.ping', controlEventSchemas['sys.ping'], [{}, { addition: 1 }], [null, 'ping']],
  ['sys.reauth', controlEventSchemas['sys.reauth'], [{ expiresAt: 5 }], [{ expiresAt: '5' }]],
];

describe('wire schemas', () => {
  it.each(cases)('%s: accepts and refuses', (_name, schema, good, bad) => {
    for (const value of good) expect(schema.safeParse(value).success, JSON.stringify(value)).toBe(true);
    for (const value of bad) expect(schema.safeParse(value).success, JSON.stringify(value)).toBe(false);
  });

  it('drops keys that it does not know instead of refusing them', () => {
    expect(envelopeSchema.parse({ ...envelope, later: 1 })).toEqual(envelope);
    expect(controlEventSchemas['sys.ping'].parse({ later: 1 })).toEqual({});
  });

  it('lets no key of a record reach a prototype', () => {
    const frame: unknown = JSON.parse(
      '{"v":1,"type":"pong","id":"r","payload":{"seqs":{"__proto__":1,"channel:1":2}}}',
    );
    const parsed = clientFrameSchema.safeParse(frame);
    expect(Object.getPrototypeOf(parsed.success && parsed.data.type === 'pong' ? parsed.data.payload.seqs : {})).toBe(
      Object.prototype,
    );
    expect(({} as Record<string, unknown>)['channel:1']).toBeUndefined();
  });

  it('never throws, whatever comes (fuzz)', () => {
    const mutated = fc.tuple(
      fc.constantFrom(auth, subscribe, envelope, presence, voice),
      fc.dictionary(fc.string(), fc.anything()),
    );
    const anything = fc.oneof(
      fc.anything(),
      mutated.map(([base, changes]) => ({ ...base, ...changes })),
    );
    fc.assert(
      fc.property(anything, (value) => {
        for (const [, schema] of cases) expect(typeof schema.safeParse(value).success).toBe('boolean');
      }),
      { numRuns: 500 },
    );
  });

  it('refuses a frame cut anywhere in its JSON (truncation)', () => {
    const text = JSON.stringify({ ...subscribe, payload: { room: 'channel:1', since } });
    for (let end = 0; end < text.length; end += 1) {
      let value: unknown;
      try {
        value = JSON.parse(text.slice(0, end));
      } catch {
        continue;
      }
      expect(clientFrameSchema.safeParse(value).success).toBe(false);
    }
  });
});
