import type { DiscordPerson, DomainEvent } from '@guildkit/core';
import { applyVoiceEvent, emptyVoiceRoom, type VoiceRoomSnapshot } from '@guildkit/core/wire';
import { describe, expect, test } from 'vitest';
import { createPresence } from '../../src/server/presence.js';

const GUILD = '7';
const ANNA: DiscordPerson = { userId: '100', username: 'Anna', avatar: 'a' };
const BERT: DiscordPerson = { userId: '200', username: 'Bert', avatar: null };
const SEAT: DiscordPerson = { userId: '900', username: 'Seat 1', avatar: null };
const OTHER_SEAT: DiscordPerson = { userId: '901', username: 'Seat 2', avatar: null };

let count = 0;
function event(name: string, person: DiscordPerson, channelId: string | null, more: object = {}): DomainEvent {
  count += 1;
  const flags = name === 'voice.left' ? {} : { mute: false, deaf: false, video: false };
  const payload = { guildId: GUILD, channelId, ...person, ...flags, timestamp: count, ...more };
  return { event: name, id: `e${count}`, traceId: 't', ts: count, payload } as unknown as DomainEvent;
}

function snapshot(...members: readonly (readonly [DiscordPerson, string])[]): DomainEvent {
  count += 1;
  const list = members.map(([person, channelId]) => ({ ...person, channelId, mute: false, deaf: false, video: false }));
  const payload = { guildId: GUILD, members: list, channels: [], timestamp: count };
  return { event: 'voice.snapshot', id: `e${count}`, traceId: 't', ts: count, payload } as unknown as DomainEvent;
}

/** A presence, and what pages of two channels show of it. */
function start(...seated: readonly (readonly [DiscordPerson, DiscordPerson])[]) {
  const players = new Map(seated.map(([seat, player]) => [seat.userId, player]));
  const changed: string[] = [];
  const presence = createPresence({
    playerOf: (id) => players.get(id),
    onSeats: (channelId) => changed.push(channelId),
  });
  const rooms: Record<string, VoiceRoomSnapshot> = { '1': emptyVoiceRoom('1'), '2': emptyVoiceRoom('2') };
  const names: string[] = [];
  const take = (given: DomainEvent) => {
    for (const shown of presence.shown(given)) {
      names.push(shown.event);
      for (const room of Object.values(rooms)) {
        if (shown.event === 'voice.snapshot') {
          const members = shown.payload.members.filter(({ channelId }) => channelId === room.channelId);
          expect(new Set(shown.payload.members.map(({ userId }) => userId)).size, 'nobody twice').toBe(
            shown.payload.members.length,
          );
          rooms[room.channelId] = { ...room, members: members.map((each) => ({ ...each, joinedAt: 0 })) };
        } else rooms[room.channelId] = applyVoiceEvent(room, shown.event, shown.payload);
      }
    }
  };
  const list = (channelId: string) => rooms[channelId]?.members.map(({ userId, username }) => `${username} ${userId}`);
  return { presence, players, changed, names, rooms, take, list };
}

describe('who is in voice', () => {
  test('a seat is its player, until it has left, also when it is somebody else’s by then', () => {
    const { take, list, players } = start([SEAT, ANNA]);
    take(event('voice.joined', SEAT, '1'));
    expect(list('1')).toEqual(['Anna 100']);
    players.set(SEAT.userId, BERT);
    take(event('voice.updated', SEAT, '1', { video: true }));
    expect(list('1')).toEqual(['Anna 100']);
    take(event('voice.left', SEAT, '1'));
    expect(list('1')).toEqual([]);
    take(event('voice.joined', SEAT, '1'));
    expect(list('1')).toEqual(['Bert 200']);
  });

  test.each([
    [ANNA, SEAT],
    [SEAT, ANNA],
  ])('by Discord and by a seat is one entry, told to come once and to go once', (first, second) => {
    const { take, list, names, rooms } = start([SEAT, ANNA]);
    take(event('voice.joined', first, '1', { mute: true }));
    take(event('voice.joined', second, '1', { video: true }));
    expect(list('1')).toEqual(['Anna 100']);
    expect(rooms['1']?.members[0]).toMatchObject({ mute: false, video: true, avatar: 'a' });
    take(event('voice.updated', second, '1', { mute: true }));
    expect(rooms['1']?.members[0]).toMatchObject({ mute: true, video: false });
    take(event('voice.left', first, '1'));
    expect(list('1')).toEqual(['Anna 100']);
    take(event('voice.left', second, null));
    expect(list('1')).toEqual([]);
    expect(names).toEqual(['voice.joined', 'voice.updated', 'voice.updated', 'voice.updated', 'voice.left']);
  });

  test('who moves away leaves their seat behind', () => {
    const { take, list, presence } = start([SEAT, ANNA]);
    take(event('voice.joined', ANNA, '1'));
    take(event('voice.joined', SEAT, '1'));
    take(event('voice.moved', ANNA, '2', { fromChannelId: '1' }));
    expect([list('1'), list('2')]).toEqual([['Anna 100'], ['Anna 100']]);
    expect(presence.waysOf(ANNA.userId)).toEqual([
      { channelId: '2', discordId: ANNA.userId, isSeat: false },
      { channelId: '1', discordId: SEAT.userId, isSeat: true },
    ]);
    take(event('voice.moved', SEAT, '2', { fromChannelId: '1' }));
    expect([list('1'), list('2')]).toEqual([[], ['Anna 100']]);
  });

  test('a move of somebody who was not known empties the place that they came from', () => {
    const { take, list, rooms } = start();
    rooms['1'] = applyVoiceEvent(emptyVoiceRoom('1'), 'voice.joined', event('voice.joined', BERT, '1').payload);
    take(event('voice.moved', BERT, '2', { fromChannelId: '1' }));
    expect([list('1'), list('2')]).toEqual([[], ['Bert 200']]);
  });

  test('a snapshot has each once; whoever is in two rooms is their seat in the second', () => {
    const { take, list } = start([SEAT, ANNA], [OTHER_SEAT, ANNA]);
    take(snapshot([SEAT, '1'], [ANNA, '1'], [OTHER_SEAT, '2'], [BERT, '2']));
    expect(list('1')).toEqual(['Anna 100']);
    expect(list('2')).toEqual(['Anna 901', 'Bert 200']);
    take(event('voice.left', OTHER_SEAT, '2'));
    expect(list('2')).toEqual(['Bert 200']);
    take(snapshot());
    expect([list('1'), list('2')]).toEqual([[], []]);
  });

  test('an event that comes again is told as it was', () => {
    const { presence } = start([SEAT, ANNA]);
    const joined = event('voice.joined', SEAT, '1');
    const left = event('voice.left', SEAT, '1');
    const first = [presence.shown(joined), presence.shown(left)];
    expect([presence.shown(joined), presence.shown(left)]).toEqual(first);
    expect(first.flat().map(({ event: name }) => name)).toEqual(['voice.joined', 'voice.left']);
  });

  test('what a late word says of a place that was left changes nothing', () => {
    const { take, list } = start();
    take(event('voice.joined', BERT, '1'));
    take(event('voice.moved', BERT, '2', { fromChannelId: '1' }));
    take(event('voice.left', BERT, '1'));
    expect(list('2')).toEqual(['Bert 200']);
  });

  test('a channel that is deleted takes its people along', () => {
    const { take, presence } = start([SEAT, ANNA]);
    take(event('voice.joined', SEAT, '1'));
    take(event('channel.deleted', ANNA, '1'));
    expect(presence.waysOf(ANNA.userId)).toEqual([]);
    expect(presence.seatsIn('1')).toEqual([]);
  });
});

test('a channel’s seats are told of when one comes, goes, or is joined by its player', () => {
  const { take, presence, changed } = start([SEAT, ANNA]);
  const seat = { seatId: SEAT.userId, userId: ANNA.userId, username: 'Anna' };
  take(event('voice.joined', BERT, '1'));
  expect(changed).toEqual([]);
  take(event('voice.joined', SEAT, '1'));
  expect(presence.seatsIn('1')).toEqual([{ ...seat, isTwice: false }]);
  take(event('voice.updated', SEAT, '1', { video: true }));
  take(event('voice.joined', ANNA, '1'));
  expect(presence.seatsIn('1')).toEqual([{ ...seat, isTwice: true }]);
  take(event('voice.left', SEAT, '1'));
  expect(presence.seatsIn('1')).toEqual([]);
  expect(changed).toEqual(['1', '1', '1']);
});
