/** The whole client in virtual time against a Discord that counts: schedules, latencies and aborts by fast-check. */
import { DiscordRestClient, DiscordRestError, type RestEvents } from '@guildkit/rest';
import { createVirtualClock } from '@guildkit/testkit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type BucketRule, createModelDiscord, type ModelDiscordOptions } from '../support/model-discord.js';
import { settle } from '../support/settle.js';
import type { Counting } from '../support/window-model.js';

interface Call {
  readonly afterMs: number;
  readonly channel: number;
  readonly route: string;
  readonly abortAfterMs: number | undefined;
}

/** Whoever reaches it was stranded. */
const DAY_MS = 86_400_000;

function setup(
  options: Partial<ModelDiscordOptions> & Pick<ModelDiscordOptions, 'rule'>,
  globalRequestsPerSecond = 50,
) {
  const clock = createVirtualClock();
  const discord = createModelDiscord({ clock, latency: () => [20, 20], ...options });
  const rest = new DiscordRestClient({
    token: 'a-token',
    transport: discord,
    clock,
    random: () => 0.5,
    globalRequestsPerSecond,
    requestTimeoutMs: DAY_MS,
  });
  return { clock, discord, rest };
}

const ruleOf =
  (limit: number, windowMs: number, counting: Counting) =>
  (method: string, path: string): BucketRule => ({
    hash: `${method}${path.replaceAll(/\d+/g, '')}`.replaceAll(/[^\w]/g, '-'),
    limit,
    windowMs,
    counting,
  });

describe('no schedule meets a limit', () => {
  const call = fc.record({
    afterMs: fc.integer({ min: 0, max: 400 }),
    channel: fc.integer({ min: 1, max: 3 }),
    route: fc.constantFrom('messages', 'typing'),
    abortAfterMs: fc.option(fc.integer({ min: 0, max: 3_000 }), { nil: undefined, freq: 8 }),
  });

  test.each<Counting>(['fixed', 'sliding'])('%s windows, random latencies and aborts', async (counting) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(call, { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 6 }),
        fc.constantFrom(250, 1_000, 5_000),
        fc.array(fc.tuple(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 300 })), { minLength: 1 }),
        fc.integer({ min: 2, max: 20 }),
        async (calls: readonly Call[], limit, windowMs, latencies, globalPerSecond) => {
          const { clock, discord, rest } = setup(
            {
              rule: ruleOf(limit, windowMs, counting),
              latency: (n) => latencies[n % latencies.length] ?? [0, 0],
              globalPerSecond,
            },
            globalPerSecond,
          );
          const all: Promise<unknown>[] = [];
          for (const [at, { afterMs, channel, route, abortAfterMs }] of calls.entries()) {
            await clock.advance(afterMs);
            const controller = new AbortController();
            const path = `/channels/10000000${channel}/${route}?n=${at}`;
            const abort = (): void => {
              // Only while it waits: an abort of a probe that was counted loses what it was sent to learn.
              if (!discord.sent.some((sent) => sent.path.endsWith(path))) controller.abort();
            };
            if (abortAfterMs !== undefined) clock.setTimer(abort, abortAfterMs);
            const request = rest.request('POST', path, { signal: controller.signal });
            all.push(request.catch((error: unknown) => error));
          }
          const results = await settle(clock, Promise.all(all));
          expect(discord.refused).toBe(0);
          for (const result of results) expect(result).not.toMatchObject({ code: 'ERR_REST_REQUEST_TIMEOUT' });
          expectOrdered(discord.sent.map(({ path }) => path));
          const { active, inFlight } = rest.stats();
          expect({ active, inFlight }).toEqual({ active: 0, inFlight: 0 });
        },
      ),
      { numRuns: 60 },
    );
  });

  test('aborts at any moment, resets, stalls and 5xx strand nobody and break no order', async () => {
    const fault = fc.constantFrom('reset' as const, 'stall' as const, 500, 503, undefined, undefined, undefined);
    const method = fc.constantFrom('PUT' as const, 'POST' as const, 'PATCH' as const);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(call, fault, method), { minLength: 1, maxLength: 40 }), async (calls) => {
        const faults = calls.map(([, what]) => what);
        const { clock, discord, rest } = setup({
          rule: ruleOf(3, 1_000, 'sliding'),
          latency: (n) => [n % 7, n % 5],
          fault: (n) => (n <= faults.length ? faults[n - 1] : undefined),
        });
        const all: Promise<unknown>[] = [];
        for (const [at, [{ afterMs, channel, route, abortAfterMs }, , verb]] of calls.entries()) {
          await clock.advance(afterMs);
          const controller = new AbortController();
          if (abortAfterMs !== undefined) clock.setTimer(() => controller.abort(new Error('no')), abortAfterMs);
          // A PATCH changes the channel's name, which has a limit of its own.
          const path = `/channels/10000000${channel}${verb === 'PATCH' ? '' : `/${route}`}?n=${at}`;
          const body = verb === 'PATCH' ? { name: 'n' } : undefined;
          all.push(rest.request(verb, path, { body, signal: controller.signal }).catch((error: unknown) => error));
        }
        for (const result of await settle(clock, Promise.all(all))) {
          expect(!(result instanceof Error) || (DiscordRestError.is(result) && result.code)).not.toBe(false);
          expect(result).not.toMatchObject({ code: 'ERR_REST_REQUEST_TIMEOUT' });
        }
        const { active, inFlight } = rest.stats();
        expect({ active, inFlight }).toEqual({ active: 0, inFlight: 0 });
        // What is left in the limiter holds nobody: another request gets through.
        for (const channel of [1, 2, 3]) {
          await settle(clock, rest.request('PUT', `/channels/10000000${channel}/messages?n=9999`));
        }
        const posts = discord.done.filter(({ method: verb }) => verb === 'POST').map(({ path }) => path);
        expect(new Set(posts).size).toBe(posts.length);
      }),
      { numRuns: 50 },
    );
  });

  test('two routes that turn out to share a bucket share a queue', async () => {
    const { clock, discord, rest } = setup({
      rule: () => ({ hash: 'shared', limit: 5, windowMs: 1_000, counting: 'fixed' }),
    });
    const all = Array.from({ length: 50 }, (_, n) =>
      rest.request('POST', `/channels/100000001/${n % 2 === 0 ? 'messages' : 'typing'}?n=${n}`),
    );
    await settle(clock, Promise.all(all));
    expect(discord.refused).toBe(0);
    expect(discord.done).toHaveLength(50);
    expect(rest.stats().buckets).toBe(1);
  });

  test('a burst of 50 on a cold route is no slower than its limit allows', async () => {
    const { clock, discord, rest } = setup({ rule: ruleOf(5, 1_000, 'fixed'), latency: () => [1, 1] });
    const all = Promise.all(Array.from({ length: 50 }, () => rest.request('POST', '/channels/100000001/messages')));
    await settle(clock, all);
    expect(discord.refused).toBe(0);
    // Ten windows of five: the last begins after nine of them.
    expect(clock.now()).toBeLessThan(9_500);
  });

  test('inside a wide bucket requests run side by side', async () => {
    const { clock, discord, rest } = setup({ rule: ruleOf(1_000, 1_000, 'fixed'), latency: () => [25, 25] }, 1_000);
    await settle(
      clock,
      Promise.all(Array.from({ length: 200 }, () => rest.request('GET', '/channels/100000001/messages'))),
    );
    expect(discord.refused).toBe(0);
    expect(clock.now()).toBeLessThanOrEqual(200);
  });

  test.each([0, 1, 30])(
    'the global limit holds for a burst of 300 and for a steady 60 a second, latency %i',
    async (ms) => {
      const { clock, discord, rest } = setup({ rule: () => undefined, globalPerSecond: 50, latency: () => [ms, ms] });
      await settle(
        clock,
        Promise.all(Array.from({ length: 300 }, (_, n) => rest.request('GET', `/channels/10000${n}`))),
      );
      const steady: Promise<unknown>[] = [];
      for (let n = 0; n < 300; n += 1) {
        steady.push(rest.request('GET', `/channels/10000${n}`));
        await clock.advance(1_000 / 60);
      }
      await settle(clock, Promise.all(steady));
      expect(discord.refused).toBe(0);
      expect(discord.done).toHaveLength(600);
    },
  );
});

describe('429s', () => {
  const many = (retryAfter: number, scope: string, extra: Record<string, string> = {}) => ({
    status: 429,
    headers: {
      'x-ratelimit-scope': scope,
      'x-ratelimit-bucket': 'b',
      'retry-after': String(Math.ceil(retryAfter)),
      ...extra,
    },
    text: async () => JSON.stringify({ message: 'limited', retry_after: retryAfter, global: scope === 'global' }),
  });

  /** A client whose first answer is a 429 and whose others are empty 200s. */
  function limited(first: ReturnType<typeof many>) {
    const clock = createVirtualClock();
    const sent: { path: string; at: number }[] = [];
    const events: RestEvents['rateLimited'][] = [];
    const rest = new DiscordRestClient({
      token: 'a-token',
      clock,
      random: () => 0.5,
      transport: {
        async send({ path }) {
          sent.push({ path: path.replace('/api/v10', ''), at: clock.now() });
          return sent.length === 1 ? first : { status: 200, headers: {}, text: async () => '{}' };
        },
        async close() {},
      },
    });
    rest.on('rateLimited', (event) => events.push(event));
    return { clock, sent, events, rest };
  }

  test('user scope blocks the bucket for the fraction the body names, others go on, order is kept', async () => {
    const { clock, sent, events, rest } = limited(many(1.25, 'user'));
    const all = [1, 2, 3].map((n) => rest.request('GET', `/channels/100000001/messages?n=${n}`));
    await clock.advance(1);
    await rest.request('GET', '/channels/100000002/messages');
    await settle(clock, Promise.all(all));
    expect(sent.map(({ path }) => path)).toEqual([
      '/channels/100000001/messages?n=1',
      '/channels/100000002/messages',
      '/channels/100000001/messages?n=1',
      '/channels/100000001/messages?n=2',
      '/channels/100000001/messages?n=3',
    ]);
    expect(sent[2]?.at).toBeGreaterThanOrEqual(1_250);
    expect(sent[2]?.at).toBeLessThan(1_260);
    expect(events[0]).toMatchObject({
      kind: 'hit',
      scope: 'user',
      retryAfterMs: 1_250,
      route: '/channels/:id/messages',
    });
    expect(rest.stats()).toMatchObject({ rateLimited: 1, invalidRequests: 1 });
  });

  test('global scope blocks every bucket', async () => {
    const { clock, sent, events, rest } = limited(many(2, 'global'));
    const first = rest.request('GET', '/channels/100000001/messages');
    await clock.advance(1);
    const second = rest.request('GET', '/channels/100000002/messages');
    await settle(clock, Promise.all([first, second]));
    expect(sent.map(({ at }) => at >= 2_000)).toEqual([false, true, true]);
    expect(events[0]).toMatchObject({ kind: 'hit', scope: 'global', bucket: 'global' });
  });

  test('requests that have passed their bucket and wait for the global limit are held back, too', async () => {
    const clock = createVirtualClock();
    const at: number[] = [];
    const headers = {
      'x-ratelimit-bucket': 'b',
      'x-ratelimit-limit': '100',
      'x-ratelimit-remaining': '90',
      'x-ratelimit-reset-after': '1.000',
    };
    const rest = new DiscordRestClient({
      token: 'a-token',
      clock,
      globalRequestsPerSecond: 2,
      transport: {
        async send() {
          at.push(clock.now());
          return at.length === 2
            ? many(10, 'user', { ...headers, 'x-ratelimit-remaining': '0', 'x-ratelimit-reset-after': '10.000' })
            : { status: 200, headers, text: async () => '{}' };
        },
        async close() {},
      },
    });
    const all = Array.from({ length: 6 }, () => rest.request('GET', '/channels/100000001/messages'));
    await clock.advance(5_000);
    expect(at).toEqual([0, 0]);
    await settle(clock, Promise.all(all));
    expect(at.slice(2).every((time) => time >= 10_000)).toBe(true);
    expect(at).toHaveLength(7);
  });

  test('shared scope is not counted as invalid', async () => {
    const { clock, rest } = limited(many(1, 'shared'));
    await settle(clock, rest.request('GET', '/channels/100000001/messages'));
    expect(rest.stats()).toMatchObject({ rateLimited: 1, invalidRequests: 0 });
  });

  test('a 429 of Cloudflare, without JSON and headers, holds everything back for its Retry-After', async () => {
    const html = { status: 429, headers: { 'retry-after': '3' } as never, text: async () => '<html>1015</html>' };
    const { clock, sent, events, rest } = limited(html);
    const first = rest.request('GET', '/channels/100000001/messages');
    await clock.advance(1);
    const second = rest.request('GET', '/users/@me');
    await settle(clock, Promise.all([first, second]));
    expect(sent.map(({ at }) => at >= 3_000)).toEqual([false, true, true]);
    expect(events[0]).toMatchObject({ scope: 'cloudflare' });
  });

  test('without a delay it waits 1, 2, 4, 8, 16 and 16 seconds', async () => {
    const clock = createVirtualClock();
    const at: number[] = [];
    const rest = new DiscordRestClient({
      token: 'a-token',
      clock,
      transport: {
        async send() {
          at.push(clock.now());
          const headers = { 'x-ratelimit-scope': 'user', 'x-ratelimit-bucket': 'b' };
          return at.length < 7
            ? { status: 429, headers, text: async () => '{}' }
            : { status: 200, headers: {}, text: async () => '{}' };
        },
        async close() {},
      },
    });
    await settle(clock, rest.request('POST', '/channels/100000001/messages'));
    expect(at.slice(1).map((time, n) => Math.round((time - (at[n] ?? 0)) / 1_000))).toEqual([1, 2, 4, 8, 16, 16]);
  });

  test('a delay past the deadline fails at once and says when to come back', async () => {
    const { clock, rest } = limited(many(300, 'user'));
    const request = rest.request('GET', '/channels/100000001/messages', { timeoutMs: 5_000 });
    await expect(settle(clock, request)).rejects.toMatchObject({
      code: 'ERR_REST_RATE_LIMIT_EXCEEDED',
      retryAfterMs: 300_000,
      scope: 'user',
      retryable: true,
    });
    expect(clock.now()).toBeLessThan(1_000);
  });

  test('a limit inside a bucket that has room holds up only its own route', async () => {
    const room = { 'x-ratelimit-limit': '5', 'x-ratelimit-remaining': '4', 'x-ratelimit-reset-after': '1.000' };
    const { clock, sent, rest } = limited(many(30, 'user', room));
    const crossposts = rest.request('POST', '/channels/100000001/messages/100000005/crosspost');
    await clock.advance(10);
    await settle(clock, rest.request('GET', '/channels/100000001/messages'));
    expect(clock.now()).toBeLessThan(1_000);
    await settle(clock, crossposts);
    expect(sent[2]?.at).toBeGreaterThanOrEqual(30_000);
  });
});

describe('sublimits', () => {
  const channel = '/channels/100000001';
  const rule = (): BucketRule => ({ hash: 'channel', limit: 5, windowMs: 5_000, counting: 'fixed' });

  test('a third change of the name in ten minutes waits; other edits of the channel go on', async () => {
    const { clock, discord, rest } = setup({ rule });
    const waits: RestEvents['rateLimited'][] = [];
    rest.on('rateLimited', (event) => waits.push(event));
    const renames = ['a', 'b', 'c'].map((name) => rest.request('PATCH', channel, { body: { name } }));
    await settle(clock, rest.request('PATCH', channel, { body: { user_limit: 3 } }));
    expect(clock.now()).toBeLessThan(1_000);
    expect(waits).toMatchObject([{ kind: 'wait', scope: 'sublimit', bucket: 'channel name or topic:100000001' }]);
    await settle(clock, Promise.all(renames));
    expect(clock.now()).toBeGreaterThan(600_000);
    expect(discord.done.map(({ body }) => body)).toEqual([
      '{"name":"a"}',
      '{"name":"b"}',
      '{"user_limit":3}',
      '{"name":"c"}',
    ]);
  });

  test('one whose deadline comes before its turn fails at once and says when to come back', async () => {
    const { clock, discord, rest } = setup({ rule });
    await settle(clock, Promise.all(['a', 'b'].map((name) => rest.request('PATCH', channel, { body: { name } }))));
    const third = rest.request('PATCH', channel, { body: { name: 'c' }, timeoutMs: 60_000 });
    await expect(settle(clock, third)).rejects.toMatchObject({ code: 'ERR_REST_RATE_LIMIT_EXCEEDED', attempts: 0 });
    expect(clock.now()).toBeLessThan(1_000);
    expect(discord.done).toHaveLength(2);
    expect(rest.stats()).toMatchObject({ active: 0, inFlight: 0 });
  });

  test('a rename that Discord refuses does not count', async () => {
    const { clock, rest } = setup({ rule, fault: (n) => (n === 1 ? 400 : undefined) });
    const rename = (name: string): Promise<unknown> => rest.request('PATCH', channel, { body: { name } });
    await expect(settle(clock, rename('a'))).rejects.toMatchObject({ status: 400 });
    await settle(clock, Promise.all([rename('b'), rename('c')]));
    expect(clock.now()).toBeLessThan(2_000);
  });
});

function expectOrdered(paths: readonly string[]): void {
  const last = new Map<string, number>();
  for (const path of paths) {
    const [bucket = '', n = ''] = path.split('?n=');
    expect(Number(n)).toBeGreaterThan(last.get(bucket) ?? -1);
    last.set(bucket, Number(n));
  }
}
