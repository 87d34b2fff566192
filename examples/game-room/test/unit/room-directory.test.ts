import type { DomainEvent } from '@guildkit/core';
import { describe, expect, test } from 'vitest';
import { createRoomDirectory, roomNameOf } from '../../src/server/room-directory.js';

const GUILD = '100000000000000001';
const event = (name: DomainEvent['event'], payload: object) =>
  ({ event: name, payload: { guildId: GUILD, ...payload }, id: '1', traceId: 't', ts: 0 }) as DomainEvent;
const snapshot = (...channels: { channelId: string; name: string }[]) =>
  event('voice.snapshot', { channels, members: [], timestamp: 0 });

describe('room directory', () => {
  test('follows the guild', () => {
    const rooms = createRoomDirectory(GUILD);
    rooms.apply(snapshot({ channelId: '20', name: 'B' }, { channelId: '9', name: 'A' }));
    rooms.apply(event('channel.created', { channelId: '100', name: 'C' }));
    expect(rooms.list().map((room) => room.name)).toEqual(['A', 'B', 'C']);
    rooms.apply(event('channel.deleted', { channelId: '20' }));
    expect(rooms.get('20')).toBeUndefined();
    expect(rooms.knows('20'), 'a page of it may learn that it is gone').toBe(true);
    expect(rooms.knows('21')).toBe(false);
  });

  test('a snapshot brings what was missed, both ways', () => {
    const rooms = createRoomDirectory(GUILD);
    rooms.apply(snapshot({ channelId: '1', name: 'A' }, { channelId: '2', name: 'B' }));
    rooms.apply(snapshot({ channelId: '2', name: 'B, renamed' }, { channelId: '3', name: 'C' }));
    expect(rooms.list()).toEqual([
      { channelId: '2', name: 'B, renamed' },
      { channelId: '3', name: 'C' },
    ]);
  });

  test('other guilds are none of its business', () => {
    const rooms = createRoomDirectory(GUILD);
    rooms.apply(event('channel.created', { guildId: '2', channelId: '1', name: 'X' }));
    rooms.apply(event('voice.snapshot', { guildId: '2', channels: [{ channelId: '1', name: 'X' }], members: [] }));
    expect(rooms.list()).toEqual([]);
  });

  test('remembers a bounded number of deleted rooms', () => {
    const rooms = createRoomDirectory(GUILD);
    for (let id = 1; id <= 1200; id += 1) {
      rooms.apply(event('channel.created', { channelId: String(id), name: 'R' }));
      rooms.apply(event('channel.deleted', { channelId: String(id) }));
    }
    expect(rooms.knows('1')).toBe(false);
    expect(rooms.knows('1200')).toBe(true);
  });
});

describe('names of rooms', () => {
  test.each([
    ['  Table 1 ', 'Table 1'],
    ['<b>x</b>', '<b>x</b>'],
    ['a\u0007b\u0000c', 'abc'],
    ['\u202eevil\u2066', 'evil'],
    ['👩‍👩‍👧‍👦🎲', '👩‍👩‍👧‍👦🎲'],
    ['\u202e\u202e', undefined],
    ['\u200b\u200b', undefined],
    ['   ', undefined],
    ['W'.repeat(101), undefined],
  ])('%j is shown as %j', (given, shown) => {
    expect(roomNameOf(given)).toBe(shown);
  });

  test('are shown as the hub sends them, and a name that shows nothing has a word in its place', () => {
    const rooms = createRoomDirectory('1');
    rooms.add({ channelId: '2', name: '\u202eevil' });
    rooms.add({ channelId: '3', name: '\u202e' });
    expect(rooms.list().map(({ name }) => name)).toEqual(['evil', 'Room without a name']);
  });
});
