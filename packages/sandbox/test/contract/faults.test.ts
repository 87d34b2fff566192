/** What each fault does to a client over a real socket. */
import { connect } from 'node:net';
import { createSandbox, type Sandbox } from '@guildkit/sandbox';
import { createVirtualClock } from '@guildkit/testkit';
import { describe, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { FAULT_ROUTES } from '../../src/control-faults.js';
import { call, RawClient } from '../support/gateway-client.js';

const QUERIES = ['?v=10&encoding=json&compress=zlib-stream', '?v=10&encoding=json&compress=zstd-stream'];
const channel = (sandbox: Sandbox, name: string) => sandbox.channels.create({ name });
const names = (client: RawClient) =>
  client.frames.flatMap(({ t, d }) => (t === 'CHANNEL_CREATE' ? [d.name as string] : []));

/** How an upgrade is answered: status and Retry-After, or the error's code. */
function upgrade(sandbox: Sandbox): Promise<readonly [answer: number | string, retryAfter?: string | undefined]> {
  return new Promise((resolve) => {
    const ws = new WebSocket(sandbox.gatewayUrl);
    ws.once('unexpected-response', (_request, response) => {
      resolve([response.statusCode ?? 0, response.headers['retry-after']]);
      ws.terminate();
    });
    ws.on('error', (error: Error & { code?: string }) => resolve([error.code ?? error.message]));
    ws.once('open', () => {
      resolve([101]);
      ws.terminate();
    });
  });
}

describe.each(QUERIES)('a connection with %s', (query) => {
  test('is read like any other, and resumes', async () => {
    await using sandbox = await createSandbox({ rateLimits: false });
    const client = await RawClient.identified(sandbox, { query });
    await channel(sandbox, 'one');
    await client.dispatch('CHANNEL_CREATE');
    sandbox.faults.cut();
    await client.closed;
    await channel(sandbox, 'two');
    const next = RawClient.resuming(sandbox, client, query);
    await next.dispatch('RESUMED');
    expect(names(next)).toEqual(['two']);
  });

  test('has its next message spoilt: it cannot be read, nor can what follows', async () => {
    await using sandbox = await createSandbox({ rateLimits: false });
    const client = await RawClient.identified(sandbox, { query });
    const plain = await RawClient.identified(sandbox);
    sandbox.faults.corruptCompression();
    await channel(sandbox, 'one');
    expect(await client.spoilt).toBeInstanceOf(Error);
    await channel(sandbox, 'two');
    await plain.settled();
    expect(names(client)).toEqual([]);
    expect(names(plain)).toEqual(['one', 'two']);
  });
});

test('payload compression: a large dispatch comes as zlib, a small one as text', async () => {
  await using sandbox = await createSandbox({ rateLimits: false });
  const kinds: boolean[] = [];
  const ws = new WebSocket(sandbox.gatewayUrl);
  ws.on('message', (_data, isBinary) => kinds.push(isBinary));
  const client = new RawClient(sandbox.gatewayUrl, ws);
  client.send({ op: 2, d: { token: sandbox.connection.token, intents: 1, properties: {}, compress: true } });
  expect((await client.dispatch('GUILD_CREATE')).d.id).toBe(sandbox.guildId);
  expect([kinds[0], kinds.at(-1)]).toEqual([false, true]);
});

test.each([
  ['?v=10&encoding=etf', /json/],
  ['?v=10&encoding=json&compress=br', /zlib-stream or zstd-stream/],
])('%s is refused with the reason', async (query, reason) => {
  await using sandbox = await createSandbox({ rateLimits: false });
  const body = await new Promise<string>((resolve) => {
    const ws = new WebSocket(`${sandbox.gatewayUrl}${query}`);
    ws.on('error', () => {});
    ws.once('unexpected-response', (_request, response) => {
      expect(response.statusCode).toBe(400);
      response.setEncoding('utf8').once('data', (text: string) => {
        resolve(text);
        ws.terminate();
      });
    });
  });
  expect(body).toMatch(reason);
  expect(sandbox.traffic.recent.at(-1)?.what).toMatch(reason);
});

describe('faults of dispatches', () => {
  test('drop: numbered, kept, not sent to any connection', async () => {
    await using sandbox = await createSandbox({ rateLimits: false });
    const clients = await Promise.all([RawClient.identified(sandbox), RawClient.identified(sandbox)]);
    sandbox.faults.dropDispatches(2);
    for (const name of ['a', 'b', 'c']) await channel(sandbox, name);
    await Promise.all(clients.map((client) => client.settled()));
    expect(clients.map((client) => client.dispatches)).toEqual(
      clients.map(() => [
        ['READY', 1],
        ['GUILD_CREATE', 2],
        ['CHANNEL_CREATE', 5],
      ]),
    );
  });

  test('duplicate and reorder: same numbers, twice or last one first', async () => {
    await using sandbox = await createSandbox({ rateLimits: false });
    const client = await RawClient.identified(sandbox);
    sandbox.faults.duplicateDispatches(1);
    await channel(sandbox, 'a');
    await channel(sandbox, 'b');
    sandbox.faults.reorderDispatches(3);
    for (const name of ['c', 'd', 'e', 'f']) await channel(sandbox, name);
    await client.settled();
    expect(names(client)).toEqual(['a', 'a', 'b', 'e', 'd', 'c', 'f']);
    expect(client.dispatches.slice(2).map(([, seq]) => seq)).toEqual([3, 3, 4, 7, 6, 5, 8]);
  });

  test('a reorder that waits for more is let go by clear', async () => {
    await using sandbox = await createSandbox({ rateLimits: false });
    const client = await RawClient.identified(sandbox);
    sandbox.faults.reorderDispatches(5);
    await channel(sandbox, 'a');
    await channel(sandbox, 'b');
    await client.settled();
    expect(names(client)).toEqual([]);
    sandbox.faults.clear();
    await channel(sandbox, 'c');
    await client.settled();
    expect(names(client)).toEqual(['b', 'a', 'c']);
  });

  test('delay: in order, heartbeats answered at once, connections to come too', async () => {
    const clock = createVirtualClock();
    await using sandbox = await createSandbox({ clock, rateLimits: false });
    const client = await RawClient.identified(sandbox);
    sandbox.faults.delay(500);
    await channel(sandbox, 'a');
    await clock.advance(100);
    sandbox.faults.delay(0);
    await channel(sandbox, 'b');
    await client.settled();
    expect(names(client)).toEqual([]);
    await clock.advance(400);
    await client.settled();
    expect(names(client)).toEqual(['a', 'b']);
    sandbox.faults.delay(1_000);
    const late = RawClient.to(sandbox);
    late.send({ op: 2, d: { token: sandbox.connection.token, intents: 1, properties: {} } });
    await late.settled();
    expect(late.dispatches).toEqual([]);
    await clock.advance(1_000);
    await late.dispatch('READY');
  });

  test('half a frame: the connection ends in the middle of it, and the dispatch comes with the replay', async () => {
    await using sandbox = await createSandbox({ rateLimits: false });
    const { port } = new URL(sandbox.connection.apiBase);
    for (const query of ['', QUERIES[0] as string]) {
      const client = await RawClient.identified(sandbox, { query: query === '' ? '?v=10' : query });
      sandbox.faults.halfFrame();
      await channel(sandbox, `half${query.length}`);
      expect((await client.closed).code).toBe(1006);
      expect(names(client)).toEqual([]);
      const next = RawClient.resuming(sandbox, client);
      await next.dispatch('RESUMED');
      expect(names(next)).toEqual([`half${query.length}`]);
      next.terminate();
      await next.closed;
    }
    // On the wire: a header that announces more than comes.
    const tcp = connect(Number(port), '127.0.0.1');
    tcp.write('GET /gateway HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n');
    tcp.write('Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n');
    const chunks: Buffer[] = [];
    tcp.on('data', (chunk: Buffer) => chunks.push(chunk));
    await vi.waitFor(() => expect(Buffer.concat(chunks).toString()).toContain('heartbeat_interval'));
    chunks.length = 0;
    sandbox.faults.halfFrame();
    // A masked heartbeat: its answer is the next message.
    tcp.write(Buffer.concat([Buffer.from([0x81, 0x88, 0, 0, 0, 0]), Buffer.from('{"op":1}')]));
    await new Promise((resolve) => tcp.once('close', resolve));
    const [first = 0, announced = 0, ...rest] = Buffer.concat(chunks);
    expect([first, rest.length]).toEqual([0x81, announced >> 1]);
  });
});

describe('answers withheld', () => {
  test('HELLO: the connection opens and nothing comes', async () => {
    await using sandbox = await createSandbox({ rateLimits: false });
    sandbox.faults.withhold('HELLO');
    const client = RawClient.to(sandbox);
    await client.settled();
    expect(client.frames.map(({ op }) => op)).toEqual([11]);
    sandbox.faults.release('HELLO');
    await RawClient.to(sandbox).op(10);
  });

  test('READY: IDENTIFY is not answered, heartbeats are, RESUME is', async () => {
    await using sandbox = await createSandbox({ rateLimits: false });
    const former = await RawClient.identified(sandbox);
    sandbox.faults.cut();
    await former.closed;
    sandbox.faults.withhold('READY');
    const client = RawClient.to(sandbox);
    client.send({ op: 2, d: { token: sandbox.connection.token, intents: 1, properties: {} } });
    await client.settled();
    expect(client.dispatches).toEqual([]);
    await RawClient.resuming(sandbox, former).dispatch('RESUMED');
    sandbox.faults.release();
    // What was asked meanwhile stays unanswered: the client asks again.
    client.send({ op: 2, d: { token: sandbox.connection.token, intents: 1, properties: {} } });
    await client.dispatch('READY');
  });

  test('RESUMED: RESUME is not answered, and the session still waits', async () => {
    await using sandbox = await createSandbox({ rateLimits: false });
    const former = await RawClient.identified(sandbox);
    sandbox.faults.withhold('RESUMED');
    sandbox.faults.cut();
    await channel(sandbox, 'missed');
    const stuck = RawClient.resuming(sandbox, former);
    await stuck.settled();
    expect(stuck.dispatches).toEqual([]);
    sandbox.faults.clear();
    const next = RawClient.resuming(sandbox, former);
    await next.dispatch('RESUMED');
    expect(names(next)).toEqual(['missed']);
  });
});

describe('upgrades refused', () => {
  test('with a status and Retry-After, so many times', async () => {
    await using sandbox = await createSandbox({ rateLimits: false });
    sandbox.faults.refuseUpgrades({ answer: 429, retryAfterSeconds: 7, count: 2 });
    expect([await upgrade(sandbox), await upgrade(sandbox), await upgrade(sandbox)]).toEqual([
      [429, '7'],
      [429, '7'],
      [101],
    ]);
    sandbox.faults.refuseUpgrades({ answer: 401 });
    expect(await upgrade(sandbox)).toEqual([401, undefined]);
    sandbox.faults.up();
    expect(await upgrade(sandbox)).toEqual([101]);
    expect(sandbox.traffic.counters.gatewayRefusals).toBe(3);
  });

  test('by a reset, for a while', async () => {
    const clock = createVirtualClock();
    await using sandbox = await createSandbox({ clock, rateLimits: false });
    sandbox.faults.refuseUpgrades({ answer: 'reset', forMs: 3_000 });
    expect(await upgrade(sandbox)).toEqual(['ECONNRESET']);
    await clock.advance(3_000);
    expect(await upgrade(sandbox)).toEqual([101]);
  });

  test('by silence, which closing the sandbox ends', async () => {
    const sandbox = await createSandbox({ rateLimits: false });
    sandbox.faults.refuseUpgrades({ answer: 'silence' });
    const answer = upgrade(sandbox);
    await vi.waitFor(() => expect(sandbox.traffic.counters.gatewayRefusals).toBe(1));
    await sandbox.close();
    expect(await answer).toEqual(['ECONNRESET']);
  });

  test('down can cut those that are open', async () => {
    const clock = createVirtualClock();
    await using sandbox = await createSandbox({ clock, rateLimits: false });
    const client = await RawClient.identified(sandbox);
    sandbox.faults.down(3_000, { cut: true });
    expect((await client.closed).code).toBe(1006);
    expect(await upgrade(sandbox)).toEqual([503, undefined]);
    await clock.advance(3_000);
    await RawClient.resuming(sandbox, client).dispatch('RESUMED');
  });

  test.each([399, 600, 101, 'maybe'])('not with %s', async (answer) => {
    await using sandbox = await createSandbox({ rateLimits: false });
    expect(() => sandbox.faults.refuseUpgrades({ answer: answer as number })).toThrow(RangeError);
    expect(() => sandbox.faults.withhold('ACK' as never)).toThrow(RangeError);
    expect(() => sandbox.faults.dropDispatches(-1)).toThrow(RangeError);
  });
});

test('lost sessions: cut, and RESUME is refused', async () => {
  await using sandbox = await createSandbox({ rateLimits: false });
  const client = await RawClient.identified(sandbox);
  sandbox.faults.loseSessions();
  expect((await client.closed).code).toBe(1006);
  expect((await RawClient.resuming(sandbox, client).op(9)).d).toBe(false);
});

test('a fault can be for one bot', async () => {
  await using sandbox = await createSandbox({ rateLimits: false });
  const other = await sandbox.bots.create();
  const [mine, theirs] = await Promise.all([
    RawClient.identified(sandbox),
    RawClient.identified(sandbox, { token: other.token }),
  ]);
  sandbox.faults.dropDispatches(1, { botId: other.id });
  await channel(sandbox, 'a');
  sandbox.faults.cut({ botId: other.id });
  expect((await theirs.closed).code).toBe(1006);
  await mine.settled();
  expect([names(mine), names(theirs)]).toEqual([['a'], []]);
});

describe('REST disturbed', () => {
  const get = (sandbox: Sandbox, signal?: AbortSignal) =>
    fetch(`${sandbox.connection.apiBase}/users/@me`, {
      headers: { authorization: `Bot ${sandbox.connection.token}` },
      ...(signal === undefined ? {} : { signal }),
    });

  test('a storm of a status, so many times, for one method and path', async () => {
    await using sandbox = await createSandbox({ rateLimits: false });
    sandbox.faults.disturbRest({ answer: 502, count: 2, method: 'get', path: '/users' });
    expect((await call(sandbox, 'GET', '/gateway')).status).toBe(200);
    const answers = [await get(sandbox), await get(sandbox), await get(sandbox)];
    expect(answers.map(({ status }) => status)).toEqual([502, 502, 200]);
    expect(sandbox.traffic.counters.restFaults).toBe(2);
  });

  test('429 with everything that tells how long to wait, for a while', async () => {
    const clock = createVirtualClock();
    await using sandbox = await createSandbox({ clock, rateLimits: false });
    sandbox.faults.disturbRest({ answer: 429, retryAfterSeconds: 2.5, scope: 'shared', forMs: 1_000 });
    const limited = await call(sandbox, 'GET', '/users/@me');
    expect([limited.status, limited.headers.get('retry-after'), limited.headers.get('x-ratelimit-scope')]).toEqual([
      429,
      '3',
      'shared',
    ]);
    expect(limited.body).toMatchObject({ retry_after: 2.5, global: false });
    await clock.advance(1_000);
    expect((await get(sandbox)).status).toBe(200);
    sandbox.faults.disturbRest({ answer: 429, scope: 'global', count: 1 });
    expect((await get(sandbox)).headers.get('x-ratelimit-global')).toBe('true');
  });

  test('a lost answer: the request may have been carried out', async () => {
    await using sandbox = await createSandbox({ rateLimits: false });
    for (const carriedOut of [false, true]) {
      sandbox.faults.disturbRest({ answer: 'reset', carriedOut, count: 1 });
      const body = { name: `carried-out-${carriedOut}` };
      await expect(call(sandbox, 'POST', `/guilds/${sandbox.guildId}/channels`, { body })).rejects.toThrow();
    }
    expect(sandbox.channels.list().map(({ name }) => name)).toEqual(['general', 'General', 'carried-out-true']);
  });

  test('slow answers and slow bodies', async () => {
    const clock = createVirtualClock();
    await using sandbox = await createSandbox({ clock, rateLimits: false });
    sandbox.faults.disturbRest({ delayMs: 2_000, bodyMs: 3_000, count: 1 });
    const pending = get(sandbox);
    await vi.waitFor(() => expect(clock.pending).toBeGreaterThan(0));
    await clock.advance(2_000);
    const response = await pending;
    expect(response.status).toBe(200);
    const text = response.text();
    expect(await Promise.race([text.then(() => 'whole'), get(sandbox).then(() => 'half')])).toBe('half');
    await clock.advance(3_000);
    expect(JSON.parse(await text)).toMatchObject({ username: 'sandbox-bot' });
  });

  test('silence lasts until the client goes; clear ends it for others', async () => {
    await using sandbox = await createSandbox({ rateLimits: false });
    sandbox.faults.disturbRest({ answer: 'silence' });
    const controller = new AbortController();
    const pending = get(sandbox, controller.signal);
    await vi.waitFor(() => expect(sandbox.traffic.counters.restFaults).toBe(1));
    sandbox.faults.clear();
    expect((await get(sandbox)).status).toBe(200);
    controller.abort();
    await expect(pending).rejects.toThrow();
    expect(() => sandbox.faults.disturbRest({ answer: 200 })).toThrow(RangeError);
  });
});

test('what lasts can be asked for, here and by the control API', async () => {
  await using sandbox = await createSandbox({ rateLimits: false });
  const { faults } = sandbox;
  const byHttp = async () => (await fetch(`${sandbox.controlUrl}/faults`)).json();
  const none = {
    heartbeatAcks: true,
    withheld: [],
    delayMs: 0,
    refusing: undefined,
    rest: 0,
    voice: { heartbeatAcks: true, withheld: [] },
    media: [],
  };
  expect(faults.lasting()).toEqual(none);
  faults.heartbeatAcks(false);
  faults.withhold('HELLO');
  faults.withhold('READY');
  faults.release('HELLO');
  faults.delay(20);
  faults.refuseUpgrades({ answer: 429 });
  faults.disturbRest({ answer: 500, count: 1, path: '/gateway' });
  faults.voice.withhold('HELLO');
  faults.voice.heartbeatAcks(false);
  faults.media({ loss: 0.5, direction: 'up', forMs: 60_000 });
  const lasting = {
    heartbeatAcks: false,
    withheld: ['READY'],
    delayMs: 20,
    refusing: 429,
    rest: 1,
    voice: { heartbeatAcks: false, withheld: ['HELLO'] },
    media: [{ loss: 0.5, direction: 'up' }],
  };
  expect(faults.lasting()).toEqual(lasting);
  expect(await byHttp()).toEqual(lasting);
  await fetch(`${sandbox.connection.apiBase}/gateway`);
  expect(faults.lasting().rest).toBe(0);
  faults.down();
  expect(faults.lasting().refusing).toBe(503);
  faults.clear();
  expect(faults.lasting()).toEqual(none);
});

test('every fault can be had from the control API', async () => {
  await using sandbox = await createSandbox({ rateLimits: false });
  const bodies: Record<string, object> = {
    close: { code: 4900 },
    acks: { answered: true },
    withhold: { what: 'READY' },
    delay: { ms: 5 },
    raw: { text: '{' },
    refuse: { answer: 503 },
    rest: { answer: 503 },
    'voice/close': { code: 4015 },
    'voice/acks': { answered: true },
    'voice/withhold': { what: 'READY' },
    'voice/raw': { text: '{' },
  };
  const named: string[] = [];
  for (const { path } of FAULT_ROUTES) {
    const name = path.replace('/faults/', '');
    const answer = await fetch(`${sandbox.controlUrl}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(bodies[name] ?? {}),
    });
    expect([name, answer.status]).toEqual([name, 200]);
    named.push(name);
  }
  const { voice, ...others } = sandbox.faults;
  const methods = Object.keys(others).filter((name) => !/^next|^dispose$|^lasting$/.test(name));
  const ofVoice = Object.keys(voice).filter((name) => name !== 'clear' && name !== 'lasting');
  expect(named).toHaveLength(methods.length + ofVoice.length);
  for (const [path, body] of [
    ['/faults/close', { code: 1006 }],
    ['/faults/refuse', { answer: 200 }],
    ['/faults/rest', { answer: 200 }],
    ['/faults/withhold', { what: 'ACK' }],
    ['/faults/media', { loss: 2 }],
    ['/faults/media', { lost: 1 }],
    ['/faults/voice/close', { code: 1006 }],
    ['/faults/voice/withhold', { what: 'SPEAKING' }],
  ] as const) {
    const answer = await fetch(`${sandbox.controlUrl}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    expect([path, answer.status]).toEqual([path, 400]);
  }
});
