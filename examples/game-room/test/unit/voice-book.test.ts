import type { DomainEvent } from '@guildkit/core';
import { memoryEngine, RealtimeHub } from '@guildkit/server-kit/hub';
import { expect, test } from 'vitest';
import { createVoiceBook } from '../../src/server/voice-book.js';
import { readWhole } from '../../src/server/whole.js';

const GUILD = '7';
let count = 0;
function event(name: string, payload: object, guildId = GUILD): DomainEvent {
  count += 1;
  return {
    event: name,
    id: `e${count}`,
    traceId: 't',
    ts: count,
    payload: { guildId, timestamp: count, ...payload },
  } as unknown as DomainEvent;
}
const person = (userId: string) => ({
  userId,
  username: `P${userId}`,
  avatar: null,
  mute: false,
  deaf: false,
  video: false,
});

const STORY = [
  event('voice.snapshot', {
    members: [
      { ...person('1'), channelId: '10' },
      { ...person('2'), channelId: '11' },
    ],
    channels: [
      { channelId: '10', name: 'Ten' },
      { channelId: '11', name: 'Eleven' },
    ],
  }),
  event('channel.created', { channelId: '12', name: 'Twelve' }),
  event('voice.joined', { ...person('3'), channelId: '10' }),
  event('voice.moved', { ...person('1'), channelId: '12', fromChannelId: '10' }),
  // Told late: whoever is elsewhere has not left that place now.
  event('voice.left', { ...person('1'), channelId: '10' }),
  event('voice.updated', { ...person('3'), channelId: '10', mute: true }),
  event('voice.left', { ...person('9'), channelId: null }),
  event('channel.deleted', { channelId: '11' }),
];
const WHOLE = {
  members: [
    { ...person('1'), channelId: '12' },
    { ...person('3'), channelId: '10', mute: true },
  ],
  channels: [
    { channelId: '10', name: 'Ten' },
    { channelId: '12', name: 'Twelve' },
  ],
};
const sorted = (whole: DomainEvent<'voice.snapshot'> | undefined) =>
  whole && {
    members: [...whole.payload.members].sort((a, b) => Number(a.userId) - Number(b.userId)),
    channels: [...whole.payload.channels].sort((a, b) => Number(a.channelId) - Number(b.channelId)),
  };

test('the whole is what the events say; before the first snapshot nothing is known', () => {
  const book = createVoiceBook(GUILD);
  book.apply(event('voice.joined', { ...person('1'), channelId: '10' }));
  expect(book.whole()).toBeUndefined();
  for (const each of STORY) book.apply(each);
  book.apply(event('voice.snapshot', { members: [], channels: [] }, '8'));
  expect(sorted(book.whole())).toEqual(WHOLE);
});

test('the hub’s rooms say the same', async () => {
  const engine = memoryEngine();
  const hub = new RealtimeHub({ origins: [], authenticate: () => null, authorize: () => false, engine });
  expect(await readWhole(engine, GUILD)).toBeUndefined();
  for (const each of STORY) await hub.publishDiscordEvent(each);
  expect(sorted(await readWhole(engine, GUILD))).toEqual(WHOLE);
  await hub.close();
});
