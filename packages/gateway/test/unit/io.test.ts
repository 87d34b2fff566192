/** The shell's parts that have no socket: identify queue, gateway info, stores. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Redacted } from '@guildkit/core';
import { localIdentifyQueue, memorySessionStore } from '@guildkit/gateway';
import { createVirtualClock } from '@guildkit/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { fetchGatewayInfoFrom, untilGatewayInfo } from '../../src/io/gateway-info.js';
import { budgetKey, isStoredSession, sessionKey, tokenHash } from '../../src/io/session-store.js';
import { retryAfterOf } from '../../src/io/socket.js';

test('one shard of a bucket identifies in five seconds, buckets do not wait for each other', async () => {
  const clock = createVirtualClock();
  const queue = localIdentifyQueue({ clock });
  const granted: [number, number][] = [];
  const ask = (shardId: number, signal = new AbortController().signal) =>
    queue.acquire({ shardId, maxConcurrency: 2, signal }).then(() => granted.push([shardId, clock.now()]));
  const withdrawn = new AbortController();
  const rejected = expect(
    Promise.all([0, 1, 2, 3].map((id) => ask(id)).concat(ask(4, withdrawn.signal))),
  ).rejects.toThrow('no');
  const last = ask(6);
  await clock.advance(4_999);
  withdrawn.abort(new Error('no'));
  await rejected;
  await clock.advance(10_000);
  await last;
  expect(granted.sort((a, b) => a[1] - b[1] || a[0] - b[0])).toEqual([
    [0, 0],
    [1, 0],
    [2, 5_000],
    [3, 5_000],
    [6, 10_000],
  ]);
  expect(clock.pending).toBe(0);
  await expect(
    queue.acquire({ shardId: 0, maxConcurrency: 1, signal: AbortSignal.abort(new Error('late')) }),
  ).rejects.toThrow('late');
});

test('a withdrawn wish leaves no timer', async () => {
  const clock = createVirtualClock();
  const queue = localIdentifyQueue({ clock });
  await queue.acquire({ shardId: 0, maxConcurrency: 1, signal: new AbortController().signal });
  const withdrawn = new AbortController();
  const wish = queue.acquire({ shardId: 0, maxConcurrency: 1, signal: withdrawn.signal });
  withdrawn.abort(new Error('no'));
  await expect(wish).rejects.toThrow('no');
  expect(clock.pending).toBe(0);
});

const INFO = {
  url: 'wss://gateway.test',
  shards: 1,
  session_start_limit: { total: 1, remaining: 1, reset_after: 0, max_concurrency: 1 },
};

/** A REST API that answers each request with the next of these. */
async function api(answers: [status: number, body: unknown, headers?: Record<string, string>][]) {
  const asked: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    const [status, body, headers = {}] = answers[Math.min(asked.length, answers.length - 1)] ?? [500, {}];
    asked.push(request.headers.authorization);
    response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return { base: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v10`, asked };
}

async function lookUp(base: string) {
  const clock = createVirtualClock();
  const delays: number[] = [];
  const info = await untilGatewayInfo({
    fetchInfo: fetchGatewayInfoFrom(base, new Redacted('secret-token'), clock),
    backoff: { baseMs: 1_000, capMs: 30_000 },
    clock: {
      ...clock,
      setTimer: (callback) => clock.setTimer(callback, 0) && setImmediate(() => clock.advanceSync(0)),
    },
    random: () => 0.5,
    signal: new AbortController().signal,
    redact: (text) => text,
    onFailure: (_error, _attempt, delayMs) => delays.push(delayMs),
  }).catch((error: unknown) => error);
  return { info, delays };
}

test('the gateway is looked up with the bot token, again after 5xx and 429', async () => {
  const { base, asked } = await api([
    [502, ''],
    [503, {}],
    [429, {}, { 'retry-after': '7' }],
    [200, INFO],
  ]);
  const { info, delays } = await lookUp(base);
  expect(info).toEqual(INFO);
  expect(delays).toEqual([500, 1_000, 7_000]);
  expect(new Set(asked)).toEqual(new Set(['Bot secret-token']));
});

test.each([
  [401, {}, 'ERR_GATEWAY_TOKEN_REFUSED'],
  [404, {}, 'ERR_GATEWAY_INFO_UNAVAILABLE'],
  [200, { url: 'https://x' }, 'ERR_GATEWAY_INFO_UNAVAILABLE'],
  [200, { ...INFO, url: 'wss://' }, 'ERR_GATEWAY_INFO_UNAVAILABLE'],
  [200, { ...INFO, shards: 1e9 }, 'ERR_GATEWAY_INFO_UNAVAILABLE'],
])('an answer of %i %j is not asked for again', async (status, body, code) => {
  const { base, asked } = await api([[status, body]]);
  expect((await lookUp(base)).info).toMatchObject({ code, retryable: false });
  expect(asked).toHaveLength(1);
});

test('an answer that is not JSON is asked for again', async () => {
  const { base } = await api([
    [200, '<html>'],
    [200, INFO],
  ]);
  expect(await lookUp(base)).toEqual({ info: INFO, delays: [500] });
});

test('a Retry-After that no timer takes is not over at once', async () => {
  const { base } = await api([
    [429, {}, { 'retry-after': '99999999' }],
    [200, INFO],
  ]);
  const { delays } = await lookUp(base);
  expect(delays).toEqual([3_600_000]);
});

test('Retry-After in seconds, as a date, or as nonsense', () => {
  const clock = createVirtualClock();
  expect(retryAfterOf('1.5', clock)).toBe(1_500);
  expect(retryAfterOf('-3', clock)).toBe(0);
  expect(retryAfterOf(new Date(clock.wallTime() + 9_000).toUTCString(), clock)).toBe(9_000);
  for (const header of ['soon', '', undefined, null]) expect(retryAfterOf(header, clock)).toBeUndefined();
});

test('sessions are kept under a name that tells token, intents and shard apart, and holds no secret', async () => {
  const [a, b] = [await tokenHash('token-a'), await tokenHash('token-b')];
  const keys = [
    sessionKey(a, 1, 0, 1),
    sessionKey(b, 1, 0, 1),
    sessionKey(a, 2, 0, 1),
    sessionKey(a, 1, 1, 2),
    sessionKey(a, 1, 0, 2),
    budgetKey(a),
    budgetKey(b),
  ];
  expect(new Set(keys).size).toBe(7);
  expect(keys.join()).not.toContain('token');
  expect(await tokenHash('token-a')).toBe(a);
});

test('the memory store keeps, gives and forgets', async () => {
  const store = memorySessionStore();
  const session = { sessionId: 's', seq: 4, resumeUrl: 'wss://r', userId: '1', savedAt: 0 };
  expect(await store.load('k')).toBeUndefined();
  await store.save('k', session);
  expect(await store.load('k')).toEqual(session);
  await store.remove('k');
  expect(await store.load('k')).toBeUndefined();
  expect(isStoredSession(session)).toBe(true);
  for (const broken of [null, 'x', {}, { ...session, seq: 1.5 }, { ...session, resumeUrl: 'http://x' }]) {
    expect(isStoredSession(broken)).toBe(false);
  }
});
