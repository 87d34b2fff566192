/** What is said in Discord, on its way to pages: in its channel's room alone, safe to show, each once. */
import type { DomainEvents } from '@guildkit/core';
import { expect, it } from 'vitest';
import { domainEvent, GUILD, joined, person, snapshot } from '../support/events.js';
import { startHub } from '../support/hub-server.js';

const ROOM = 'channel:20';
const message = { guildId: GUILD, channelId: '20', messageId: '5', ...person('1'), content: 'hello', timestamp: 1 };
const reaction = { guildId: GUILD, channelId: '20', messageId: '5', userId: '1', emoji: '🎲' };

it('every kind reaches the room of its channel, in order, and changes no snapshot', async () => {
  await using app = await startHub();
  const [client, other] = [await app.join('user-1'), await app.join('user-2')];
  const { snapshot: before } = (await client.subscribe(ROOM)).payload;
  for (const room of ['channel:21', `guild:${GUILD}`]) await other.subscribe(room);
  const said = [
    ['typing.started', { guildId: GUILD, channelId: '20', userId: '1', timestamp: 1 }],
    ['message.created', message],
    ['message.updated', { ...message, content: 'hello\tthere\nall' }],
    ['reaction.added', reaction],
    ['reaction.removed', reaction],
    ['message.deleted', { guildId: GUILD, channelId: '20', messageId: '5' }],
    ['message.created', { ...message, guildId: null }],
  ] as const;
  for (const [event, payload] of said) {
    expect(await app.hub.publishDiscordEvent(domainEvent(event, payload as DomainEvents[typeof event]))).toBe(
      'published',
    );
  }
  const log = await client.untilSeq(ROOM, said.length);
  expect(log.map(({ event, payload }) => [event, payload])).toEqual(said.map(([event, payload]) => [event, payload]));
  expect((await client.subscribe(ROOM)).payload.snapshot).toEqual(before);
  expect(other.frames.filter((frame) => frame.seq !== undefined)).toEqual([]);
  // A room of chat is none of the guild's voice.
  expect(await app.hub.publishDiscordEvent(snapshot([], []))).toBe('published');
  await app.hub.publishDiscordEvent(joined('1', '20'));
  expect((await client.untilSeq(ROOM, said.length + 1)).at(-1)?.event).toBe('voice.joined');
});

it('what people wrote has no controls, is bounded, and never markup of ours', async () => {
  await using app = await startHub();
  const client = await app.join('user-1');
  await client.subscribe(ROOM);
  const nasty = `<b>\u0000\u001b[31m\u202eevil\r\n${'x'.repeat(5_000)}`;
  const event = domainEvent('message.created', { ...message, username: 'a\r\nb\u202e', content: nasty });
  await app.hub.publishDiscordEvent(event);
  await app.hub.publishDiscordEvent(event);
  await app.hub.publishDiscordEvent(domainEvent('reaction.added', { ...reaction, emoji: 'x\u0007'.repeat(200) }));
  const [first, second] = await client.untilSeq(ROOM, 2);
  expect(first?.payload.username).toBe('ab');
  expect(first?.payload.content).toMatch(/^<b>\[31mevil\nx+$/);
  expect(String(first?.payload.content).length).toBeLessThanOrEqual(4_000);
  expect(second?.payload.emoji).toMatch(/^x+…$/);
});

it('what does not fit is refused and counted', async () => {
  await using app = await startHub();
  const bad: unknown[] = [
    { ...message, content: 5 },
    { ...message, content: 'x'.repeat(70_000) },
    { ...message, channelId: 'general' },
    { ...message, messageId: undefined },
  ];
  for (const payload of bad) {
    expect(await app.hub.publishDiscordEvent(domainEvent('message.created', payload as never))).toBe('invalid');
  }
  expect(app.hub.stats().errors.ERR_HUB_EVENT_INVALID).toBe(bad.length);
});
