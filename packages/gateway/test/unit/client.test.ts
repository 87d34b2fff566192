import { silentLogger } from '@guildkit/core';
import { DiscordGatewayClient, type GatewayError, type StateChangeEvent } from '@guildkit/gateway';
import { expect, test } from 'vitest';
import { fakeGateway, TOKEN } from '../support/fake-gateway.js';

const dispatch = (t: string, s: number, d: unknown = {}) => ({ op: 0, t, s, d });
const ops = (socket: { sent: { op: number }[] }) => socket.sent.map(({ op }) => op);

test('beats after a jittered first interval, then every interval, and tells the latency', async () => {
  const { client, clock, connect } = fakeGateway();
  const latencies: number[] = [];
  client.on('heartbeat', ({ latencyMs }) => latencies.push(latencyMs));
  const socket = await connect();
  await clock.advance(19_999);
  expect(ops(socket)).toEqual([2]);
  await clock.advance(1);
  expect(socket.sent.at(-1)).toEqual({ op: 1, d: 1 });
  await clock.advance(80);
  socket.receive({ op: 11 });
  await clock.advance(39_920);
  expect(ops(socket)).toEqual([2, 1, 1]);
  expect(latencies).toEqual([80]);
  expect(client.health().shards[0]?.latencyMs).toBe(80);
  await client.close();
});

test('cuts a connection whose beat is unanswered when the next is due, and resumes at the resume address', async () => {
  const { clock, connect, sockets, last } = fakeGateway();
  const socket = await connect();
  await clock.advance(59_999);
  expect(socket.ended).toBeUndefined();
  await clock.advance(1);
  expect(socket.ended).toBe('terminated');
  await clock.advance(1_000);
  expect(sockets).toHaveLength(2);
  expect(last().url).toBe('wss://resume.test/?v=10&encoding=json');
  last().receive({ op: 10, d: { heartbeat_interval: 40_000 } });
  expect(last().sent).toEqual([{ op: 6, d: { token: TOKEN, session_id: 'session-1', seq: 1 } }]);
});

test('an absurd heartbeat interval does not keep a dead connection beyond 90 s', async () => {
  const { client, clock, sockets, last } = fakeGateway();
  client.connect().catch(() => {});
  while (sockets.length === 0) await new Promise((resolve) => setImmediate(resolve));
  last().receive({ op: 10, d: { heartbeat_interval: 86_400_000 } });
  await clock.advance(0);
  last().receive(dispatch('READY', 1, { session_id: 's', resume_gateway_url: 'wss://r', user: { id: '1' } }));
  await clock.advance(45_000);
  expect(ops(last())).toEqual([2, 1]);
  await clock.advance(90_000);
  expect(sockets[0]?.ended).toBe('terminated');
  await client.close();
});

test('answers a requested heartbeat at once', async () => {
  const { client, connect } = fakeGateway();
  const socket = await connect();
  socket.receive({ op: 1, d: null });
  expect(socket.sent.at(-1)).toEqual({ op: 1, d: 1 });
  await client.close();
});

test('a server that refuses for ten seconds is asked six times at most', async () => {
  const { client, clock, sockets, last } = fakeGateway();
  client.connect().catch(() => {});
  while (sockets.length === 0) await new Promise((resolve) => setImmediate(resolve));
  for (let second = 0; second < 10; second += 1) {
    if (last().ended === undefined) last().refuse(503);
    await clock.advance(1_000);
  }
  expect(sockets.length).toBeLessThanOrEqual(6);
  await client.close();
});

test('backs off 1→2→4→8→16→30 s with full jitter, and Retry-After counts', async () => {
  const errors: unknown[] = [];
  const logger = {
    ...silentLogger,
    error: (fields: object, message?: string) => void errors.push({ ...fields, message }),
  };
  const { client, clock, sockets, last } = fakeGateway({ random: () => 0.999_999, logger });
  const alerts: unknown[] = [];
  client.on('alert', (alert) => alerts.push(alert));
  client.connect().catch(() => {});
  while (sockets.length === 0) await new Promise((resolve) => setImmediate(resolve));
  const delays: number[] = [];
  const refusals: [number, number?][] = [[503], [500], [502], [503], [503], [503], [403], [429, 45_000], [429]];
  for (const [status, retryAfterMs] of refusals) {
    const count = sockets.length;
    const before = clock.now();
    last().refuse(status, retryAfterMs);
    while (sockets.length === count) await clock.advance((clock.nextAt ?? 0) - clock.now());
    delays.push(Math.round((clock.now() - before) / 1_000));
  }
  expect(delays).toEqual([1, 2, 4, 8, 16, 30, 30, 45, 30]);
  const alert = { shardId: 0, attempts: 5, reason: 'upgradeRefused', code: 503 };
  expect(alerts).toEqual([alert]);
  expect(errors).toEqual([{ ...alert, message: 'gateway cannot connect; it goes on trying' }]);
  await client.close();
});

test('every waiting phase ends by itself', async () => {
  const { client, clock, sockets, last } = fakeGateway();
  const changes: StateChangeEvent[] = [];
  client.on('stateChange', (change) => changes.push(change));
  client.connect().catch(() => {});
  while (sockets.length === 0) await new Promise((resolve) => setImmediate(resolve));
  await clock.advance(20_000);
  expect(changes.at(-1)).toMatchObject({ from: 'connecting', to: 'waiting', reason: 'helloTimeout' });
  await clock.advance(1_000);
  last().receive({ op: 10, d: { heartbeat_interval: 80_000 } });
  await clock.advance(30_000);
  expect(changes.at(-1)).toMatchObject({ from: 'identifying', to: 'waiting', reason: 'readyTimeout' });
  await client.close();
});

test('a RESUME that is declined after a long outage waits 1 to 5 s, not the backoff of the outage', async () => {
  const { client, clock, connect, last, sockets } = fakeGateway({ random: () => 0.999_999 });
  const socket = await connect();
  socket.close(1006);
  for (let tries = 0; tries < 8; tries += 1) {
    const count = sockets.length;
    while (sockets.length === count) await clock.advance((clock.nextAt ?? 0) - clock.now());
    if (tries < 7) last().refuse(503);
  }
  last().receive({ op: 10, d: { heartbeat_interval: 40_000 } });
  expect(last().sent.at(-1)).toMatchObject({ op: 6 });
  const count = sockets.length;
  last().receive({ op: 9, d: false });
  await clock.advance(5_000);
  expect(sockets).toHaveLength(count + 1);
  last().receive({ op: 10, d: { heartbeat_interval: 40_000 } });
  await clock.advance(0);
  expect(last().sent.at(-1)).toMatchObject({ op: 2 });
  await client.close();
});

test('a session that is out for five minutes is degraded, once', async () => {
  const { client, clock, connect, last } = fakeGateway();
  const outages: unknown[] = [];
  client.on('degraded', (event) => outages.push(event));
  const socket = await connect();
  socket.close(1006);
  for (let at = 0; at < 700_000; at += 10_000) {
    if (last().ended === undefined && last() !== socket) last().refuse(503);
    await clock.advance(10_000);
  }
  expect(outages).toEqual([{ shardId: 0, outageMs: 300_000 }]);
  await client.close();
});

test('sends wait, time out, are withdrawn, or are refused: each settles', async () => {
  const { client, clock, connect, last } = fakeGateway({ maxQueuedSends: 2, sendTimeoutMs: 30_000 });
  const payload = { op: 4, d: {} } as never;
  await expect(client.send(payload)).rejects.toMatchObject({ code: 'ERR_GATEWAY_SEND_FAILED' });
  const socket = await connect();
  await client.send(payload);
  expect(socket.sent.at(-1)).toEqual({ op: 4, d: {} });
  socket.close(1006);
  const abort = new AbortController();
  const first = client.send(payload);
  const second = client.send(payload, { signal: abort.signal });
  const settled = Promise.allSettled([
    first,
    second,
    client.send(payload),
    client.send(payload, { signal: AbortSignal.abort() }),
  ]);
  await clock.advance(0);
  abort.abort();
  const late = client.send(payload);
  late.catch(() => {});
  await clock.advance(20_000);
  // The socket that was opened meanwhile never says HELLO.
  await clock.advance(10_000);
  const codes = (await settled).map((result) => result.status === 'rejected' && result.reason.code);
  expect(codes).toEqual([
    'ERR_GATEWAY_SEND_TIMEOUT',
    'ERR_GATEWAY_SEND_ABORTED',
    'ERR_GATEWAY_SEND_QUEUE_FULL',
    'ERR_GATEWAY_SEND_ABORTED',
  ]);
  await expect(late).rejects.toMatchObject({ code: 'ERR_GATEWAY_SEND_TIMEOUT', retryable: true });
  const waiting = client.send(payload);
  expect(last().ended).toBeUndefined();
  await Promise.all([client.close(), expect(waiting).rejects.toMatchObject({ code: 'ERR_GATEWAY_CLIENT_CLOSED' })]);
});

test('of presences in quick succession the last is sent, and each promise settles', async () => {
  const { client, clock, connect } = fakeGateway();
  const socket = await connect();
  const statuses = ['online', 'idle', 'dnd', 'online', 'idle', 'dnd', 'invisible'] as const;
  const presence = (status: string) => ({ since: null, activities: [], status, afk: false }) as never;
  const settled = Promise.all(statuses.map((status) => client.updatePresence(presence(status))));
  expect(socket.sent.slice(1).map(({ d }) => (d as { status: string }).status)).toEqual(statuses.slice(0, 4));
  expect(client.health().shards[0]?.queued).toBe(1);
  await clock.advance(21_000);
  await settled;
  expect(socket.sent.filter(({ op }) => op === 3).map(({ d }) => (d as { status: string }).status)).toEqual([
    ...statuses.slice(0, 4),
    'invisible',
  ]);
  await client.close();
});

test('120 payloads a minute leave, beats among them, and the rest waits', async () => {
  const { client, clock, connect } = fakeGateway();
  const socket = await connect();
  const payload = { op: 4, d: {} } as never;
  const sends = Promise.all(Array.from({ length: 130 }, () => client.send(payload)));
  expect(ops(socket).filter((op) => op === 4)).toHaveLength(114);
  await clock.advance(20_000);
  expect(ops(socket).at(-1)).toBe(1);
  socket.receive({ op: 11 });
  await clock.advance(41_000);
  await sends;
  expect(ops(socket).filter((op) => op === 4)).toHaveLength(130);
  await client.close();
});

test('a payload over 4096 bytes is refused before it is sent', async () => {
  const { client, connect } = fakeGateway();
  const socket = await connect();
  const huge = { op: 3, d: { activities: [{ name: 'ä'.repeat(2_040) }] } } as never;
  await expect(client.send(huge)).rejects.toMatchObject({ code: 'ERR_GATEWAY_PAYLOAD_TOO_LARGE' });
  expect(ops(socket)).toEqual([2]);
  await client.close();
});

test('a presence is sent now and shown by every later session', async () => {
  const { client, clock, connect, last } = fakeGateway();
  const socket = await connect();
  const presence = { since: null, activities: [], status: 'idle', afk: false } as never;
  await client.updatePresence(presence);
  expect(socket.sent.at(-1)).toEqual({ op: 3, d: presence });
  socket.close(4009);
  await clock.advance(1_000);
  last().receive({ op: 10, d: { heartbeat_interval: 40_000 } });
  await clock.advance(5_000);
  expect(last().sent[0]).toMatchObject({ op: 2, d: { presence } });
  await client.close();
});

test('signalling carries the voice state out and both voice updates in', async () => {
  const { client, connect } = fakeGateway();
  const socket = await connect();
  expect(client.signalling.userId).toBe('42');
  const heard: unknown[] = [];
  client.signalling.onVoiceState((state) => heard.push(state));
  const stop = client.signalling.onVoiceServer((server) => heard.push(server));
  await client.signalling.sendVoiceState({ guildId: '1', channelId: '2', selfMute: true, selfDeaf: false });
  expect(socket.sent.at(-1)).toEqual({
    op: 4,
    d: { guild_id: '1', channel_id: '2', self_mute: true, self_deaf: false },
  });
  socket.receive(
    dispatch('VOICE_STATE_UPDATE', 2, { guild_id: '1', channel_id: null, user_id: '42', session_id: 'v' }),
  );
  socket.receive(dispatch('VOICE_SERVER_UPDATE', 3, { guild_id: '1', token: 't', endpoint: null }));
  stop();
  socket.receive(dispatch('VOICE_SERVER_UPDATE', 4, { guild_id: '1', token: 't', endpoint: 'e' }));
  expect(heard).toEqual([
    { guildId: '1', channelId: null, userId: '42', sessionId: 'v' },
    { guildId: '1', token: 't', endpoint: null },
  ]);
  await client.close();
});

test('listeners get what they asked for, until they unsubscribe', async () => {
  const { client, connect } = fakeGateway();
  const heard: string[] = [];
  const all: unknown[] = [];
  const stop = client.onDispatch('TYPING_START', (_data, { seq, traceId }) => heard.push(`${seq} ${traceId}`));
  client.on('dispatch', ({ name, seq }) => all.push([name, seq]));
  const socket = await connect();
  socket.receive(dispatch('TYPING_START', 2));
  stop();
  stop();
  socket.receive(dispatch('TYPING_START', 3));
  expect(heard).toEqual([expect.stringMatching(/^2 [0-9a-z]{11}-2$/)]);
  expect(heard[0]).not.toContain('session-1');
  expect(all).toEqual([
    ['READY', 1],
    ['TYPING_START', 2],
    ['TYPING_START', 3],
  ]);
  await client.close();
});

test('a listener that throws is told as an error and disturbs nobody', async () => {
  const { client, connect } = fakeGateway();
  const errors: GatewayError[] = [];
  const heard: number[] = [];
  client.on('error', (error) => errors.push(error));
  const failure = new Error('mine');
  client.onDispatch('GUILD_UPDATE', () => {
    throw failure;
  });
  client.onDispatch('GUILD_UPDATE', (_data, { seq }) => heard.push(seq));
  client.on('stateChange', () => {
    throw failure;
  });
  const socket = await connect();
  socket.receive(dispatch('GUILD_UPDATE', 2));
  expect(heard).toEqual([2]);
  expect(errors.at(-1)).toMatchObject({ code: 'ERR_GATEWAY_LISTENER_FAILED', cause: failure });
  await client.close();
});

test('the store is written at READY, then now and then, and emptied by close()', async () => {
  const kept = new Map<string, { seq: number }>();
  const writes: unknown[] = [];
  const sessionStore = {
    load: async () => undefined,
    save: async (key: string, session: { seq: number }) => {
      kept.set(key, session);
      writes.push(session.seq);
    },
    remove: async (key: string) => void kept.delete(key),
  };
  const { client, clock, connect } = fakeGateway({ sessionStore });
  const socket = await connect();
  await clock.advance(0);
  for (const seq of [2, 3, 4]) {
    socket.receive(dispatch('TYPING_START', seq));
    await clock.advance(2_500);
  }
  expect(writes).toEqual([1, 4]);
  expect([...kept.keys()]).toEqual([expect.stringMatching(/^[0-9a-f]{32}-128-0-1$/)]);
  await client.close();
  expect(kept.size).toBe(0);
});

test.each([
  ['a session that is none', async () => ({ seq: 'x' })],
  ['a failure', async () => Promise.reject(new Error('disk'))],
])('a store that returns %s does not stop the client', async (_what, load) => {
  const broken = async (): Promise<never> => Promise.reject(new Error('disk'));
  const { client, connect } = fakeGateway({ sessionStore: { load: load as never, save: broken, remove: broken } });
  const codes: string[] = [];
  client.on('error', ({ code }) => codes.push(code));
  const socket = await connect();
  expect(ops(socket)).toEqual([2]);
  await client.close();
  expect(new Set(codes)).toEqual(new Set(['ERR_GATEWAY_STORE_FAILED']));
});

test('nothing that is printed, logged or thrown holds the token', async () => {
  const lines: unknown[] = [];
  const log = (...args: unknown[]): void => void lines.push(args);
  let asked = 0;
  const info = { url: 'wss://gateway.test', shards: 1 } as never;
  const { client, clock, sockets, last } = fakeGateway({
    logger: { debug: log, info: log, warn: log, error: log },
    fetchGatewayInfo: async () => {
      asked += 1;
      if (asked === 1) throw new Error(`request with Bot ${TOKEN} failed`);
      return info;
    },
  });
  client.on('error', log);
  const connected = client.connect();
  connected.catch(log);
  while (sockets.length === 0) {
    await clock.advance(1_000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  last().receive({ op: 10, d: { heartbeat_interval: 40_000 } });
  await clock.advance(0);
  last().raw(`{"op":0,"echo":"${TOKEN}"`);
  last().close(4004);
  await connected.catch(() => {});
  const { inspect } = await import('node:util');
  const printed = inspect([lines, client, client.health()], { depth: 20, showHidden: true });
  expect(lines.length).toBeGreaterThan(3);
  expect(printed).not.toContain(TOKEN);
});

test('options are checked, and an unknown one is named', () => {
  const make = (options: object) => () => new DiscordGatewayClient({ token: 't', intents: 0, ...options } as never);
  expect(make({ token: '' })).toThrow(/"token" must be a bot token/);
  expect(make({ intents: ['Guild'] })).toThrow(/unknown name. Known: Guilds,/);
  expect(make({ guildId: 'general' })).toThrow(/"guildId" must be a guild id/);
  expect(make({ shards: { ids: [2], count: 2 } })).toThrow(/"shards" must be 'auto'/);
  expect(make({ backoff: { baseMs: -1, capMs: 1 } })).toThrow(/"backoff" must be/);
  expect(make({ retries: 1 })).toThrow(/unknown option "retries"/);
  expect(make({ presence: undefined, guildId: ['1', '2'], shards: { ids: [0, 3], count: 4 } })).not.toThrow();
});

test('an error names its remedy and is known across copies', async () => {
  const { client, connect } = fakeGateway();
  await connect();
  await client.close();
  const error = await client
    .connect()
    .then(() => client.send({ op: 3, d: {} } as never))
    .catch((caught: unknown) => caught);
  expect(String(error)).toMatch(/^GatewayError: .+\. The client was closed or detached. Make a new one\.$/);
});

test('dispatches delivered past the reducer are known to it: beats, gaps, duplicates and resumes go by the last one', async () => {
  const { client, clock, connect, sockets, last } = fakeGateway();
  const seen: number[] = [];
  const gaps: unknown[] = [];
  client.onDispatch('TYPING_START', (_data, { seq }) => seen.push(seq));
  client.on('gap', ({ expected, received }) => gaps.push([expected, received]));
  const socket = await connect();
  for (const seq of [2, 3, 3, 2]) socket.receive(dispatch('TYPING_START', seq));
  socket.receive(dispatch('PRESENCE_UPDATE', 4));
  socket.receive({ op: 1, d: null });
  expect(socket.sent.at(-1)).toEqual({ op: 1, d: 4 });
  expect(seen).toEqual([2, 3]);
  socket.receive(dispatch('TYPING_START', 6));
  expect(gaps).toEqual([[5, 6]]);
  expect(seen).toEqual([2, 3]);
  // At once: what was skipped may still be had.
  await clock.advance(0);
  expect(sockets).toHaveLength(2);
  last().receive({ op: 10, d: { heartbeat_interval: 40_000 } });
  expect(last().sent).toEqual([{ op: 6, d: { token: TOKEN, session_id: 'session-1', seq: 4 } }]);
  await client.close();
});

test('what listeners ask for while a dispatch is told waits until all have heard it', async () => {
  const { client, connect } = fakeGateway();
  const heard: string[] = [];
  client.onDispatch('TYPING_START', () => {
    heard.push('first');
    void client.close();
  });
  client.onDispatch('TYPING_START', () => {
    heard.push('second');
    throw new Error('a bug of the listener');
  });
  client.on('error', () => {});
  client.on('closed', () => heard.push('closed'));
  const socket = await connect();
  socket.receive(dispatch('TYPING_START', 2));
  await client.close();
  expect(heard).toEqual(['first', 'second', 'closed']);
});
