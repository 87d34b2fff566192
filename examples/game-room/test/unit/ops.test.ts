import { currentTraceId } from '@guildkit/server-kit/observability';
import { createVirtualClock } from '@guildkit/testkit';
import { describe, expect, test } from 'vitest';
import { discordWords, linePoints, milliseconds, perMinute, span } from '../../src/room/ops-words.js';
import { tilesOf } from '../../src/room/table-people.js';
import { routeOf, timeCommands } from '../../src/server/app-metrics.js';
import { createOps } from '../../src/server/ops.js';

function start(operators: readonly string[] | undefined) {
  const clock = createVirtualClock();
  let events = 0;
  const ops = createOps({
    log: { follow: (logger) => logger, recent: () => [] },
    metrics: {
      text: async () =>
        `guildkit_discord_events_total{event="voice.joined"} ${events}\nguildkit_refusals_total{code="ERR_A"} 1\nguildkit_refusals_total{code="ERR_B"} 7`,
    },
    hub: {
      stats: () => ({ users: 2, rooms: 3 }) as never,
      viewers: async (room) => (room === 'channel:2' ? ['7', '8'] : []),
    },
    directory: {
      list: () => [
        { channelId: '1', name: 'Empty' },
        { channelId: '2', name: 'Busy' },
      ],
    },
    seats: { size: 5, presence: { peopleIn: (channelId) => (channelId === '2' ? 3 : 0), seatCount: () => 1 } },
    health: () => ({
      uptimeSeconds: 61,
      discord: { simulated: false, topology: 'inline', state: 'ready', role: 'owner' },
    }),
    operators,
    clock,
  });
  const happen = async (perLook: number, looks: number) => {
    for (let look = 0; look < looks; look += 1) {
      events += perLook;
      await clock.advance(5_000);
    }
  };
  return { ops, clock, happen };
}

describe('what operators see', () => {
  test('has rates of the last minute, and of each span before', async () => {
    const { ops, clock, happen } = start(undefined);
    await clock.advance(0);
    expect((await ops.view()).rates[0]).toEqual({ name: 'Events of Discord', perMinute: undefined, history: [] });
    await happen(10, 12);
    await happen(0, 12);
    const [rate] = (await ops.view()).rates;
    expect(rate?.perMinute, 'a minute in which nothing happened').toBe(0);
    expect(rate?.history.filter((count) => count === 10)).toHaveLength(12);
    await happen(1, 100);
    expect((await ops.view()).rates[0]?.perMinute).toBeCloseTo(12);
    expect((await ops.view()).rates[0]?.history, 'bounded').toHaveLength(60);
    ops.close();
    await clock.advance(60_000);
    expect(clock.pending).toBe(0);
  });

  test('has the busiest rooms and the most frequent refusals first', async () => {
    const { ops } = start(undefined);
    const { rooms, refusals, discord, numbers } = await ops.view();
    expect(rooms).toEqual([
      { channelId: '2', name: 'Busy', inVoice: 3, viewers: 2 },
      { channelId: '1', name: 'Empty', inVoice: 0, viewers: 0 },
    ]);
    expect(refusals.map(({ code }) => code)).toEqual(['ERR_B', 'ERR_A']);
    expect(discord.role).toBe('owner');
    expect(numbers).toContainEqual({ name: 'Seats in use', value: '1 of 5' });
    ops.close();
  });

  test.each([
    [undefined, true],
    [['42'], true],
    [['43'], false],
    [[], false],
  ])('with operators %j, 42 is let in: %j', (operators, allowed) => {
    const { ops } = start(operators);
    expect(ops.allows('42')).toBe(allowed);
    ops.close();
  });
});

describe('what is counted', () => {
  test.each([
    ['/', '/'],
    ['/room/123456789012345678', '/room/:id'],
    ['/join/1', '/join/:id'],
    ['/api/end-room/7', '/api/end-room/:id'],
    ['/api/internal/events', '/api/internal/events'],
    ['/_serverFn/abcdef', '/_serverFn/*'],
    ['/assets/index-1234.js', '/assets/*'],
    ['/ops', '/ops'],
    ['/api/made/up', 'other'],
    ['/room/1/../../etc/passwd', 'other'],
    ['/a\nb', 'other'],
  ])('the route of %j is %j', (path, route) => {
    expect(routeOf(path)).toBe(route);
  });

  test('a command by its outcome; a name that a client made up is no label', async () => {
    const labels: object[] = [];
    const handle = timeCommands({ observe: (_, given) => void labels.push(given) }, async ({ name, traceId }) => {
      expect(currentTraceId(), 'what it leads to bears its trace id').toBe(traceId);
      return name === 'sendMessage'
        ? { ok: true, result: null, latencyMs: 1 }
        : ({ ok: false, error: { code: 'ERR_COMMAND_UNKNOWN', status: 404, message: 'no' } } as never);
    });
    for (const name of ['sendMessage', 'made up']) await handle({ name, traceId: `trace-of-${name.length}` } as never);
    expect(labels).toEqual([
      { command: 'sendMessage', outcome: 'ok' },
      { command: 'unknown', outcome: 'ERR_COMMAND_UNKNOWN' },
    ]);
  });
});

describe('words of figures', () => {
  test('spans, milliseconds, rates', () => {
    expect([5, 65, 3_700, 90_000].map(span)).toEqual(['5 s', '1 min', '1 h 1 min', '1 d 1 h']);
    expect([undefined, 0.42, 57.3, 1_234].map(milliseconds)).toEqual(['–', '0.4 ms', '57 ms', '1.2 s']);
    expect([undefined, 0, 2.55, 12.7].map(perMinute)).toEqual(['…', '0', '2.5', '13']);
  });

  test('the connection to Discord', () => {
    expect(discordWords('ready', undefined)).toEqual({ tone: 'good', label: 'Connected' });
    expect(discordWords('ready', 'standby').label).toBe('Connected by another process');
    expect(discordWords('connecting', undefined)).toEqual({ tone: 'bad', label: 'Connecting' });
    expect(discordWords('closed', undefined).label).toBe('Not connected');
  });

  test('a line through values', () => {
    expect(linePoints([0, 5, 10], 100, 20)).toBe('0,20 50,10 100,0');
    expect(linePoints([], 100, 20)).toBe('');
    expect(linePoints([3], 100, 20, 6)).toBe('0,10');
  });
});

describe('tiles of a table', () => {
  const person = (userId: string, more: object = {}) => ({
    userId,
    video: undefined,
    showing: false,
    speaking: false,
    ...more,
  });
  const seat = { seatId: '900', userId: '100', username: 'Anna', isTwice: false };
  const nameOf = (userId: string) => ({ '100': 'Anna', '300': 'Carl' })[userId];

  test('a seat is its player, whose name is known by the seat where it is not by the list', () => {
    const tiles = tilesOf([person('900', { video: 4, showing: true }), person('300')], [seat], '1', () => undefined);
    expect(tiles).toEqual([
      { userId: '100', name: 'Anna', video: 4, showing: true, speaking: false },
      { userId: '300', name: 'Somebody', video: undefined, showing: false, speaking: false },
    ]);
  });

  test('who is there twice is one tile, heard by either, seen by the camera that shows', () => {
    const twice = [person('100', { speaking: true }), person('900', { video: 4, showing: true })];
    for (const people of [twice, [...twice].reverse()]) {
      expect(tilesOf(people, [seat], '1', nameOf)).toEqual([
        { userId: '100', name: 'Anna', video: 4, showing: true, speaking: true },
      ]);
    }
  });

  test('oneself has no second tile', () => {
    expect(tilesOf([person('100'), person('900')], [seat], '100', nameOf)).toEqual([]);
  });
});
