/** Methods called in an order nobody planned, from places nobody expects, with what no option is. */
import { DiscordGatewayClient, type DiscordGatewayClientOptions } from '@guildkit/gateway';
import { expect, test } from 'vitest';
import { fakeGateway } from '../support/fake-gateway.js';

const never = (): Promise<never> => new Promise(() => {});
const CLOSED = { code: 'ERR_GATEWAY_CLIENT_CLOSED' };

test('a client that is over says so to who connects again', async () => {
  for (const how of ['close', 'detach'] as const) {
    const { client, connect } = fakeGateway();
    await connect();
    await client[how]();
    await expect(client.connect()).rejects.toMatchObject(CLOSED);
  }
});

test('who closes it from inside of its end is told of one end', async () => {
  const { client, connect } = fakeGateway();
  const told: string[] = [];
  client.on('closed', ({ reason }) => told.push(reason));
  client.on('stateChange', ({ to }) => {
    if (to !== 'closed') return;
    void client.close();
    told.push(client.health().state);
  });
  await connect();
  await client.detach();
  await new Promise((resolve) => setImmediate(resolve));
  expect(told).toEqual(['closed', 'detached']);
});

test('who closes it on a fatal error is told of that error all the same', async () => {
  const { client, sockets, last } = fakeGateway();
  const told: unknown[] = [];
  client.on('error', ({ code }) => {
    told.push(code);
    void client.close();
  });
  client.on('closed', ({ reason, error }) => told.push([reason, error?.code]));
  const connected = client.connect();
  const refused = expect(connected).rejects.toMatchObject({ code: 'ERR_GATEWAY_TOKEN_REFUSED' });
  while (sockets.length === 0) await new Promise((resolve) => setImmediate(resolve));
  last().close(4004);
  await refused;
  expect(told).toEqual(['ERR_GATEWAY_TOKEN_REFUSED', ['fatal', 'ERR_GATEWAY_TOKEN_REFUSED']]);
});

test.each<[string, Partial<DiscordGatewayClientOptions>]>([
  ['address', { fetchGatewayInfo: never }],
  ['stored session', { sessionStore: { load: never, save: async () => {}, remove: async () => {} } }],
])('connect() ends by its signal and by close() while the %s does not come', async (_what, options) => {
  const aborted = fakeGateway(options).client;
  const abort = new AbortController();
  const first = expect(aborted.connect({ signal: abort.signal })).rejects.toMatchObject({
    code: 'ERR_GATEWAY_CONNECT_ABORTED',
  });
  await new Promise((resolve) => setImmediate(resolve));
  abort.abort();
  await first;
  const closed = fakeGateway(options).client;
  const second = expect(closed.connect()).rejects.toMatchObject(CLOSED);
  await new Promise((resolve) => setImmediate(resolve));
  await closed.close();
  await second;
});

test('a listener that replaces itself by another is called once an event', async () => {
  const { client, connect } = fakeGateway();
  const heard: number[] = [];
  const listen = (): void => {
    const stop = client.onDispatch('TYPING_START', (_data, { seq }) => {
      stop();
      heard.push(seq);
      if (heard.length < 100) listen();
    });
  };
  client.onDispatch('TYPING_START', () => {});
  listen();
  const socket = await connect();
  socket.receive({ op: 0, t: 'TYPING_START', s: 2, d: {} });
  socket.receive({ op: 0, t: 'TYPING_START', s: 3, d: {} });
  expect(heard).toEqual([2, 3]);
  await client.close();
});

test('a listener that is none is refused where it is given', () => {
  const { client } = fakeGateway();
  expect(() => client.onDispatch('TYPING_START', undefined as never)).toThrow(TypeError);
  expect(() => client.onEvent('*', {} as never)).toThrow(TypeError);
});

test.each([undefined, null, 5, {}, { op: '3' }])(
  '%j is no payload: Discord would end the connection',
  async (payload) => {
    const { client, connect } = fakeGateway();
    const socket = await connect();
    await expect(client.send(payload as never)).rejects.toThrow('send: "op" must be an opcode');
    expect(socket.sent).toHaveLength(1);
    await client.close();
  },
);

test('an option that lacks what will be called is refused before anything is', () => {
  const make = (options: object) => () => new DiscordGatewayClient({ token: 't', intents: 0, ...options } as never);
  expect(make({ logger: {} })).toThrow(/"logger" must have the methods debug, info, warn, error/);
  expect(make({ logger: null })).toThrow(/"logger" must have/);
  expect(make({ sessionStore: { load: never } })).toThrow(/"sessionStore" must have the methods load, save, remove/);
  expect(make({ identifyQueue: {} })).toThrow(/"identifyQueue" must have the methods acquire/);
  expect(make({ clock: {} })).toThrow(/"clock" must have the methods now/);
  expect(make({ shards: 1e9 })).toThrow(/"shards" must be/);
  expect(make({ instrumentation: 5 })).toThrow(/"instrumentation" must be/);
  expect(make({ presence: { status: 'away' } })).toThrow(/"presence" .*"since" must be/);
  expect(make({ token: 'read-from-a-file\n' })).toThrow(/"token" must be a bot token/);
});

test('a time that no timer takes is refused: it would be over at once', async () => {
  const { client, connect } = fakeGateway();
  const make = (options: object) => () => new DiscordGatewayClient({ token: 't', intents: 0, ...options } as never);
  expect(make({ guildsTimeoutMs: 3e9 })).toThrow(/"guildsTimeoutMs" must be an integer from 0 to 86400000/);
  expect(make({ backoff: { baseMs: 1, capMs: 3e9 } })).toThrow(/"backoff" must be/);
  await connect();
  expect(() => client.requestGuildMembers({ guildId: '7', userIds: ['1'], timeoutMs: 3e9 })).toThrow(TypeError);
  expect(() => client.requestSoundboardSounds(['7'], { timeoutMs: 3e9 })).toThrow(TypeError);
  await client.close();
});
