import { describe, expect, test } from 'vitest';
import { connectionWords, secondsUntil } from '../../src/room/connection-words.js';
import { describeChange, memberChanges } from '../../src/room/member-changes.js';
import { countPeople, dayAndTime, elapsed, initialsOf, timeOfDay, toneOf } from '../../src/room/words.js';
import { isAllowedOrigin } from '../../src/server/origins.js';

const member = (userId: string, username = userId) => ({
  userId,
  username,
  avatar: null,
  mute: false,
  deaf: false,
  video: false,
  joinedAt: 0,
});

describe('member changes', () => {
  test('who left and who joined, each once', () => {
    const changes = memberChanges([member('1', 'Mia'), member('2', 'Tom')], [member('2', 'Tom'), member('3', 'Ida')]);
    expect(changes.map(describeChange)).toEqual(['Mia left or was removed', 'Ida joined']);
  });

  test('a new voice state or name is no coming or going', () => {
    expect(memberChanges([member('1')], [{ ...member('1', 'renamed'), mute: true }])).toEqual([]);
  });
});

describe('words', () => {
  test.each([
    ['Mia', 'M'],
    ['Tom Bergström', 'TB'],
    ['player-1', 'P1'],
    ['  ', '?'],
    ['🎲', '?'],
    ['ßeta', 'SS'],
    ['Anna Maria Lopez', 'AL'],
  ])('initials of %s', (name, initials) => expect(initialsOf(name)).toBe(initials));

  test('a person has one colour', () => {
    expect(toneOf('123', 8)).toBe(toneOf('123', 8));
    for (const id of ['1', '22', '333333333333333333']) expect(toneOf(id, 8)).toBeLessThan(8);
  });

  test.each([
    [-5000, 'just now'],
    [59_000, 'just now'],
    [60_000, '1 min ago'],
    [3_599_000, '59 min ago'],
    [7_200_000, '2 h ago'],
  ])('%i ms later', (ms, words) => expect(elapsed(1_000_000, 1_000_000 + ms)).toBe(words));

  test('times, as the browser would write them', () => {
    const at = new Date(2026, 10, 20, 18, 5, 9);
    expect(timeOfDay(at)).toBe('18:05');
    expect(dayAndTime(at.getTime())).toBe(at.toLocaleString('en'));
  });

  test('counts', () => expect([0, 1, 2].map(countPeople)).toEqual(['Nobody', '1 person', '2 people']));
});

describe('connection words', () => {
  test('an outage has a notice until it is over', () => {
    expect(connectionWords({ status: 'connecting', attempt: 0 }).notice).toBeUndefined();
    expect(connectionWords({ status: 'waiting', attempt: 1 }).notice).toMatch(/Trying again/);
    expect(connectionWords({ status: 'connecting', attempt: 1 }).notice).toMatch(/Trying now/);
    expect(connectionWords({ status: 'manual', attempt: 5 })).toMatchObject({ tone: 'bad', label: 'Connection lost' });
    expect(connectionWords({ status: 'open', attempt: 0 })).toEqual({ tone: 'good', label: 'Live', notice: undefined });
  });

  test('whole seconds, never below zero', () => {
    expect([secondsUntil(5000, 3999), secondsUntil(5000, 5000), secondsUntil(5000, 9000)]).toEqual([2, 0, 0]);
  });
});

describe('origins', () => {
  test('without a base URL: pages of this machine, from the host they talk to', () => {
    expect(isAllowedOrigin(undefined, 'http://localhost:3000', 'localhost:3000')).toBe(true);
    expect(isAllowedOrigin(undefined, 'http://127.0.0.1:3000', '127.0.0.1:3000')).toBe(true);
    expect(isAllowedOrigin(undefined, 'http://localhost:4000', 'localhost:3000')).toBe(false);
    expect(isAllowedOrigin(undefined, 'http://rebound.example:3000', 'rebound.example:3000')).toBe(false);
    expect(isAllowedOrigin(undefined, 'null', 'localhost:3000')).toBe(false);
  });

  test('with a base URL: that origin alone', () => {
    const base = new URL('https://rooms.example.org/app');
    expect(isAllowedOrigin(base, 'https://rooms.example.org', 'anything')).toBe(true);
    expect(isAllowedOrigin(base, 'http://rooms.example.org', 'rooms.example.org')).toBe(false);
    expect(isAllowedOrigin(base, 'http://localhost:3000', 'localhost:3000')).toBe(false);
  });
});
