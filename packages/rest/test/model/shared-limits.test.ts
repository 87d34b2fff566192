/** Several clients with one token and one store against a Discord that counts, in virtual time. */
import { createMemoryRateLimitStore, DiscordRestClient, type RateLimitStore } from '@guildkit/rest';
import { createVirtualClock, type VirtualClock } from '@guildkit/testkit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createModelDiscord } from '../support/model-discord.js';
import { settle } from '../support/settle.js';
import type { Counting } from '../support/window-model.js';

const CHANNEL = '/channels/100000001/messages';

function setup(processes: number, wrap: (store: RateLimitStore) => RateLimitStore = (store) => store) {
  const lines: string[] = [];
  const line = (_fields: object, message: string): void => {
    lines.push(message);
  };
  const logger = { debug: () => {}, info: line, warn: line, error: line };
  const clock = createVirtualClock();
  const discord = createModelDiscord({
    clock,
    rule: (method) => ({ hash: method, limit: 4, windowMs: 1_000, counting: 'sliding' }),
    latency: (n) => [n % 40, n % 30],
    globalPerSecond: 10,
  });
  const rateLimitStore = wrap(createMemoryRateLimitStore(clock));
  const options = { token: 'a-token', transport: discord, clock, rateLimitStore, logger, globalRequestsPerSecond: 10 };
  const clients = Array.from(
    { length: processes },
    () => new DiscordRestClient({ ...options, requestTimeoutMs: 600_000 }),
  );
  return { clock, discord, clients, lines };
}

const first = (process: number, channel: number) => ({ afterMs: 0, process, channel });

/** A store as over a network: each call takes its time there and back. */
function farAway(store: RateLimitStore, clock: VirtualClock, latencies: readonly number[]): RateLimitStore {
  let calls = 0;
  const wait = (): Promise<void> => {
    calls += 1;
    return new Promise((resolve) => clock.setTimer(resolve, latencies[calls % latencies.length] ?? 0));
  };
  return new Proxy(store, {
    get:
      (target, name: keyof RateLimitStore) =>
      async (...args: readonly never[]) => {
        await wait();
        const result = await (target[name] as (...args: readonly never[]) => Promise<unknown>)(...args);
        await wait();
        return result;
      },
  });
}

describe('a shared store', () => {
  test('keeps three processes within one bucket and one global limit', async () => {
    const { clock, discord, clients } = setup(3);
    const all = Array.from({ length: 90 }, (_, n) =>
      clients[n % 3]?.request('POST', n % 2 === 0 ? CHANNEL : `/channels/10000000${n % 7}/messages`),
    );
    await settle(clock, Promise.all(all));
    expect(discord.refused).toBe(0);
    expect(discord.done).toHaveLength(90);
  });

  test('without it the same processes run into 429s: the test can fail', async () => {
    const { clock, discord, clients } = setup(3, () => undefined as never);
    await settle(clock, Promise.all(Array.from({ length: 90 }, (_, n) => clients[n % 3]?.request('POST', CHANNEL))));
    expect(discord.refused).toBeGreaterThan(0);
  });

  test.each<Counting>(['fixed', 'sliding'])('whatever the latencies, %s windows', async (counting) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ afterMs: fc.integer({ min: 0, max: 300 }), process: fc.nat(2), channel: fc.nat(1) }), {
          minLength: 1,
          maxLength: 30,
        }),
        fc.integer({ min: 1, max: 4 }),
        fc.constantFrom(250, 1_000, 3_000),
        fc.array(fc.tuple(fc.nat(200), fc.nat(200)), { minLength: 1, maxLength: 8 }),
        fc.array(fc.nat(40), { minLength: 1, maxLength: 8 }),
        async (calls, limit, windowMs, latencies, storeLatencies) => {
          const clock = createVirtualClock();
          const discord = createModelDiscord({
            clock,
            rule: (method) => ({ hash: method, limit, windowMs, counting }),
            latency: (n) => latencies[n % latencies.length] ?? [0, 0],
          });
          const rateLimitStore = farAway(createMemoryRateLimitStore(clock), clock, storeLatencies);
          const options = { token: 'a-token', transport: discord, clock, rateLimitStore, requestTimeoutMs: 86_400_000 };
          const clients = [0, 1, 2].map(() => new DiscordRestClient(options));
          const all: (Promise<unknown> | undefined)[] = [];
          for (const { afterMs, process, channel } of calls) {
            await clock.advance(afterMs);
            all.push(clients[process]?.request('POST', `/channels/10000000${channel}/messages`));
          }
          await settle(clock, Promise.all(all));
          expect(discord.refused).toBe(0);
          expect(discord.done).toHaveLength(calls.length);
        },
      ),
      {
        numRuns: 200,
        examples: [
          // One asks before the other has told what it learned, and takes the probe's slot after.
          [[first(1, 0), first(0, 0)], 1, 250, [[0, 0]], [0, 2, 3]],
          // One probes a channel while another has learned the route elsewhere.
          [
            [first(0, 0), first(0, 1), first(1, 1)],
            1,
            250,
            [
              [0, 0],
              [0, 1],
              [26, 24],
            ],
            [0],
          ],
        ],
      },
    );
  });

  test('keeps the order of each process, and an abort leaves at once and gives its slot back', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.option(fc.integer({ min: 0, max: 4_000 })), { maxLength: 30 }), async (aborts) => {
        const { clock, discord, clients } = setup(2);
        let late = 0;
        const all = aborts.map((afterMs, n) => {
          const controller = new AbortController();
          let abortedAt: number | undefined;
          const path = `${CHANNEL}?n=${n}`;
          if (afterMs !== null) {
            clock.setTimer(() => {
              if (discord.sent.some((sent) => sent.path.endsWith(path))) return;
              abortedAt = clock.now();
              controller.abort();
            }, afterMs);
          }
          return clients[n % 2]?.request('POST', path, { signal: controller.signal }).catch(() => {
            if (clock.now() !== abortedAt) late += 1;
          });
        });
        await settle(clock, Promise.all(all));
        expect(late).toBe(0);
        expect(discord.refused).toBe(0);
        for (const which of [0, 1]) {
          const order = discord.sent.map(({ path }) => Number(path.split('=')[1])).filter((n) => n % 2 === which);
          expect(order).toEqual([...order].sort((a, b) => a - b));
        }
      }),
      { numRuns: 40 },
    );
  });

  test('a store that fails holds nobody up, is logged once, and is used again when it works', async () => {
    let broken = false;
    const flaky = (store: RateLimitStore): RateLimitStore =>
      new Proxy(store, {
        get: (target, name: keyof RateLimitStore) =>
          broken ? () => Promise.reject(new Error('connection lost')) : target[name].bind(target),
      });
    const { clock, discord, clients, lines } = setup(1, flaky);
    const client = clients[0];
    await settle(clock, Promise.all([client?.request('POST', CHANNEL), client?.request('POST', CHANNEL)]));
    broken = true;
    await settle(clock, Promise.all(Array.from({ length: 10 }, () => client?.request('POST', CHANNEL))));
    broken = false;
    await settle(clock, Promise.all(Array.from({ length: 10 }, () => client?.request('POST', CHANNEL))));
    expect(discord.done).toHaveLength(22);
    expect(lines).toEqual(['rate limit store fails: own limits only', 'rate limit store works again']);
    expect(discord.refused).toBe(0);
  });
});
