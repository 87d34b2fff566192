/**
 * Requests to a sandbox that fails in every way at once: each promise settles, and the sandbox holds no message twice.
 * 2,000 here, 20,000 in `npm run soak -- rest`.
 */
import { getEventListeners } from 'node:events';
import { DiscordRestClient, DiscordRestError } from '@guildkit/rest';
import { createSandbox, type RestFaultOptions } from '@guildkit/sandbox';
import { expect, test } from 'vitest';

const REQUESTS = Number(process.env.SOAK_REQUESTS ?? 2_000);
/** Requests that go on at once. */
const AT_ONCE = 500;
const CHANNELS = 9;
/** Discord's limits times this, so that the run is not one long queue: 100 messages a second and channel. */
const LIMITS = 100;
const SEED = 7;
const PAGE = '<html>not JSON</html>';

/** The faults and the share of all requests that each gets. With `carriedOut` the request is done, and its answer lost. */
const FAULTS: readonly (readonly [share: number, fault: RestFaultOptions])[] = [
  [0.05, { answer: 500 }],
  [0.05, { answer: 502, html: PAGE, carriedOut: true }],
  [0.025, { answer: 'reset' }],
  [0.025, { answer: 'reset', carriedOut: true }],
  [0.025, { answer: 'silence' }],
  [0.025, { answer: 'silence', carriedOut: true }],
  [0.01, { html: PAGE }],
];

test('10 % 5xx, 5 % resets, 5 % stalls, 1 % HTML, aborts at random', async () => {
  await using sandbox = await createSandbox({ seed: SEED, rateLimits: LIMITS });
  const channels: string[] = [];
  for (let n = 0; n < CHANNELS; n += 1) {
    channels.push((await sandbox.channels.create({ name: `channel-${n}`, kind: 'text' })).id);
  }
  // Each fault is asked in turn, so it draws from what those before it have left.
  let left = 1;
  for (const [share, fault] of FAULTS) {
    sandbox.faults.disturbRest({ ...fault, share: share / left, seed: SEED });
    left -= share;
  }
  await using rest = new DiscordRestClient({
    ...sandbox.connection,
    globalRequestsPerSecond: 50 * LIMITS,
    attemptTimeoutMs: 1_000,
    maxConnections: 256,
    random: () => 0,
  });
  const shared = new AbortController();
  const results = new Map<string, string>();
  async function one(n: number): Promise<void> {
    const channel = channels[n % CHANNELS] ?? '';
    const own = new AbortController();
    const signal = n % 2 === 0 ? shared.signal : own.signal;
    const timer = n % 20 === 1 ? setTimeout(() => own.abort(), (n * 7) % 500) : undefined;
    const kind = ['enforced', 'plain', 'read'][n % 3];
    const content = `${kind} ${n}`;
    const call =
      kind === 'enforced'
        ? rest.sendMessage(channel, content, { signal })
        : kind === 'plain'
          ? rest.request('POST', `/channels/${channel}/messages`, { body: { content }, signal })
          : rest.getChannel(channel, { signal });
    const result = await call.then(
      () => 'done',
      (error: unknown) => (DiscordRestError.is(error) ? error.code : `untyped: ${String(error)}`),
    );
    results.set(content, result);
    clearTimeout(timer);
  }
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < REQUESTS) await one(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));

  // Every promise settled, with a result that the documentation names.
  expect(results.size).toBe(REQUESTS);
  const known = new Set([
    'done',
    'ERR_REST_REQUEST_ABORTED',
    'ERR_REST_NETWORK_FAILED',
    'ERR_REST_SERVER_FAILED',
    'ERR_REST_RESPONSE_MALFORMED',
  ]);
  expect([...new Set(results.values())].filter((result) => !known.has(result))).toEqual([]);
  expect([...results.values()].filter((result) => result === 'done').length).toBeGreaterThan(REQUESTS * 0.6);

  // The sandbox has each message once at most, and each that was answered exactly once.
  const times = new Map<string, number>();
  for (const channel of channels) {
    for (const { content } of sandbox.channels.messages(channel)) times.set(content, (times.get(content) ?? 0) + 1);
  }
  expect([...times].filter(([, count]) => count > 1)).toEqual([]);
  const answered = [...results].filter(([content, result]) => result === 'done' && !content.startsWith('read'));
  expect(answered.filter(([content]) => !times.has(content))).toEqual([]);
  expect(times.size).toBeGreaterThan(REQUESTS / 2);

  // The faults happened, and waiting for limits kept 429s away all the while.
  const { restFaults, restRateLimited, internalErrors } = sandbox.traffic.counters;
  expect(restFaults).toBeGreaterThan(REQUESTS * 0.15);
  expect({ restRateLimited, internalErrors }).toEqual({ restRateLimited: 0, internalErrors: 0 });
  expect(getEventListeners(shared.signal, 'abort')).toHaveLength(0);
  expect(rest.stats()).toMatchObject({ requests: REQUESTS, active: 0, inFlight: 0 });
}, 600_000);

test('the same faults do a request twice that is repeated without a nonce: the run can fail', async () => {
  await using sandbox = await createSandbox({ seed: SEED });
  sandbox.faults.disturbRest({ answer: 502, carriedOut: true, count: 1 });
  await using rest = new DiscordRestClient({ ...sandbox.connection, random: () => 0 });
  const { textChannelId } = sandbox;
  const body = { content: 'twice' };
  await rest.request('POST', `/channels/${textChannelId}/messages`, { body, repeatable: true });
  expect(sandbox.channels.messages(textChannelId).map(({ content }) => content)).toEqual(['twice', 'twice']);
});
