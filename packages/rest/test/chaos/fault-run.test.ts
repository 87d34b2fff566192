/**
 * Requests through a server that fails in every way at once: each promise settles, nothing is done twice. 2,000 here,
 * 20,000 in `npm run soak`.
 */
import { getEventListeners } from 'node:events';
import { DiscordRestClient, DiscordRestError } from '@guildkit/rest';
import { expect, test } from 'vitest';
import { createFakeDiscord, limitHeaders } from '../support/fake-discord.js';

const REQUESTS = Number(process.env.SOAK_REQUESTS ?? 2_000);
/** Requests that go on at once. */
const AT_ONCE = 500;

/** A small seeded generator (mulberry32): the same faults each time. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

test('10 % 500s, 5 % resets, 5 % stalls, 1 % HTML, aborts at random', async () => {
  const random = createRandom(7);
  /** How often each text was posted. */
  const messages = new Map<string, number>();
  const nonces = new Set<unknown>();
  await using discord = await createFakeDiscord(({ method, body }, { req }) => {
    const fate = random();
    if (fate < 0.05) return { status: 500, body: { message: 'before it was done' } };
    if (method === 'POST') {
      const { nonce, content, enforce_nonce: enforced } = JSON.parse(body) as Record<string, string | boolean>;
      // enforce_nonce: the message that exists is the answer.
      if (enforced !== true || !nonces.has(nonce))
        messages.set(String(content), (messages.get(String(content)) ?? 0) + 1);
      if (enforced === true) nonces.add(nonce);
    }
    if (fate < 0.1) return { status: 502, body: '<html>after it was done</html>' };
    if (fate < 0.15) {
      req.socket.resetAndDestroy();
      return undefined;
    }
    if (fate < 0.2) return undefined;
    if (fate < 0.21) return { body: '<html>not JSON</html>' };
    return { headers: limitHeaders('bucket', 1_000, 999, 1), body: { ok: true } };
  });
  await using rest = new DiscordRestClient({
    token: 'a-token',
    apiBase: discord.apiBase,
    globalRequestsPerSecond: 2_000,
    attemptTimeoutMs: 1_000,
    maxConnections: 256,
    requestTimeoutMs: 20_000,
    random: () => 0,
  });
  const shared = new AbortController();
  const results: string[] = [];
  async function one(n: number): Promise<void> {
    const channel = `10000000000000000${n % 9}`;
    const own = new AbortController();
    const signal = n % 2 === 0 ? shared.signal : own.signal;
    const timer = n % 20 === 1 ? setTimeout(() => own.abort(), random() * 500) : undefined;
    const call =
      n % 3 === 0
        ? rest.sendMessage(channel, `message ${n}`, { signal })
        : n % 3 === 1
          ? rest.request('POST', `/channels/${channel}/messages`, { body: { content: `plain ${n}` }, signal })
          : rest.getChannel(channel, { signal });
    results.push(
      await call.then(
        () => 'done',
        (error: unknown) => (DiscordRestError.is(error) ? error.code : `untyped: ${String(error)}`),
      ),
    );
    clearTimeout(timer);
  }
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < REQUESTS) await one(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  expect(results).toHaveLength(REQUESTS);
  const known = new Set([
    'done',
    'ERR_REST_REQUEST_ABORTED',
    'ERR_REST_NETWORK_FAILED',
    'ERR_REST_SERVER_FAILED',
    'ERR_REST_RESPONSE_MALFORMED',
  ]);
  expect([...new Set(results)].filter((result) => !known.has(result))).toEqual([]);
  expect(results.filter((result) => result === 'done').length).toBeGreaterThan(REQUESTS * 0.6);
  expect(messages.size).toBeGreaterThan(REQUESTS / 2);
  expect([...messages].filter(([, times]) => times > 1)).toEqual([]);
  expect(getEventListeners(shared.signal, 'abort')).toHaveLength(0);
  expect(rest.stats()).toMatchObject({ requests: REQUESTS, active: 0, inFlight: 0 });
}, 300_000);
