/** What only the transport of events by SSE does: requests, refusals, positions, signs of life. */
import { RealtimeClient, sseTransport } from '@guildkit/realtime-client';
import { createVirtualClock } from '@guildkit/testkit';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type HttpStand, httpStand, overSse } from '../support/stands.js';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

const until = (read: () => unknown) => vi.waitFor(() => expect(read()).toBeTruthy(), { timeout: 10_000, interval: 2 });

async function start(makeTransport = overSse, hubOptions = {}): Promise<HttpStand & { client: RealtimeClient }> {
  const stand = await httpStand(makeTransport, hubOptions);
  open.push(stand);
  const client = new RealtimeClient({ transport: stand.transport, getToken: () => 'good', random: () => 0 });
  open.push(client);
  return Object.assign(stand, { client });
}

describe('sseTransport', () => {
  it('asks for all rooms with one request, and goes on from where each is', async () => {
    const { client, requests, hub, cut } = await start();
    const rooms = ['channel:1', 'guild:2', 'user:3'].map((name) => client.room(name));
    client.connect();
    await until(() => rooms.every(({ status }) => status === 'live'));
    expect(requests).toHaveLength(1);
    expect(new URL(requests[0] ?? '', 'http://x').searchParams.get('rooms')).toBe('channel:1,guild:2,user:3');
    hub.join('1', 'a');
    await until(() => rooms[0]?.members.length === 1);
    cut();
    await until(() => requests.length === 2);
    expect(new URL(requests[1] ?? '', 'http://x').searchParams.get('since')).toBe(
      'channel:1,e1,1;guild:2,e1,0;user:3,e1,0',
    );
  });

  it('needs no token where there is a cookie', async () => {
    const stand = await httpStand(overSse, { welcome: { authTimeoutMs: 0 } });
    open.push(stand);
    const client = new RealtimeClient({ transport: stand.transport });
    open.push(client);
    const room = client.room('channel:1');
    client.connect();
    await until(() => room.status === 'live');
  });

  it.each([
    [403, 'ERR_HUB_ORIGIN_FORBIDDEN', 'closed', 'ERR_REALTIME_CONNECTION_REFUSED'],
    [400, 'ERR_HUB_ROOM_INVALID', 'closed', 'ERR_REALTIME_CONNECTION_REFUSED'],
    [401, 'ERR_HUB_AUTH_REFUSED', 'closed', 'ERR_REALTIME_AUTH_REFUSED'],
    [500, 'ERR_X', 'manual', 'ERR_REALTIME_CONNECTION_LOST'],
    [404, 'ERR_X', 'manual', 'ERR_REALTIME_CONNECTION_LOST'],
  ])('%i %s ends as %s', async (status, code, ending, error) => {
    const { client, hub, ...stand } = await start();
    Object.assign(client, {});
    const room = client.room('channel:1');
    (open[0] as HttpStand).refuseStreams = { status, error: { code } };
    client.connect();
    await until(() => client.state.status === ending);
    expect(client.state.lastError).toMatchObject({ code: error, detail: code });
    (open[0] as HttpStand).refuseStreams = undefined;
    client.reconnect();
    await until(() => room.status === 'live');
    expect(hub.connections.size).toBe(1);
    expect(stand.requests.length).toBeGreaterThan(1);
  });

  it('waits as long as the hub asks for', async () => {
    const { client } = await start();
    const stand = open[0] as HttpStand;
    client.room('channel:1');
    stand.refuseStreams = { status: 429, error: { code: 'ERR_HUB_CONNECTION_LIMIT', retryAfterMs: 60_000 } };
    client.connect();
    await until(() => client.state.status === 'waiting');
    expect((client.state.nextAttemptAt ?? 0) - Date.now()).toBeGreaterThan(50_000);
    expect(client.state.lastError).toMatchObject({ detail: 'ERR_HUB_CONNECTION_LIMIT', closeCode: 4429 });
  });

  it('takes what the hub says of retries for the next connection', async () => {
    const { client, hub } = await start(overSse, { welcome: { retry: { maxAttempts: 2, baseMs: 5, capMs: 5 } } });
    const room = client.room('channel:1');
    client.connect();
    await until(() => room.status === 'live');
    hub.cut();
    await until(() => hub.all.length === 2 && room.status === 'live');
    hub.down = true;
    hub.cut();
    await until(() => client.state.status === 'manual');
    expect(client.state.attempt).toBe(2);
  });

  it('posts where it is, and notices that the hub has lost the stream', async () => {
    const clock = createVirtualClock();
    const { client, hub, received } = await start((origin) => sseTransport({ url: `${origin}/api/stream`, clock }));
    const room = client.room('channel:1');
    client.connect();
    await clock.advance(1);
    await until(() => room.status === 'live');
    hub.join('1', 'a');
    await until(() => room.members.length === 1);
    await clock.advance(15_000);
    await until(() => received.length === 1);
    expect(received[0]).toMatchObject({ type: 'pong', payload: { connectionId: 'c1', seqs: { 'channel:1': 1 } } });
    // The stream has gone silent: no sign of life is made up.
    await clock.advance(15_000);
    expect(received).toHaveLength(1);
    hub.last.raw(JSON.stringify({ v: 1, type: 'event', event: 'app.note', payload: {}, ts: 1 }));
    hub.last.open = false;
    await until(async () => true);
    await vi.waitFor(async () => {
      await clock.advance(15_000);
      expect(client.state.lastError).toMatchObject({ code: 'ERR_REALTIME_CONNECTION_LOST' });
    });
  });

  it('gives up an event that does not end', async () => {
    const { client, hub } = await start();
    const room = client.room('channel:1');
    client.connect();
    await until(() => room.status === 'live');
    hub.last.raw(JSON.stringify({ v: 1, type: 'event', event: 'app.note', payload: 'x'.repeat(2_000_000), ts: 1 }));
    await until(() => hub.all.length === 2 && room.status === 'live');
    expect(client.stats().errors).toMatchObject({ ERR_REALTIME_CONNECTION_LOST: 1 });
  });

  it('reports what is no frame, and goes on', async () => {
    const { client, hub, server } = await start();
    const room = client.room('channel:1');
    client.connect();
    await until(() => room.status === 'live');
    hub.last.raw('{"v":7}');
    hub.last.raw('{"v":1,"type":"ack","event":"x","re":"channel:1","payload":null}');
    hub.last.raw('{"v":1,"type":"error","event":"x","re":"nobody","payload":null}');
    hub.join('1', 'a');
    await until(() => room.members.length === 1);
    expect(client.stats().errors).toMatchObject({ ERR_REALTIME_FRAME_MALFORMED: 1 });
    expect(server.listening).toBe(true);
  });

  it('throws for a relative URL where there is no page', () => {
    expect(() => sseTransport({ url: '/api/stream' }).connect({ onMessage() {}, onClose() {} })).toThrow(TypeError);
  });
});
