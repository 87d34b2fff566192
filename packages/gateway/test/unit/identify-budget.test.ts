/** The day's IDENTIFYs: counted, kept, never all spent. */
import {
  type IdentifyBudget,
  type IdentifyBudgetStore,
  localIdentifyQueue,
  memorySessionStore,
} from '@guildkit/gateway';
import { createVirtualClock } from '@guildkit/testkit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BudgetKeeper, type BudgetKeeperOptions, withinBudget } from '../../src/io/identify-budget.js';
import { budgetOf, isIdentifyBudget, renewed, spend, stricter } from '../../src/protocol/identify-budget.js';
import { fakeGateway, TOKEN } from '../support/fake-gateway.js';

const DAY_MS = 86_400_000;

function setUp(options: Partial<BudgetKeeperOptions> = {}) {
  const clock = createVirtualClock();
  const told: IdentifyBudget[] = [];
  const failures: string[] = [];
  const keeper = new BudgetKeeper({
    store: undefined,
    key: 'bot',
    clock,
    limit: { total: 1_000, remaining: 1_000, reset_after: DAY_MS },
    refresh: async () => undefined,
    onFailure: (action) => failures.push(action),
    onSpent: (budget) => told.push(budget),
    ...options,
  });
  return { clock, keeper, told, failures };
}

test('what Discord says is read, whatever it leaves out', () => {
  expect(budgetOf(undefined, 5)).toEqual({ total: 1_000, remaining: 1_000, resetAt: 5 + DAY_MS });
  expect(budgetOf({ total: 20, remaining: 3, reset_after: 7 }, 5)).toEqual({ total: 20, remaining: 3, resetAt: 12 });
  expect(budgetOf({ total: 20, remaining: 99, reset_after: 0 }, 5)).toEqual({
    total: 20,
    remaining: 20,
    resetAt: 5 + DAY_MS,
  });
  expect(budgetOf({ total: Number.NaN, remaining: -1 }, 0).remaining).toBe(1_000);
  for (const value of [undefined, 'x', {}, { total: 1, remaining: 1 }, { total: 1, remaining: -1, resetAt: 0 }]) {
    expect(isIdentifyBudget(value)).toBe(false);
  }
});

test('one in a hundred is kept, ten at most', () => {
  const spendable = (total: number): number => {
    let spent = 0;
    for (let budget = spend({ total, remaining: total, resetAt: 1 }); budget !== undefined; budget = spend(budget))
      spent += 1;
    return spent;
  };
  expect([1, 20, 100, 1_000, 2_000].map(spendable)).toEqual([1, 20, 99, 990, 1_990]);
});

test('of two counts the stricter one holds, unless its day is over', () => {
  const [few, many] = [
    { total: 1_000, remaining: 5, resetAt: 100 },
    { total: 1_000, remaining: 900, resetAt: 200 },
  ];
  expect([stricter(few, many, 50), stricter(many, few, 50)]).toEqual([few, few]);
  expect([stricter(few, many, 100), stricter(many, few, 100)]).toEqual([many, many]);
  expect(stricter(few, undefined, 50)).toBe(few);
  expect(renewed(few, 100 + 2 * DAY_MS).resetAt).toBe(100 + 3 * DAY_MS);
});

test('it is refused before the limit, told once, and goes on at the reset', async () => {
  const { clock, keeper, told } = setUp({ limit: { total: 1_000, remaining: 12, reset_after: 3_600_000 } });
  expect(await Promise.all([keeper.take(), keeper.take()])).toEqual([{ granted: true }, { granted: true }]);
  expect(await keeper.take()).toEqual({ granted: false, retryAfterMs: 3_600_000 });
  await clock.advance(3_599_999);
  expect(await keeper.take()).toEqual({ granted: false, retryAfterMs: 1 });
  expect(told).toEqual([keeper.budget]);
  await clock.advance(1);
  expect(await keeper.take()).toEqual({ granted: true });
  expect(keeper.budget.remaining).toBe(999);
});

test('at the reset Discord is asked again', async () => {
  const { clock, keeper } = setUp({
    limit: { total: 1_000, remaining: 10, reset_after: 1_000 },
    refresh: async () => ({ total: 1_000, remaining: 400, reset_after: 7_000 }),
  });
  await clock.advance(1_000);
  await keeper.take();
  expect(keeper.budget).toEqual({ total: 1_000, remaining: 399, resetAt: clock.wallTime() + 7_000 });
});

test('several processes count together, and a new one does not begin anew', async () => {
  const store = memorySessionStore().identifyBudgets as IdentifyBudgetStore;
  const limit = { total: 100, remaining: 100, reset_after: DAY_MS };
  const keepers = Array.from({ length: 3 }, () => setUp({ store, limit }).keeper);
  let granted = 0;
  for (let count = 0; count < 60; count += 1) {
    for (const keeper of keepers) if ((await keeper.take()).granted) granted += 1;
  }
  expect(granted).toBe(99);
  expect(await setUp({ store, limit }).keeper.take()).toMatchObject({ granted: false });
});

test('never more than Discord gives in a day, however processes start and end', async () => {
  const action = fc.oneof(
    { weight: 6, arbitrary: fc.constant('take' as const) },
    { weight: 1, arbitrary: fc.constant('restart' as const) },
    { weight: 1, arbitrary: fc.constant('hours' as const) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 50, maxLength: 300, size: 'max' }), async (actions) => {
      const total = 30;
      const clock = createVirtualClock();
      const store = memorySessionStore().identifyBudgets as IdentifyBudgetStore;
      let server = { remaining: total, resetAt: clock.wallTime() + DAY_MS };
      const limit = () => {
        if (clock.wallTime() >= server.resetAt) server = { remaining: total, resetAt: clock.wallTime() + DAY_MS };
        return { total, remaining: server.remaining, reset_after: server.resetAt - clock.wallTime() };
      };
      const start = () =>
        new BudgetKeeper({
          ...{ store, key: 'bot', clock, limit: limit(), refresh: async () => limit() },
          onFailure: () => {},
          onSpent: () => {},
        });
      let keeper = start();
      for (const what of actions) {
        if (what === 'restart') keeper = start();
        if (what === 'hours') await clock.advance(3_600_000 * 5);
        if (what === 'take' && (await keeper.take()).granted) {
          limit();
          server = { ...server, remaining: server.remaining - 1 };
          expect(server.remaining).toBeGreaterThanOrEqual(0);
        }
      }
    }),
    { numRuns: 100, seed: 4 },
  );
});

test('what was not used is given back', async () => {
  const { clock, keeper } = setUp();
  const queue = withinBudget(localIdentifyQueue({ clock }), keeper);
  const withdrawn = new AbortController();
  const ask = (signal: AbortSignal) => queue.acquire({ shardId: 0, maxConcurrency: 1, signal });
  expect(await ask(new AbortController().signal)).toEqual({ granted: true });
  const wish = ask(withdrawn.signal);
  await clock.advance(10);
  expect(keeper.budget.remaining).toBe(998);
  withdrawn.abort(new Error('closed'));
  await expect(wish).rejects.toThrow('closed');
  await expect(ask(withdrawn.signal)).rejects.toThrow('closed');
  await clock.advance(0);
  expect(keeper.budget.remaining).toBe(999);
});

test('a store that fails is told and forgotten', async () => {
  const fail = async (): Promise<never> => Promise.reject(new Error('disk'));
  const { keeper, failures } = setUp({ store: { load: fail, save: fail } });
  expect(await keeper.take()).toEqual({ granted: true });
  expect(failures).toEqual(['load', 'save']);
});

test('a client whose budget is spent says so, sends no IDENTIFY, and goes on at the reset', async () => {
  const sessionStore = memorySessionStore();
  const { client, clock, sockets, last } = fakeGateway({
    sessionStore,
    fetchGatewayInfo: async () => ({
      url: 'wss://gateway.test',
      shards: 1,
      session_start_limit: { total: 1_000, remaining: 10, reset_after: 7_200_000, max_concurrency: 1 },
    }),
  });
  const errors: string[] = [];
  const alerts: string[] = [];
  client.on('error', ({ code, message }) => errors.push(`${code} ${message}`));
  client.on('alert', ({ reason }) => alerts.push(reason));
  client.connect().catch(() => {});
  while (sockets.length === 0) await new Promise((resolve) => setImmediate(resolve));
  last().receive({ op: 10, d: { heartbeat_interval: 40_000 } });
  await clock.advance(0);
  expect(last()).toMatchObject({ sent: [], ended: 1000 });
  expect(errors).toEqual([
    expect.stringMatching(/^ERR_GATEWAY_IDENTIFY_BUDGET_SPENT No new session until 2026-.*: 10 IDENTIFYs are left/),
  ]);
  expect(errors.join()).not.toContain(TOKEN);
  expect(alerts).toEqual(['ERR_GATEWAY_IDENTIFY_BUDGET_SPENT']);
  expect(client.health().identifyBudget).toMatchObject({ total: 1_000, remaining: 10 });
  await clock.advance(7_199_999);
  expect(sockets).toHaveLength(1);
  await clock.advance(1);
  expect(sockets).toHaveLength(2);
  await client.close();
  expect(clock.pending).toBe(0);
});

test('an IDENTIFY is counted, and the count kept beside the session', async () => {
  const saved: [string, number][] = [];
  const sessionStore = {
    ...memorySessionStore(),
    identifyBudgets: {
      load: async () => undefined,
      save: async (key: string, { remaining }: IdentifyBudget) => void saved.push([key, remaining]),
    },
  };
  const { client, connect } = fakeGateway({ sessionStore });
  expect(client.health().identifyBudget).toBeUndefined();
  await connect();
  expect(saved).toEqual([[expect.stringMatching(/^[0-9a-f]{32}-identify$/), 999]]);
  expect(client.health().identifyBudget?.remaining).toBe(999);
  await client.close();
});
