/** Real sockets that stall, reset, refuse and flood: deadlines, aborts and retries, with nothing leaked. */
import { getEventListeners } from 'node:events';
import { createServer } from 'node:net';
import {
  DiscordApiError,
  DiscordRestClient,
  type DiscordRestClientOptions,
  DiscordRestError,
  NetworkError,
  RequestAbortedError,
  RequestTimeoutError,
} from '@guildkit/rest';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createFakeDiscord, type FakeDiscord } from '../support/fake-discord.js';

const CHANNEL = '/channels/100000000000000002';

let discord: FakeDiscord;
let clients: DiscordRestClient[];

beforeEach(async () => {
  discord = await createFakeDiscord();
  clients = [];
});
afterEach(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await discord[Symbol.asyncDispose]();
});

function client(options: DiscordRestClientOptions = {}): DiscordRestClient {
  // Backoff of 250 ms: `random` 0 takes the smallest.
  const made = new DiscordRestClient({ token: 'a-token', apiBase: discord.apiBase, random: () => 0, ...options });
  clients.push(made);
  return made;
}

const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => new Error('it should have failed'),
    (error: unknown) => error,
  );

describe('deadlines', () => {
  test('a stalled body ends by the deadline of the request', async () => {
    discord.handle = (_request, { res }) => {
      res.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
      res.write('{');
      return undefined;
    };
    const error = await failure(client().request('GET', CHANNEL, { timeoutMs: 300 }));
    if (!RequestTimeoutError.is(error)) throw error;
    expect(error).toMatchObject({ code: 'ERR_REST_REQUEST_TIMEOUT', phase: 'response', timeoutMs: 300, attempts: 1 });
  });

  test('a stalled attempt is given up for another one', async () => {
    discord.handle = () => (discord.seen.length === 1 ? undefined : { body: { ok: true } });
    expect(await client({ attemptTimeoutMs: 100 }).request('GET', CHANNEL)).toEqual({ ok: true });
    expect(discord.seen).toHaveLength(2);
  });

  test('the deadline covers the queue', async () => {
    discord.handle = () => undefined;
    const rest = client();
    const first = failure(rest.request('GET', CHANNEL, { timeoutMs: 400 }));
    const second = await failure(rest.request('GET', CHANNEL, { timeoutMs: 100 }));
    expect(second).toMatchObject({ code: 'ERR_REST_REQUEST_TIMEOUT', phase: 'queue', attempts: 0 });
    expect(await first).toMatchObject({ phase: 'response' });
    expect(discord.seen).toHaveLength(1);
  });
});

describe('aborts', () => {
  test('a queued request leaves at once; its reason is the cause; the queue moves on', async () => {
    let open: () => void = () => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    discord.handle = async () => {
      await gate;
      return { body: {} };
    };
    const rest = client();
    const controller = new AbortController();
    const first = rest.request('GET', CHANNEL);
    const second = failure(rest.request('GET', CHANNEL, { signal: controller.signal }));
    const third = rest.request('GET', CHANNEL);
    const reason = new Error('changed my mind');
    controller.abort(reason);
    const error = await second;
    if (!RequestAbortedError.is(error)) throw error;
    expect(error).toMatchObject({
      code: 'ERR_REST_REQUEST_ABORTED',
      cause: reason,
      attempts: 0,
      route: '/channels/:id',
    });
    open();
    await Promise.all([first, third]);
    expect(discord.seen).toHaveLength(2);
  });

  test('a request on the wire is cut', async () => {
    const controller = new AbortController();
    const cut = new Promise<void>((resolve) => {
      discord.handle = (_request, { res }) => {
        res.on('close', resolve);
        controller.abort();
        return undefined;
      };
    });
    const error = await failure(client().request('GET', CHANNEL, { signal: controller.signal }));
    expect(RequestAbortedError.is(error)).toBe(true);
    await cut;
  });

  test('one signal for many requests keeps no listener', async () => {
    const { signal } = new AbortController();
    const rest = client();
    await Promise.all(Array.from({ length: 20 }, () => rest.request('GET', CHANNEL, { signal })));
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  test('an aborted signal sends nothing', async () => {
    const error = await failure(client().request('GET', CHANNEL, { signal: AbortSignal.abort() }));
    expect(RequestAbortedError.is(error)).toBe(true);
    expect(discord.seen).toHaveLength(0);
  });
});

describe('broken connections', () => {
  test('a reset is retried for a GET, with backoff, then a typed error', async () => {
    discord.handle = (_request, { req }) => {
      req.socket.resetAndDestroy();
      return undefined;
    };
    const rest = client({ maxRetries: 2 });
    const retries: number[] = [];
    rest.on('retry', ({ reason, delayMs }) => retries.push(reason === 'network' ? delayMs : -1));
    const error = await failure(rest.request('GET', CHANNEL));
    if (!NetworkError.is(error)) throw error;
    expect(error).toMatchObject({ code: 'ERR_REST_NETWORK_FAILED', retryable: true, attempts: 3 });
    expect(error.systemCode).not.toBe('');
    expect(retries).toEqual([250, 250]);
    expect(discord.seen).toHaveLength(3);
  });

  test('each retry is a line in the log, with its delay and without the answer', async () => {
    discord.handle = () => ({ status: 503, body: 'at 10.1.2.3' });
    const lines: unknown[] = [];
    const logger = { debug() {}, info() {}, warn: (fields: object) => void lines.push(fields), error() {} };
    await failure(client({ maxRetries: 2, logger }).request('GET', CHANNEL));
    const facts = { method: 'GET', route: '/channels/:id', status: 503, delayMs: 250 };
    expect(lines).toMatchObject([
      { ...facts, attempt: 1 },
      { ...facts, attempt: 2 },
    ]);
    expect(JSON.stringify(lines)).not.toContain('10.1.2.3');
  });

  test('a reset is not retried for a POST without nonce: it may have been done', async () => {
    discord.handle = (_request, { req }) => {
      req.socket.resetAndDestroy();
      return undefined;
    };
    const error = await failure(client().request('POST', `${CHANNEL}/messages`, { body: { content: 'x' } }));
    expect(error).toMatchObject({ code: 'ERR_REST_NETWORK_FAILED', attempts: 1 });
    expect(discord.seen).toHaveLength(1);
  });

  test('a message with nonce and enforce_nonce is retried', async () => {
    discord.handle = (_request, { req }) => {
      if (discord.seen.length > 1) return { body: { id: '1' } };
      req.socket.resetAndDestroy();
      return undefined;
    };
    const body = { content: 'x', nonce: '123', enforce_nonce: true };
    expect(await client().request('POST', `${CHANNEL}/messages`, { body })).toEqual({ id: '1' });
    expect(discord.seen).toHaveLength(2);
  });

  test('a refused connection is retried even for a POST, as nothing was sent, then a typed error', async () => {
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
    const { port } = closed.address() as { port: number };
    await new Promise((resolve) => closed.close(resolve));
    const rest = client({ apiBase: `http://127.0.0.1:${port}/api/v10`, maxRetries: 1 });
    const error = await failure(rest.request('POST', `${CHANNEL}/messages`, { body: {} }));
    expect(error).toMatchObject({ code: 'ERR_REST_NETWORK_FAILED', systemCode: 'ECONNREFUSED', attempts: 2 });
  });

  test('5xx is retried for a DELETE; what the lost attempt deleted counts as deleted', async () => {
    discord.handle = () =>
      discord.seen.length === 1
        ? { status: 502, body: '<html>bad gateway</html>' }
        : { status: 404, body: { code: 10003, message: 'Unknown Channel' } };
    await client().deleteChannel('100000000000000002');
    expect(discord.seen).toHaveLength(2);
  });

  test('5xx to the end is a DiscordApiError that may be retried later', async () => {
    discord.handle = () => ({ status: 503, body: '<html></html>' });
    const error = await failure(client({ maxRetries: 1 }).request('GET', CHANNEL));
    if (!DiscordApiError.is(error)) throw error;
    expect(error).toMatchObject({ code: 'ERR_REST_SERVER_FAILED', status: 503, retryable: true, attempts: 2 });
  });

  test.each([
    ['with', { 'content-length': '5000' }],
    ['without', {}],
  ])('an answer larger than allowed, %s a length, is refused', async (_name, headers) => {
    discord.handle = (_request, { res }) => {
      res.writeHead(200, headers);
      res.end('x'.repeat(5_000));
      return undefined;
    };
    const error = await failure(client({ maxResponseBytes: 1_000 }).request('GET', CHANNEL));
    expect(error).toMatchObject({ code: 'ERR_REST_RESPONSE_OVERSIZED' });
  });
});

describe('close', () => {
  test('rejects what is queued and on the wire, and what comes after', async () => {
    discord.handle = () => undefined;
    const rest = client();
    const going = [1, 2, 3].map(() => failure(rest.request('GET', CHANNEL)));
    await Promise.all([rest.close(), rest.close()]);
    for (const error of await Promise.all(going)) expect(error).toMatchObject({ code: 'ERR_REST_CLIENT_CLOSED' });
    const after = await failure(rest.request('GET', CHANNEL));
    expect(DiscordRestError.is(after) && after.code).toBe('ERR_REST_CLIENT_CLOSED');
    expect(rest.stats()).toMatchObject({ active: 0, inFlight: 0 });
  });

  test('a full queue refuses', async () => {
    discord.handle = () => undefined;
    const rest = client({ maxQueuedRequests: 2 });
    const going = [1, 2].map(() => failure(rest.request('GET', CHANNEL)));
    expect(await failure(rest.request('GET', CHANNEL))).toMatchObject({ code: 'ERR_REST_QUEUE_FULL', retryable: true });
    await rest.close();
    await Promise.all(going);
  });
});

describe('the budget of invalid requests', () => {
  test('warns, then refuses before Discord would ban', async () => {
    discord.handle = () => ({ status: 403, body: { code: 50013, message: 'Missing Permissions' } });
    const rest = client({ invalidRequestLimit: 20 });
    const warned: number[] = [];
    rest.on('invalidRequest', ({ level, count }) => {
      if (level === 'warning') warned.push(count);
    });
    for (let n = 0; n < 19; n += 1) expect(await failure(rest.request('GET', CHANNEL))).toMatchObject({ status: 403 });
    expect(await failure(rest.request('GET', CHANNEL))).toMatchObject({ code: 'ERR_REST_BUDGET_EXHAUSTED', count: 19 });
    expect(discord.seen).toHaveLength(19);
    expect(warned).toEqual([5, 10, 15, 18]);
  });
});
