/** The client over real sockets, against a server that misbehaves on purpose. */
import { DiscordGatewayClient, type DiscordGatewayClientOptions, type GatewayError } from '@guildkit/gateway';
import { afterEach, expect, test, vi } from 'vitest';
import { fastClock } from '../support/fast-clock.js';
import {
  dispatch,
  hello,
  polite,
  ready,
  type Script,
  type ScriptedGateway,
  scriptedGateway,
} from '../support/scripted-gateway.js';

const TOKEN = 'MTIz.secret-token.abcdef';
const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function setUp(
  make: (gateway: () => ScriptedGateway) => Script,
  options: Partial<DiscordGatewayClientOptions> = {},
) {
  const gateway: ScriptedGateway = await scriptedGateway(make(() => gateway));
  const clock = fastClock();
  const client = new DiscordGatewayClient({
    token: TOKEN,
    intents: ['GuildVoiceStates'],
    fetchGatewayInfo: async () => ({
      url: gateway.url,
      shards: 1,
      session_start_limit: { total: 1000, remaining: 1000, reset_after: 0, max_concurrency: 1 },
    }),
    clock,
    ...options,
  });
  const errors: GatewayError[] = [];
  client.on('error', (error) => errors.push(error));
  cleanups.push(
    () => gateway.close(),
    () => client.close(),
  );
  return { gateway, client, clock, errors };
}

function next<K extends Parameters<DiscordGatewayClient['once']>[0]>(
  client: DiscordGatewayClient,
  name: K,
): Promise<unknown> {
  return new Promise((resolve) => client.once(name, resolve as never));
}

test('connects, identifies with the documented fields, and leaves nothing after close()', async () => {
  const { gateway, client, clock } = await setUp((server) => polite(server));
  await client.connect();
  const [peer] = gateway.peers;
  expect(peer?.url).toBe('/?v=10&encoding=json');
  expect(peer?.received.find(({ op }) => op === 2)?.d).toMatchObject({
    token: TOKEN,
    intents: 128,
    shard: [0, 1],
    properties: { browser: 'guildkit' },
  });
  expect(client.health()).toMatchObject({ state: 'ready', shards: [{ phase: 'ready', attempts: 0 }] });
  await client.close();
  expect(await peer?.closed).toBe(1000);
  expect(clock.pending).toBe(0);
  await vi.waitFor(() => expect(gateway.open).toBe(0));
  await expect(client.send({ op: 3, d: {} } as never)).rejects.toMatchObject({ code: 'ERR_GATEWAY_CLIENT_CLOSED' });
});

test('resumes after a cut without farewell, and delivers what was missed once and in order', async () => {
  const { gateway, client } = await setUp((server) =>
    polite(server, {
      onFrame(peer, frame) {
        if (frame.op !== 6) return;
        // The server replays one event too many: the client had seq 2 already.
        for (const seq of [2, 3, 4]) peer.send(dispatch('TYPING_START', seq, { n: seq }));
        peer.send(dispatch('RESUMED', 5));
      },
    }),
  );
  const seen: [number, boolean][] = [];
  client.onDispatch('TYPING_START', (_data, { seq, replayed }) => seen.push([seq, replayed]));
  await client.connect();
  const first = gateway.peers[0];
  first?.send(dispatch('TYPING_START', 2));
  await vi.waitFor(() => expect(seen).toHaveLength(1));
  const resumed = next(client, 'resumed');
  first?.cut();
  expect(await resumed).toEqual({ shardId: 0, replayed: 2 });
  const second = gateway.peers[1];
  expect(second?.received.find(({ op }) => op === 6)?.d).toEqual({ token: TOKEN, session_id: 'session-1', seq: 2 });
  second?.send(dispatch('TYPING_START', 6));
  await vi.waitFor(() =>
    expect(seen).toEqual([
      [2, false],
      [3, true],
      [4, true],
      [6, false],
    ]),
  );
  expect(client.health().shards[0]).toMatchObject({ duplicates: 1, reconnects: 1 });
});

test.each([4004, 4013, 4014])('close code %i ends everything with a typed error that holds no token', async (code) => {
  const { client, clock, errors } = await setUp(
    () => ({
      onOpen: (peer) => peer.send(hello()),
      onFrame: (peer, frame) => frame.op === 2 && peer.close(code),
    }),
    { intents: ['Guilds', 'MessageContent'] },
  );
  const closed = next(client, 'closed');
  const error = await client.connect().catch((caught: GatewayError) => caught);
  expect(error).toMatchObject({ name: 'GatewayError', status: code, retryable: false });
  expect(await closed).toMatchObject({ reason: 'fatal', error });
  expect(errors).toEqual([error]);
  expect(JSON.stringify(error) + String(error)).not.toContain(TOKEN);
  expect(String(error)).toContain(code === 4014 ? 'asked for: MessageContent' : 'closed the connection with');
  expect(clock.pending).toBe(0);
});

test('malformed frames are counted and told, and the connection lives', async () => {
  const { gateway, client, errors } = await setUp((server) => polite(server));
  await client.connect();
  const peer = gateway.peers[0];
  const bad = ['{"op":0,', '[]', 'null', '{"op":99}', '{"op":"0"}', '{"op":9,"d":"yes"}', '{"op":10,"d":{}}'];
  const worse = ['{"op":0,"t":1,"s":2}', '{"op":0,"t":"X","s":-1}', '{"op":0,"t":"READY","s":2,"d":{}}', ''];
  for (const text of [...bad, ...worse]) peer?.raw(text);
  peer?.raw(Buffer.from([0xff, 0xfe]));
  await vi.waitFor(() => expect(errors).toHaveLength(12));
  expect(new Set(errors.map(({ code }) => code))).toEqual(new Set(['ERR_GATEWAY_FRAME_MALFORMED']));
  expect(client.health()).toMatchObject({ state: 'ready', shards: [{ malformed: 12, reconnects: 0 }] });
});

test('a peer that stops acknowledging is cut off without farewell and the session resumed', async () => {
  const changes: unknown[] = [];
  const { gateway, client } = await setUp(() => ({
    onOpen: (peer) => peer.send(hello(4_000)),
    onFrame(peer, frame, index) {
      if (frame.op === 2) peer.send(ready(`ws://${'127.0.0.1'}:${gateway.url.split(':').pop()}`));
      if (frame.op === 6) peer.send(dispatch('RESUMED', 2));
      if (frame.op === 1 && index > 0) peer.send({ op: 11 });
    },
  }));
  client.on('stateChange', ({ from, to, reason }) => changes.push([from, to, reason]));
  await client.connect();
  await next(client, 'resumed');
  expect(changes).toContainEqual(['ready', 'waiting', 'heartbeatTimeout']);
  expect(await gateway.peers[0]?.closed).toBe(1006);
  expect(gateway.peers[0]?.received.filter(({ op }) => op === 1)).toHaveLength(1);
});

test('a blocked event loop is not taken for a dead peer: what has come is read first', async () => {
  let blocked = 0;
  const { client } = await setUp((server) => ({
    ...polite(server, {
      onFrame(_peer, frame) {
        // The ACK is on its way; the loop stands still until long after the next beat was due.
        if (frame.op !== 1 || blocked > 0) return;
        blocked += 1;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
      },
    }),
    onOpen: (peer) => peer.send(hello(4_000)),
  }));
  await client.connect();
  await next(client, 'heartbeat');
  await next(client, 'heartbeat');
  expect(blocked).toBe(1);
  expect(client.health()).toMatchObject({ state: 'ready', shards: [{ reconnects: 0 }] });
});

test('refused upgrades are told apart', async () => {
  const statuses = [503, 429, 403];
  const { gateway, client } = await setUp((server) => ({
    ...polite(server),
    refuse: (index) => {
      const status = statuses[index];
      return status === undefined ? undefined : { status, headers: status === 429 ? { 'Retry-After': '3' } : {} };
    },
  }));
  const codes: unknown[] = [];
  client.on('stateChange', ({ reason, code }) => reason === 'upgradeRefused' && codes.push(code));
  await client.connect();
  expect(codes).toEqual(statuses);
  expect(gateway.peers).toHaveLength(1);
});

test('an upgrade refused with 401 ends everything', async () => {
  const { client } = await setUp(() => ({ refuse: () => ({ status: 401 }) }));
  await expect(client.connect()).rejects.toMatchObject({ code: 'ERR_GATEWAY_UPGRADE_REFUSED', status: 401 });
});

test('connect() is aborted by its signal, in the middle of the handshake', async () => {
  const { gateway, client, clock } = await setUp(() => ({}));
  const abort = new AbortController();
  const connected = client.connect({ signal: abort.signal });
  await vi.waitFor(() => expect(gateway.peers).toHaveLength(1));
  abort.abort(new Error('enough'));
  await expect(connected).rejects.toMatchObject({ code: 'ERR_GATEWAY_CONNECT_ABORTED', cause: abort.signal.reason });
  expect(clock.pending).toBe(0);
  await vi.waitFor(() => expect(gateway.open).toBe(0));
});
