/** A thousand requests through a server that fails in every way at once: each promise settles, nothing is done twice. */
import { getEventListeners } from 'node:events';
import { DiscordRestClient, DiscordRestError } from '@guildkit/rest';
import { expect, test } from 'vitest';
import { createFakeDiscord, limitHeaders } from '../support/fake-discord.js';

const REQUESTS = 1_000;

/** A small seeded generator (mulberry32): the run is the same each time. */
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
  /** Messages by nonce, or by content where there is none. */
  const messages = new Map<string, number>();
  await using discord = await createFakeDiscord(({ method, body }, { req }) => {
    const fate = random();
    if (fate < 0.05) return { status: 500, body: { message: 'before it was done' } };
    if (method === 'POST') {
      const { nonce, content, enforce_nonce: enforced } = JSON.parse(body) as Record<string, string | boolean>;
      const key = String(nonce ?? content);
      // enforce_nonce: the message that exists is the answer.
      if (enforced !== true || !messages.has(key)) messages.set(key, (messages.get(key) ?? 0) + 1);
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
    requestTimeoutMs: 20_000,
    random: () => 0,
  });
  const shared = new AbortController();
  const results = await Promise.all(
    Array.from({ length: REQUESTS }, async (_, n) => {
      const channel = `10000000000000000${n % 9}`;
      const own = new AbortController();
      const signal = n % 2 === 0 ? shared.signal : own.signal;
      if (n % 20 === 1) setTimeout(() => own.abort(), random() * 500);
      const call =
        n % 3 === 0
          ? rest.sendMessage(channel, `message ${n}`, { signal })
          : n % 3 === 1
            ? rest.request('POST', `/channels/${channel}/messages`, { body: { content: `plain ${n}` }, signal })
            : rest.getChannel(channel, { signal });
      return call.then(
        () => 'done',
        (error: unknown) => (DiscordRestError.is(error) ? error.code : `untyped: ${String(error)}`),
      );
    }),
  );
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
}, 60_000);
