import { connect } from 'node:net';
import { createSandbox, SandboxError } from '@guildkit/sandbox';
import { createVirtualClock } from '@guildkit/testkit';
import { expect, test } from 'vitest';
import { RawClient } from '../support/gateway-client.js';
import { seat, VoiceClient } from '../support/voice-client.js';

/** What keeps this process alive: sockets, servers and timers. */
const held = (): string[] =>
  process
    .getActiveResourcesInfo()
    .filter((name) => /TCP|UDP|Timeout|HTTP/i.test(name))
    .sort();

test('200 sandboxes with clients are opened and closed without a leak', async () => {
  const before = held();
  const clock = createVirtualClock();
  for (let n = 0; n < 200; n += 1) {
    const sandbox = await createSandbox({ seed: n, clock, rateLimits: false });
    const client = await RawClient.identified(sandbox);
    const detached = await RawClient.identified(sandbox);
    detached.terminate();
    await detached.closed;
    sandbox.faults.down(60_000);
    await sandbox.close();
    expect((await client.closed).code).toBe(1006);
  }
  expect(clock.pending).toBe(0);
  await expect.poll(held, { timeout: 5000 }).toEqual(before);
});

test('voice leaves nothing behind either, whatever is under way', async () => {
  const before = held();
  const clock = createVirtualClock();
  for (let n = 0; n < 20; n += 1) {
    const sandbox = await createSandbox({ seed: n, clock });
    const { ticket } = await seat(sandbox);
    const client = await VoiceClient.live(ticket, { dave: 1 });
    const anna = await sandbox.people.create({ name: 'anna' });
    await anna.joinVoice(sandbox.voiceChannelId);
    // She waits for a group that does not come: the client does not answer.
    const speaking = expect(anna.speak()).rejects.toMatchObject({ code: 'ERR_SANDBOX_PERSON_NOT_CONNECTED' });
    sandbox.faults.media({ delayMs: 1_000, forMs: 5_000 });
    client.rtp({ payload: new Uint8Array([1]) });
    await expect.poll(() => clock.pending).toBeGreaterThan(3);
    await sandbox.close();
    expect((await client.closed).code).toBe(1006);
    client.end();
    await clock.advance(5);
    await speaking;
  }
  expect(clock.pending).toBe(0);
  await expect.poll(held, { timeout: 5000 }).toEqual(before);
});

test('close ends idle, half-open and refused connections, and can be called again', async () => {
  const sandbox = await createSandbox();
  const { port } = new URL(sandbox.connection.apiBase);
  const open = (text: string) => {
    const socket = connect({ port: Number(port), host: '127.0.0.1', allowHalfOpen: true });
    socket.on('error', () => {});
    if (text !== '') socket.write(text);
    return new Promise<{ closed: Promise<void> }>((resolve) => {
      const closed = new Promise<void>((done) => {
        for (const event of ['end', 'error', 'close']) socket.once(event, () => done());
      });
      socket.once('connect', () => resolve({ closed }));
      socket.resume();
    });
  };
  const sockets = await Promise.all([
    open(''),
    open('GET /api/v10/gateway HTTP/1.1\r\n'),
    open('GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'),
    open('POST /api/v10/gateway HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc'),
  ]);
  await Promise.all([sandbox.close(), sandbox.close()]);
  await sandbox.close();
  await Promise.all(sockets.map(({ closed }) => closed));
  await expect(fetch(`${sandbox.connection.apiBase}/gateway`)).rejects.toThrow();
});

test('a closed sandbox refuses to be used', async () => {
  const sandbox = await createSandbox();
  const anna = await sandbox.people.create({ name: 'anna' });
  await sandbox.close();
  const refused = (error: unknown) => SandboxError.is(error) && error.code === 'ERR_SANDBOX_CLOSED';
  await expect(anna.joinVoice(sandbox.voiceChannelId)).rejects.toSatisfy(refused);
  await expect(sandbox.people.create({ name: 'bela' })).rejects.toSatisfy(refused);
  await expect(sandbox.bots.create()).rejects.toSatisfy(refused);
});

test('a taken port and a remote address are refused with a code', async () => {
  await using sandbox = await createSandbox();
  const port = Number(new URL(sandbox.connection.apiBase).port);
  await expect(createSandbox({ port })).rejects.toSatisfy(
    (error) => SandboxError.is(error) && error.code === 'ERR_SANDBOX_PORT_UNAVAILABLE',
  );
  await expect(createSandbox({ host: '0.0.0.0' })).rejects.toSatisfy(
    (error) => SandboxError.is(error) && error.code === 'ERR_SANDBOX_ADDRESS_REMOTE',
  );
  await using reachable = await createSandbox({ host: '0.0.0.0', allowRemote: true });
  expect(reachable.gatewayUrl).toMatch(/^ws:\/\/127\.0\.0\.1:/);
});

test.each([
  ['seed', -1],
  ['port', 70_000],
  ['rateLimits', 0],
  ['rateLimits', 'off'],
  ['heartbeatIntervalMs', 1],
  ['shards', 0],
  ['colour', 'blue'],
])('option %s = %o is refused', async (option, value) => {
  await expect(createSandbox({ [option]: value } as never)).rejects.toThrow(TypeError);
});

test('one seed gives one set of ids and tokens, another seed others', async () => {
  const snapshot = async (seed: number) => {
    await using sandbox = await createSandbox({ seed });
    const anna = await sandbox.people.create({ name: 'anna' });
    const { token, guildId } = sandbox.connection;
    return [token, guildId, sandbox.voiceChannelId, anna.id];
  };
  const [first, again, other] = await Promise.all([snapshot(5), snapshot(5), snapshot(6)]);
  expect(again).toEqual(first);
  expect(new Set([...(first ?? []), ...(other ?? [])]).size).toBe(8);
});

test('no token is in the traffic log', async () => {
  await using sandbox = await createSandbox();
  const client = await RawClient.identified(sandbox);
  const wrong = RawClient.to(sandbox);
  wrong.send({ op: 2, d: { token: 'a-secret-of-someone-else', intents: 0, properties: {} } });
  await wrong.closed;
  await fetch(`${sandbox.connection.apiBase}/users/@me`, {
    headers: { authorization: `Bot ${sandbox.connection.token}` },
  });
  await client.settled();
  const log = JSON.stringify(sandbox.traffic);
  expect(log).toContain('IDENTIFY');
  expect(log).not.toContain(sandbox.connection.token);
  expect(log).not.toContain('a-secret-of-someone-else');
});
