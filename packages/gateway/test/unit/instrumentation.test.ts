/** Hooks for spans, and health in numbers. */
import type { ConnectOutcome, GatewayError, GatewayInstrumentation, TracedSend } from '@guildkit/gateway';
import { expect, test } from 'vitest';
import { fakeGateway, TOKEN } from '../support/fake-gateway.js';

const dispatch = (t: string, s: number, d: unknown = {}) => ({ op: 0, t, s, d });

test('a try to connect is a span with its outcome', async () => {
  const spans: unknown[] = [];
  const onConnect: GatewayInstrumentation['onConnect'] = (attempt) => {
    const span: unknown[] = [attempt];
    spans.push(span);
    return (outcome: ConnectOutcome) => span.push(outcome);
  };
  const { client, clock, connect, last } = fakeGateway({ instrumentation: { onConnect } });
  const socket = await connect();
  socket.close(4000);
  await clock.advance(1_000);
  last().refuse(503);
  await clock.advance(2_000);
  last().receive({ op: 10, d: { heartbeat_interval: 40_000 } });
  last().receive(dispatch('RESUMED', 2));
  last().close(4009);
  await clock.advance(1_000);
  await client.close();
  expect(spans).toEqual([
    [
      { shardId: 0, attempts: 0, resume: false },
      { outcome: 'ready', reason: 'ready', code: undefined },
    ],
    [
      { shardId: 0, attempts: 1, resume: true },
      { outcome: 'failed', reason: 'upgradeRefused', code: 503 },
    ],
    [
      { shardId: 0, attempts: 2, resume: true },
      { outcome: 'resumed', reason: 'resumed', code: undefined },
    ],
    [
      { shardId: 0, attempts: 1, resume: false },
      { outcome: 'closed', reason: 'closeCalled', code: undefined },
    ],
  ]);
});

test('listeners run inside the span of their dispatch; what nobody listens to has none', async () => {
  const log: string[] = [];
  const instrumentation: GatewayInstrumentation = {
    onDispatch({ name, seq, shardId, replayed, traceId }, run) {
      log.push(`begin ${name} ${seq} ${shardId} ${replayed} ${typeof traceId}`);
      run();
      run();
      log.push('end');
    },
  };
  const { client, connect } = fakeGateway({ instrumentation, domainEvents: false });
  client.onDispatch('TYPING_START', () => log.push('told'));
  const socket = await connect();
  socket.receive(dispatch('TYPING_START', 2));
  socket.receive(dispatch('PRESENCE_UPDATE', 3));
  expect(log).toEqual(['begin TYPING_START 2 0 false string', 'told', 'end']);
  await client.close();
});

test('a hook that throws, or forgets to run the listeners, costs no event and is told', async () => {
  const errors: GatewayError[] = [];
  const told: number[] = [];
  const fail = (): never => {
    throw new Error('tracer is out of order');
  };
  const hooks: GatewayInstrumentation['onDispatch'][] = [() => {}, fail];
  const instrumentation: GatewayInstrumentation = {
    onConnect: fail,
    onSend: fail,
    onDispatch: (dispatched, run) => hooks.shift()?.(dispatched, run),
  };
  const { client, connect } = fakeGateway({ instrumentation, domainEvents: false });
  client.on('error', (error) => errors.push(error));
  client.onDispatch('TYPING_START', (_data, { seq }) => told.push(seq));
  const socket = await connect();
  socket.receive(dispatch('TYPING_START', 2));
  socket.receive(dispatch('TYPING_START', 3));
  await client.send({ op: 3, d: { since: null, activities: [], status: 'idle', afk: false } } as never);
  expect(told).toEqual([2, 3]);
  expect(errors.map(({ code }) => code)).toEqual(Array(3).fill('ERR_GATEWAY_LISTENER_FAILED'));
  expect(errors.map(({ message }) => /instrumentation\.\w+/.exec(message)?.[0])).toEqual([
    'instrumentation.onConnect',
    'instrumentation.onDispatch',
    'instrumentation.onSend',
  ]);
  await client.close();
});

test('a send is a span without its content, ended when it has settled', async () => {
  const log: unknown[] = [];
  const onSend = (send: TracedSend) => {
    log.push(send);
    return (error: unknown) => log.push(error === undefined ? 'sent' : (error as GatewayError).code);
  };
  const { client, connect } = fakeGateway({ instrumentation: { onSend } });
  const socket = await connect();
  const payload = { op: 4, d: { guild_id: '1', channel_id: null, self_mute: false, self_deaf: false } } as const;
  await client.send(payload);
  socket.close(1006);
  const waiting = client.send(payload);
  expect(log).toEqual([{ shardId: 0, op: 4, bytes: JSON.stringify(payload).length }, 'sent', log[0]]);
  await client.close();
  await expect(waiting).rejects.toMatchObject({ code: 'ERR_GATEWAY_CLIENT_CLOSED' });
  expect(log.at(-1)).toBe('ERR_GATEWAY_CLIENT_CLOSED');
  expect(JSON.stringify(log)).not.toContain(TOKEN);
});

test('health tells since when, how much, and that an outage is long', async () => {
  const { client, clock, connect, last } = fakeGateway({ domainEvents: false });
  expect(client.health()).toMatchObject({ state: 'idle', since: clock.wallTime(), shards: [] });
  const socket = await connect();
  const readyAt = clock.wallTime();
  expect(client.health()).toMatchObject({ state: 'ready', since: readyAt });
  const before = client.health().shards[0];
  await clock.advance(1_000);
  socket.receive(dispatch('TYPING_START', 2, { n: 'ä' }));
  const presence = { op: 3, d: { since: null, activities: [{ name: 'ä€', type: 0 }], status: 'idle', afk: false } };
  await client.send(presence as never);
  const after = client.health().shards[0];
  expect(after).toMatchObject({
    phase: 'ready',
    since: readyAt,
    sessionSince: readyAt,
    lastEventAt: readyAt + 1_000,
    queued: 0,
    attempts: 0,
    reconnects: 0,
    degraded: false,
  });
  expect(after?.events).toBe((before?.events ?? 0) + 1);
  expect((after?.bytesOut ?? 0) - (before?.bytesOut ?? 0)).toBe(Buffer.byteLength(JSON.stringify(presence)));

  socket.close(1006);
  const lostAt = clock.wallTime();
  for (let tries = 0; tries < 40; tries += 1) {
    await clock.advance(10_000);
    if (last().ended === undefined) last().refuse(503);
  }
  const health = client.health();
  expect(health).toMatchObject({ state: 'connecting', since: lostAt, shards: [{ degraded: true }] });
  expect(health.shards[0]?.reconnects).toBeGreaterThan(3);
  await client.close();
  expect(client.health()).toMatchObject({ state: 'closed', since: clock.wallTime() });
});
