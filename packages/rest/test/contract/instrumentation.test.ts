/** The hooks a tracer uses: called in pairs, without secrets, and harmless when they fail. */
import {
  type AttemptOutcome,
  DiscordRestClient,
  DiscordRestError,
  type RequestOutcome,
  type RestInstrumentation,
  type TracedAttempt,
  type TracedRequest,
} from '@guildkit/rest';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createFakeDiscord, type FakeDiscord } from '../support/fake-discord.js';

let discord: FakeDiscord;
const clients: DiscordRestClient[] = [];
const CHANNEL = '/channels/100000000000000001';

function client(instrumentation: RestInstrumentation, more = {}): DiscordRestClient {
  const rest = new DiscordRestClient({
    token: 'secret-token',
    apiBase: discord.apiBase,
    random: () => 0,
    instrumentation,
    ...more,
  });
  clients.push(rest);
  return rest;
}

beforeEach(async () => {
  discord = await createFakeDiscord();
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((rest) => rest.close()));
  await discord[Symbol.asyncDispose]();
});

/** What the hooks were told, in order. */
function recorder() {
  const log: [string, TracedRequest | RequestOutcome | TracedAttempt | AttemptOutcome][] = [];
  const hooks: RestInstrumentation = {
    onRequest(request) {
      log.push(['request', request]);
      return (outcome) => log.push(['settled', outcome]);
    },
    onAttempt(attempt) {
      log.push(['attempt', attempt]);
      return (outcome) => log.push(['answered', outcome]);
    },
  };
  return { log, hooks };
}

describe('instrumentation', () => {
  test('a request with a retry: both attempts lie within it', async () => {
    const { log, hooks } = recorder();
    discord.handle = () => (discord.seen.length === 1 ? { status: 500 } : { headers: { 'cf-ray': 'ray-2' }, body: {} });
    await client(hooks).request('GET', `${CHANNEL}?secret=query`);
    expect(log.map(([name]) => name)).toEqual(['request', 'attempt', 'answered', 'attempt', 'answered', 'settled']);
    const request = { method: 'GET', route: '/channels/:id', id: 'local:1' };
    expect(log[0]?.[1]).toEqual(request);
    expect(log[1]?.[1]).toEqual({ request, attempt: 1 });
    expect(log[2]?.[1]).toEqual({ status: 500, requestId: 'local:1', error: undefined });
    expect(log[3]?.[1]).toEqual({ request, attempt: 2 });
    const second = log[3]?.[1] as TracedAttempt | undefined;
    expect(second?.request).toBe(log[0]?.[1]);
    expect(log[4]?.[1]).toEqual({ status: 200, requestId: 'ray-2', error: undefined });
    expect(log[5]?.[1]).toEqual({ attempts: 2, error: undefined });
    expect(JSON.stringify(log)).not.toMatch(/secret|100000000000000001/);
  });

  test('a connection that is lost, an answer that is too large, an abort: each is told with its error', async () => {
    const leaving = new AbortController();
    for (const [handle, code, more] of [
      [
        ({ req }: { req: { socket: { resetAndDestroy(): void } } }) => req.socket.resetAndDestroy(),
        /NETWORK_FAILED/,
        {},
      ],
      [({ res }: { res: { end(text: string): void } }) => res.end('x'.repeat(100)), /OVERSIZED/, {}],
      [() => leaving.abort(), /ABORTED/, { signal: leaving.signal }],
    ] as const) {
      const { log, hooks } = recorder();
      discord.handle = (_request, raw) => {
        (handle as (raw: unknown) => void)(raw);
        return undefined;
      };
      const rest = client(hooks, { maxRetries: 0, maxResponseBytes: 10 });
      const error: unknown = await rest.request('GET', CHANNEL, more).catch((reason: unknown) => reason);
      expect(DiscordRestError.is(error) && error.code).toMatch(code);
      expect(log.map(([name]) => name)).toEqual(['request', 'attempt', 'answered', 'settled']);
      expect(log[2]?.[1]).toMatchObject({ status: undefined, error });
      expect(log[3]?.[1]).toEqual({ attempts: 1, error });
    }
  });

  test('hooks that throw are logged and change nothing', async () => {
    const logged: unknown[] = [];
    const logger = { debug() {}, info() {}, warn() {}, error: (fields: unknown) => logged.push(fields) };
    const fail = (): never => {
      throw new Error('hook');
    };
    discord.handle = () => ({ body: { fine: true } });
    expect(await client({ onRequest: fail, onAttempt: () => fail }, { logger }).request('GET', CHANNEL)).toEqual({
      fine: true,
    });
    expect(logged).toEqual([
      { error: 'hook', hook: 'onRequest' },
      { error: 'hook', hook: 'onAttempt' },
    ]);
  });

  test('hooks are optional, one by one', async () => {
    discord.handle = () => ({ body: { fine: true } });
    expect(await client({}).request('GET', CHANNEL)).toEqual({ fine: true });
  });
});
