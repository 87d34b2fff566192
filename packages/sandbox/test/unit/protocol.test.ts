import { GatewayDispatchEvents } from 'discord-api-types/v10';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createToken, TokenBook } from '../../src/codec/token.js';
import { parseClientFrame } from '../../src/protocol/gateway/frames.js';
import { ALL_INTENTS, intentsFor, judgeIntents } from '../../src/protocol/gateway/intents.js';
import { ReplayLog } from '../../src/protocol/gateway/replay-log.js';
import { matchRoute, type RoutePattern } from '../../src/protocol/rest/router.js';
import { ROUTES } from '../../src/protocol/routes/index.js';
import { createIdSource, DISCORD_EPOCH_MS, isSnowflake, shardOf } from '../../src/protocol/snowflake.js';

describe('ids', () => {
  test('grow, are valid, and do not meet those of the next seed', () => {
    const [one, two] = [createIdSource(1), createIdSource(2)];
    const ids = Array.from({ length: 5000 }, () => one.next());
    expect(ids.every(isSnowflake)).toBe(true);
    expect(ids.every((id, at) => at === 0 || BigInt(id) > BigInt(ids[at - 1] ?? 0))).toBe(true);
    expect(ids).not.toContain(two.next());
    expect(Number(BigInt(ids[0] ?? 0) >> 22n) + DISCORD_EPOCH_MS).toBeGreaterThan(Date.UTC(2024, 0, 1));
  });

  test.each(['', '-1', '1.5', 'x', '18446744073709551616', '123456789012345678901', 7, null])('%o is none', (id) => {
    expect(isSnowflake(id)).toBe(false);
  });

  test('shards follow Discord’s formula', () => {
    expect([shardOf('197038439483310086', 16), shardOf(String(5n << 22n), 4)]).toEqual([
      Number((197038439483310086n >> 22n) % 16n),
      1,
    ]);
  });
});

describe('frames', () => {
  test('any text gives a value, never an exception', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string({ unit: 'binary' })), (text) => {
        expect(parseClientFrame(text)).toHaveProperty('kind');
      }),
      { numRuns: 2000 },
    );
  });

  test('what they hold is what was sent', () => {
    const read = (op: number, d: unknown) => parseClientFrame(JSON.stringify({ op, d }));
    const voice = { guild_id: '1', channel_id: null, self_mute: true, self_deaf: false };
    expect(read(4, voice)).toEqual({
      kind: 'request',
      request: { kind: 'voiceState', guildId: '1', channelId: null, selfMute: true, selfDeaf: false, selfVideo: false },
    });
    expect(read(8, { guild_id: ['1'], user_ids: '2', nonce: 'x'.repeat(33) })).toMatchObject({
      request: { guildId: '1', userIds: ['2'], nonce: undefined },
    });
    expect(read(8, { guild_id: '1' })).toMatchObject({ kind: 'invalid', code: 4002 });
    expect(read(8, { guild_id: '1', user_ids: Array(101).fill('1') })).toMatchObject({ kind: 'invalid', code: 4002 });
    expect(read(8, { guild_id: '1', query: '', limit: 0, nonce: 'é'.repeat(17) })).toMatchObject({
      request: { nonce: undefined, presences: false },
    });
    expect(read(43, { guild_id: '1' })).toMatchObject({ kind: 'invalid', code: 4002 });
    expect(read(43, { guild_id: '1', fields: ['status', 7] })).toMatchObject({
      request: { kind: 'channelInfo', guildId: '1', fields: ['status'] },
    });
    expect(read(31, { guild_ids: ['1', '2'] })).toMatchObject({ request: { guildIds: ['1', '2'] } });
    expect(read(31, { guild_ids: ['x'] })).toMatchObject({ kind: 'invalid', code: 4002 });
    expect(read(3, { status: 'dnd', activities: [{ name: 'chess', type: 0, secret: 1 }] })).toMatchObject({
      request: { kind: 'presence', presence: { status: 'dnd', activities: [{ name: 'chess', type: 0 }] } },
    });
    expect(read(3, { status: 'invisible' })).toMatchObject({ request: { presence: undefined } });
    for (const bad of [{ status: 'busy' }, { activities: 'none' }, { activities: [{}] }, 7]) {
      expect(read(3, bad)).toMatchObject({ kind: 'invalid', code: 4002 });
    }
    expect(read(6, { token: 'x', session_id: 's', seq: -1 })).toMatchObject({ kind: 'invalid', code: 4002 });
    expect(read(7, {})).toMatchObject({ kind: 'invalid', code: 4001 });
  });

  test('a token may have the prefix of REST', () => {
    const frames = [
      { op: 2, d: { token: 'Bot x', intents: 1, properties: {} } },
      { op: 6, d: { token: 'Bot x', session_id: 's', seq: 1 } },
    ].map((frame) => parseClientFrame(JSON.stringify(frame)));
    expect(frames.map((frame) => 'token' in frame && frame.token.reveal())).toEqual(['x', 'x']);
  });

  test('a token does not show', () => {
    const frame = parseClientFrame(JSON.stringify({ op: 2, d: { token: 'very-secret', intents: 1, properties: {} } }));
    expect(JSON.stringify(frame)).not.toContain('very-secret');
  });
});

test('intents are judged by bits', () => {
  expect(ALL_INTENTS).toBe(0b11_0011_0001_1111_1111_1111_1111);
  expect(judgeIntents(ALL_INTENTS, ALL_INTENTS)).toBeUndefined();
  expect(judgeIntents(1 << 17, ALL_INTENTS)).toBe('invalid');
  for (const bad of [-1, 1.5, 2 ** 40, '1', null, Number.NaN]) expect(judgeIntents(bad, ALL_INTENTS)).toBe('invalid');
  expect(judgeIntents(2, 256)).toBe('disallowed');
  expect(judgeIntents(2 | 128, 2)).toBeUndefined();
  expect([intentsFor('VOICE_STATE_UPDATE'), intentsFor('MESSAGE_CREATE'), intentsFor('READY')]).toEqual([128, 4608, 0]);
});

test('every dispatch needs an intent, but those that the documentation gives to everyone', () => {
  const free = Object.values(GatewayDispatchEvents).filter((name) => intentsFor(name) === 0);
  expect(free.sort()).toEqual([
    'APPLICATION_COMMAND_PERMISSIONS_UPDATE',
    'CHANNEL_INFO',
    'ENTITLEMENT_CREATE',
    'ENTITLEMENT_DELETE',
    'ENTITLEMENT_UPDATE',
    'GUILD_MEMBERS_CHUNK',
    'INTERACTION_CREATE',
    'RATE_LIMITED',
    'READY',
    'RESUMED',
    'SOUNDBOARD_SOUNDS',
    'SUBSCRIPTION_CREATE',
    'SUBSCRIPTION_DELETE',
    'SUBSCRIPTION_UPDATE',
    'USER_UPDATE',
    'VOICE_SERVER_UPDATE',
  ]);
});

test('the replay log gives back its last entries, in order', () => {
  const log = new ReplayLog(3);
  for (let seq = 1; seq <= 7; seq += 1) log.push({ seq, name: 'E', json: String(seq) });
  const seqs = (after: number, through: number) => [...log.between(after, through)].map(({ seq }) => seq);
  expect(seqs(4, 7)).toEqual([5, 6, 7]);
  expect(seqs(5, 6)).toEqual([6]);
  expect(seqs(7, 7)).toEqual([]);
  expect(seqs(0, 7)).toEqual([5, 6, 7]);
});

test('the replay log is bounded in size, too', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(12), { maxLength: 30 }), (sizes) => {
      const log = new ReplayLog(5, 20);
      let kept: number[] = [];
      for (const [at, size] of sizes.entries()) {
        log.push({ seq: at + 1, name: 'E', json: 'x'.repeat(size) });
        kept = [...kept, at + 1].slice(-5);
        const total = () => kept.reduce((sum, seq) => sum + (sizes[seq - 1] ?? 0), 0);
        while (total() > 20) kept.shift();
        expect([...log.between(0, at + 1)].map(({ seq }) => seq)).toEqual(kept);
        expect(log.oldest).toBe(kept[0] ?? at + 2);
      }
    }),
  );
});

test('tokens name their account and are found by digest', () => {
  const token = createToken('1191169165906411525', 1);
  expect(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).toBe('1191169165906411525');
  const book = new TokenBook();
  book.add('7', token);
  expect([book.ownerOf(token), book.ownerOf(`${token}x`), book.ownerOf('')]).toEqual(['7', undefined, undefined]);
  expect(JSON.stringify([...Object.values(book)])).not.toContain(token);
});

describe('the router', () => {
  const routes: readonly RoutePattern[] = [
    { method: 'GET', path: '/a/:userId' },
    { method: 'GET', path: '/a/@me' },
    { method: 'POST', path: '/a/:userId/b' },
  ];
  test('prefers a literal, checks ids, tells method from path', () => {
    expect(matchRoute(routes, 'GET', '/a/@me')).toMatchObject({ kind: 'found', route: routes[1], params: {} });
    expect(matchRoute(routes, 'GET', '/a/12')).toMatchObject({ kind: 'found', params: { userId: '12' } });
    expect(matchRoute(routes, 'GET', '/a/me')).toEqual({ kind: 'badId', param: 'userId', value: 'me' });
    expect(matchRoute(routes, 'GET', '/a/1/b')).toEqual({ kind: 'methodNotAllowed' });
    for (const path of ['', '/', '/a', '/a/', '/a/1/c', '/a/1/b/'])
      expect(matchRoute(routes, 'GET', path).kind).toBe('notFound');
  });

  test('the table has no line twice', () => {
    const lines = ROUTES.map(({ method, path }) => `${method} ${path}`);
    expect(new Set(lines).size).toBe(lines.length);
  });
});
