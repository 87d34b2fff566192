import fc from 'fast-check';
import { expect, test } from 'vitest';
import { eventOf, keepsState, translate } from '../../src/protocol/translate.js';
import { VoiceMap } from '../../src/protocol/voice-map.js';

const NOW = 1_767_225_600_000;
const G = '100';

function translator(guildIds?: readonly string[]) {
  const voice = new VoiceMap();
  const context = { voice, now: NOW, guildIds: guildIds && new Set(guildIds) };
  return {
    voice,
    say: (name: string, data: unknown) => translate(name, data, context),
    events: (name: string, data: unknown) => translate(name, data, context).events,
  };
}

const member = (id: string, over: object = {}) => ({
  user: { id, username: `user${id}`, global_name: `Global ${id}`, avatar: `a${id}` },
  nick: null,
  ...over,
});
const state = (user: string, channel: string | null, over: object = {}) => ({
  guild_id: G,
  user_id: user,
  channel_id: channel,
  member: member(user),
  session_id: 's',
  mute: false,
  deaf: false,
  self_mute: false,
  self_deaf: false,
  self_video: false,
  suppress: false,
  ...over,
});
const guild = (states: object[], over: object = {}) => ({
  id: G,
  voice_states: states,
  members: ['1', '2', '3'].map((id) => member(id)),
  channels: [
    { id: 'v1', type: 2, name: 'Voice 1' },
    { id: 'st', type: 13, name: 'Stage' },
    { id: 't1', type: 0, name: 'general' },
  ],
  ...over,
});
const who = (id: string) => ({ userId: id, username: `Global ${id}`, avatar: `a${id}` });

test('joining, muting, moving and leaving are four events', () => {
  const { events } = translator();
  expect(events('VOICE_STATE_UPDATE', state('1', 'v1'))).toEqual([
    {
      event: 'voice.joined',
      payload: { guildId: G, channelId: 'v1', ...who('1'), mute: false, deaf: false, video: false, timestamp: NOW },
    },
  ]);
  expect(events('VOICE_STATE_UPDATE', state('1', 'v1'))).toEqual([]);
  expect(events('VOICE_STATE_UPDATE', state('1', 'v1', { self_mute: true }))).toMatchObject([
    { event: 'voice.updated', payload: { mute: true } },
  ]);
  expect(events('VOICE_STATE_UPDATE', state('1', 'v2', { self_mute: true }))).toMatchObject([
    { event: 'voice.moved', payload: { fromChannelId: 'v1', channelId: 'v2', mute: true } },
  ]);
  const [left] = events('VOICE_STATE_UPDATE', state('1', null));
  expect(left).toEqual({
    event: 'voice.left',
    payload: { guildId: G, channelId: 'v2', ...who('1'), timestamp: NOW },
  });
});

test.each([
  [{ mute: true }, { mute: true, deaf: false, video: false }],
  [{ suppress: true }, { mute: true, deaf: false, video: false }],
  [{ deaf: true }, { mute: false, deaf: true, video: false }],
  [
    { self_deaf: true, self_mute: true },
    { mute: true, deaf: true, video: false },
  ],
  [{ self_video: true }, { mute: false, deaf: false, video: true }],
])('flags %j come to %j', (over, flags) => {
  expect(translator().events('VOICE_STATE_UPDATE', state('1', 'v1', over))[0]?.payload).toMatchObject(flags);
});

test.each([
  [{ nick: 'Nick' }, 'Nick'],
  [{}, 'Global 1'],
  [{ user: { id: '1', username: 'plain', global_name: null, avatar: null } }, 'plain'],
  [{ user: undefined }, '1'],
])('the name of %j is %s', (over, username) => {
  const data = state('1', 'v1', { member: member('1', over) });
  expect(translator().events('VOICE_STATE_UPDATE', data)[0]?.payload).toMatchObject({ username });
});

test('the first GUILD_CREATE is a snapshot alone', () => {
  const { events } = translator();
  expect(events('GUILD_CREATE', guild([state('1', 'v1', { member: undefined, guild_id: undefined })]))).toEqual([
    {
      event: 'voice.snapshot',
      payload: {
        guildId: G,
        members: [{ ...who('1'), channelId: 'v1', mute: false, deaf: false, video: false }],
        channels: [
          { channelId: 'v1', name: 'Voice 1' },
          { channelId: 'st', name: 'Stage' },
        ],
        timestamp: NOW,
      },
    },
  ]);
});

test('a later GUILD_CREATE tells first what happened meanwhile', () => {
  const { events } = translator();
  events('GUILD_CREATE', guild([state('1', 'v1'), state('2', 'v1')]));
  events('VOICE_STATE_UPDATE', state('4', 'v1'));
  const later = guild([state('2', 'st'), state('3', 'v3'), state('4', 'v1', { member: undefined })], {
    channels: [
      { id: 'st', type: 13, name: 'Stage' },
      { id: 'v3', type: 2, name: 'New' },
    ],
  });
  const told = events('GUILD_CREATE', later);
  expect(
    told.map(({ event, payload }) => [
      event,
      'userId' in payload ? payload.userId : (payload as { channelId?: string }).channelId,
    ]),
  ).toEqual([
    ['channel.created', 'v3'],
    ['voice.left', '1'],
    ['voice.moved', '2'],
    ['voice.joined', '3'],
    ['channel.deleted', 'v1'],
    ['voice.snapshot', undefined],
  ]);
  // Someone whom the member list leaves out keeps the name that is known.
  expect(told.at(-1)).toMatchObject({ payload: { members: [{ userId: '2' }, { userId: '3' }, who('4')] } });
});

test('an unavailable guild keeps what is known; a guild that is left does not', () => {
  const { events, voice } = translator();
  events('GUILD_CREATE', guild([state('1', 'v1')]));
  expect(events('GUILD_DELETE', { id: G, unavailable: true })).toEqual([]);
  expect(events('GUILD_CREATE', { id: G, unavailable: true })).toEqual([]);
  expect(voice.members(G)).toHaveLength(1);
  expect(events('GUILD_DELETE', { id: G })).toMatchObject([{ event: 'voice.left', payload: { userId: '1' } }]);
  expect(voice.members(G)).toEqual([]);
  expect(events('GUILD_DELETE', { id: G })).toEqual([]);
});

test('a deleted voice channel empties first; the voice states that follow say nothing new', () => {
  const { events } = translator();
  events('GUILD_CREATE', guild([state('1', 'v1'), state('2', 'st')]));
  expect(events('CHANNEL_DELETE', { id: 'v1', guild_id: G, type: 2 })).toMatchObject([
    { event: 'voice.left', payload: { userId: '1', channelId: 'v1' } },
    { event: 'channel.deleted', payload: { channelId: 'v1', guildId: G } },
  ]);
  expect(events('VOICE_STATE_UPDATE', state('1', null))).toEqual([]);
});

test('voice channels are told, text channels are not, and a new name shows in the next snapshot', () => {
  const { events, voice } = translator();
  expect(events('CHANNEL_CREATE', { id: 'v9', guild_id: G, type: 2, name: 'Nine' })).toEqual([
    { event: 'channel.created', payload: { channelId: 'v9', guildId: G, name: 'Nine' } },
  ]);
  expect(events('CHANNEL_CREATE', { id: 't9', guild_id: G, type: 0, name: 'text' })).toEqual([]);
  expect(events('CHANNEL_UPDATE', { id: 'v9', guild_id: G, type: 2, name: 'Neun' })).toEqual([]);
  expect(voice.channels(G)).toEqual([{ channelId: 'v9', name: 'Neun' }]);
  expect(events('CHANNEL_DELETE', { id: 't9', guild_id: G, type: 0 })).toEqual([]);
});

test('someone who leaves unseen after a resume by a new process left from somewhere', () => {
  expect(translator().events('VOICE_STATE_UPDATE', state('1', null))).toMatchObject([
    { event: 'voice.left', payload: { userId: '1', channelId: null } },
  ]);
});

test('messages, reactions and typing', () => {
  const { events } = translator();
  const message = {
    id: '1453000000000000000',
    channel_id: 'c',
    guild_id: G,
    content: 'hi',
    author: { id: '5', username: 'five', global_name: null, avatar: 'x' },
    member: { nick: 'Fünf' },
    timestamp: '2025-12-23T13:47:28.000Z',
  };
  const place = { guildId: G, channelId: 'c', messageId: message.id };
  const payload = {
    ...place,
    userId: '5',
    username: 'Fünf',
    avatar: 'x',
    content: 'hi',
    timestamp: Number(1_453_000_000_000_000_000n >> 22n) + 1_420_070_400_000,
  };
  expect(events('MESSAGE_CREATE', message)).toEqual([{ event: 'message.created', payload }]);
  expect(events('MESSAGE_UPDATE', message)).toEqual([{ event: 'message.updated', payload }]);
  expect(events('MESSAGE_UPDATE', { ...message, author: undefined, content: undefined })).toEqual([]);
  expect(events('MESSAGE_DELETE', { id: message.id, channel_id: 'c', guild_id: G })).toEqual([
    { event: 'message.deleted', payload: place },
  ]);
  expect(events('MESSAGE_DELETE_BULK', { ids: ['1', 2, '3'], channel_id: 'c' })).toMatchObject([
    { payload: { messageId: '1', guildId: null } },
    { payload: { messageId: '3' } },
  ]);
  const reaction = { user_id: '5', channel_id: 'c', message_id: message.id, guild_id: G };
  expect(events('MESSAGE_REACTION_ADD', { ...reaction, emoji: { id: null, name: '🎲' } })).toEqual([
    { event: 'reaction.added', payload: { ...place, userId: '5', emoji: '🎲' } },
  ]);
  expect(events('MESSAGE_REACTION_REMOVE', { ...reaction, emoji: { id: '9', name: 'dice' } })).toMatchObject([
    { event: 'reaction.removed', payload: { emoji: 'dice:9' } },
  ]);
  expect(events('TYPING_START', { channel_id: 'c', user_id: '5', timestamp: 1_700_000_000 })).toEqual([
    { event: 'typing.started', payload: { guildId: null, channelId: 'c', userId: '5', timestamp: 1_700_000_000_000 } },
  ]);
});

test('other guilds are left out when guilds are named', () => {
  const { events, voice } = translator(['999']);
  expect(events('GUILD_CREATE', guild([state('1', 'v1')]))).toEqual([]);
  expect(events('VOICE_STATE_UPDATE', state('1', 'v1'))).toEqual([]);
  expect(voice.members(G)).toEqual([]);
});

const NAMES = [
  'GUILD_CREATE',
  'GUILD_DELETE',
  'VOICE_STATE_UPDATE',
  'CHANNEL_CREATE',
  'CHANNEL_UPDATE',
  'CHANNEL_DELETE',
  'MESSAGE_CREATE',
  'MESSAGE_UPDATE',
  'MESSAGE_DELETE',
  'MESSAGE_DELETE_BULK',
  'MESSAGE_REACTION_ADD',
  'MESSAGE_REACTION_REMOVE',
  'TYPING_START',
];

test('every dispatch that is translated is said to be', () => {
  for (const name of NAMES) expect([name, keepsState(name) || eventOf(name) !== undefined]).toEqual([name, true]);
  for (const name of ['READY', 'PRESENCE_UPDATE', 'toString', '__proto__', 'constructor']) {
    expect([keepsState(name), eventOf(name), translator().say(name, {})]).toEqual([false, undefined, { events: [] }]);
  }
});

test.each([
  ['VOICE_STATE_UPDATE', { guild_id: G, user_id: 5, channel_id: null }],
  ['VOICE_STATE_UPDATE', { guild_id: G, user_id: '5' }],
  ['GUILD_CREATE', {}],
  ['GUILD_DELETE', {}],
  ['CHANNEL_CREATE', { guild_id: G, type: 2 }],
  ['CHANNEL_DELETE', { guild_id: G, type: 2 }],
  ['MESSAGE_CREATE', { id: '1', channel_id: 'c' }],
  ['MESSAGE_CREATE', { id: 'x', channel_id: 'c', author: { id: '1' } }],
  ['MESSAGE_DELETE', { id: '1' }],
  ['MESSAGE_DELETE_BULK', { ids: 'all' }],
  ['MESSAGE_REACTION_ADD', { message_id: '1', channel_id: 'c', user_id: '1', emoji: {} }],
  ['TYPING_START', {}],
  ['TYPING_START', null],
])('a %s that is not as documented is a problem: %j', (name, data) => {
  const { events, problem } = translator().say(name, data);
  expect(events).toEqual([]);
  expect(problem).toMatch(new RegExp(`^${name}: `));
});

test('never throws, whatever the bodies are', () => {
  const key = fc.constantFrom(
    'id',
    'guild_id',
    'user_id',
    'channel_id',
    'member',
    'user',
    'voice_states',
    'members',
    'channels',
    'type',
    'name',
    'emoji',
    'author',
    'content',
    'ids',
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constantFrom(null, true, 0, 2, '1', 'x', ''),
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.dictionary(key, tie('tree'), { maxKeys: 6 }),
    ),
  }));
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.constantFrom(...NAMES), tree), { maxLength: 10 }), (dispatches) => {
      const { say } = translator();
      for (const [name, data] of dispatches)
        for (const { event } of say(name, data).events) expect(event).toMatch(/\./);
    }),
    { numRuns: 1_000, seed: 5 },
  );
});

test('events and snapshot agree: applied to an empty table, the events give what the map holds', () => {
  const step = fc.record({
    user: fc.constantFrom('1', '2', '3'),
    channel: fc.constantFrom(null, 'v1', 'st', 'v3'),
    mute: fc.boolean(),
  });
  const guildNow = fc.uniqueArray(step, { selector: ({ user }) => user, maxLength: 3 });
  fc.assert(
    fc.property(fc.array(fc.oneof(step, guildNow), { maxLength: 20 }), (steps) => {
      const { events, voice } = translator();
      events('GUILD_CREATE', guild([]));
      const table = new Map<string, { channelId: string; mute: boolean }>();
      for (const next of steps) {
        const told = Array.isArray(next)
          ? events('GUILD_CREATE', guild(next.map(({ user, channel, mute }) => state(user, channel, { mute }))))
          : events('VOICE_STATE_UPDATE', state(next.user, next.channel, { mute: next.mute }));
        for (const { event, payload } of told) {
          const { userId, channelId, mute } = payload as { userId: string; channelId: string; mute: boolean };
          if (event === 'voice.joined') expect(table.has(userId)).toBe(false);
          if (event === 'voice.moved' || event === 'voice.updated' || event === 'voice.left')
            expect(table.has(userId)).toBe(true);
          if (event === 'voice.left') table.delete(userId);
          else if (event !== 'voice.snapshot') table.set(userId, { channelId, mute });
        }
        const held = voice.members(G).map(({ userId, channelId, mute }) => [userId, { channelId, mute }] as const);
        expect(table).toEqual(new Map(held));
      }
    }),
    { numRuns: 500, seed: 7 },
  );
});
