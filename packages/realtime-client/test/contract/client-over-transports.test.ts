/** What a client does, over every transport: real sockets on loopback, and in memory. */
import { createCommandQueue, RealtimeClient } from '@guildkit/realtime-client';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { presence } from '../support/scripted-hub.js';
import { STANDS, type Stand } from '../support/stands.js';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

const until = (read: () => unknown) => vi.waitFor(() => expect(read()).toBeTruthy(), { timeout: 10_000, interval: 2 });

describe.each(STANDS)('RealtimeClient over %s', (_name, makeStand) => {
  async function start(options: { readonly tokens?: string[]; readonly getToken?: () => string } = {}) {
    const { tokens = ['good'], getToken = () => 'good' } = options;
    const stand: Stand = await makeStand({ tokens });
    open.push(stand);
    const client = new RealtimeClient({
      transport: stand.transport,
      getToken,
      random: () => 0.5,
      commands: createCommandQueue({ timeoutMs: 10_000 }),
    });
    open.push(client);
    const events: string[] = [];
    const room = client.room('channel:10');
    room.on('*', (_payload, { event, seq }) => events.push(`${event} ${seq}`));
    const joined: string[] = [];
    room.on('voice.joined', ({ userId }) => joined.push(userId));
    return { ...stand, stand, client, room, events, joined };
  }

  it('brings a room to its state, and every event once, in order', async () => {
    const { hub, client, room, joined } = await start();
    hub.join('10', 'before');
    client.connect();
    await until(() => client.state.status === 'open' && room.status === 'live');
    expect(room.members.map(({ userId }) => userId)).toEqual(['before']);
    const users = Array.from({ length: 200 }, (_, index) => `u${index}`);
    for (const user of users) hub.join('10', user);
    await until(() => joined.length === 200);
    expect(joined).toEqual(users);
    expect(room.members).toHaveLength(201);
  });

  it('takes rooms in and lets them go while it is connected', async () => {
    const { hub, client, room, joined } = await start();
    client.connect();
    await until(() => room.status === 'live');
    const other = client.room('channel:11');
    const heard: string[] = [];
    other.on('voice.joined', ({ userId }) => heard.push(userId));
    // Of the first room nothing is missed meanwhile.
    for (let user = 0; user < 20; user += 1) hub.join('10', `${user}`);
    await until(() => other.status === 'live');
    hub.join('11', 'z');
    hub.join('10', 'last');
    await until(() => heard.length === 1 && joined.length === 21);
    expect(new Set(joined).size).toBe(21);
    other.close();
    room.close();
    await until(
      () => [...hub.connections].every(({ subscriptions }) => subscriptions.size === 0) || hub.connections.size === 0,
    );
    expect(client.state.status).toBe('open');
    const again = client.room('channel:10');
    await until(() => again.status === 'live');
    expect(again.members).toHaveLength(21);
  });

  it('recovers what it missed, with no gap and no double', async () => {
    const { hub, stand, client, room, joined, events } = await start();
    client.connect();
    await until(() => room.status === 'live');
    for (let round = 0; round < 3; round += 1) {
      hub.join('10', `${round}a`);
      stand.cut();
      hub.join('10', `${round}b`);
      await until(() => room.status === 'live' && joined.includes(`${round}b`));
    }
    expect(joined).toEqual(['0a', '0b', '1a', '1b', '2a', '2b']);
    // The first state, and no other.
    expect(events.filter((event) => event.startsWith('sys.snapshot'))).toHaveLength(1);
  });

  it('takes the state where the events are gone', async () => {
    const { hub, client, room, joined } = await start();
    client.connect();
    await until(() => room.status === 'live');
    hub.join('10', 'a');
    await until(() => joined.length === 1);
    hub.restart();
    hub.publish('channel:10', 'voice.left', { ...presence('10', 'a') });
    hub.join('10', 'b');
    await until(() => room.status === 'live' && room.members[0]?.userId === 'b');
    expect(room.members).toHaveLength(1);
  });

  it('knows a room that is denied from one that is not', async () => {
    const { hub, client, room } = await start();
    hub.denied.add('channel:66');
    const denied = client.room('channel:66');
    client.connect();
    await until(() => room.status === 'live' && denied.status === 'denied');
    expect(denied.view.reason).toBe('ERR_HUB_ROOM_DENIED');
    expect(client.state.status).toBe('open');
  });

  it('fetches another token when one is refused, and stops at the second', async () => {
    const given: string[] = [];
    const { client, room, hub } = await start({
      tokens: ['fresh'],
      getToken: () => {
        given.push(given.length === 0 ? 'stale' : 'fresh');
        return given.at(-1) as string;
      },
    });
    client.connect();
    await until(() => room.status === 'live');
    expect(given).toEqual(['stale', 'fresh']);
    hub.tokens = ['none'];
    hub.cut();
    await until(() => client.state.status === 'closed');
    expect(client.state.lastError).toMatchObject({ code: 'ERR_REALTIME_AUTH_REFUSED' });
  });

  it('gives up after its tries, and starts again when it is told to', async () => {
    const { hub, client, room } = await start();
    client.connect();
    await until(() => room.status === 'live');
    hub.down = true;
    hub.cut();
    await until(() => client.state.status === 'manual');
    hub.down = false;
    hub.join('10', 'late');
    client.reconnect();
    await until(() => room.status === 'live' && room.members.length === 1);
  });

  it('comes back after a drain without counting it', async () => {
    const { hub, client, room } = await start();
    client.connect();
    await until(() => room.status === 'live');
    const { attempt } = client.state;
    hub.last.close(4503, 'ERR_HUB_DRAINING');
    await until(() => client.state.status === 'waiting' || client.state.status === 'recovering');
    expect(client.state.attempt).toBe(attempt);
    await until(() => room.status === 'live');
  });

  it('sends commands and gets their answers', async () => {
    const { hub, client, stand } = await start();
    hub.onCommand = ({ payload }) =>
      payload.name === 'bad'
        ? { type: 'error', payload: { code: 'ERR_COMMAND_FORBIDDEN', message: 'no' } }
        : { payload: { result: payload.input, latencyMs: 1 } };
    client.connect();
    const results = await Promise.all(Array.from({ length: 20 }, (_, n) => client.command('say', { n })));
    expect(results).toEqual(Array.from({ length: 20 }, (_, n) => ({ n })));
    await expect(client.command('bad', null)).rejects.toMatchObject({
      code: 'ERR_REALTIME_COMMAND_REFUSED',
      detail: 'ERR_COMMAND_FORBIDDEN',
    });
    expect(stand.received.filter(({ type }) => type === 'command')).toHaveLength(21);
  });

  it('sends a command again, under its id, when the answer was lost', async () => {
    const { hub, stand, client, room } = await start();
    client.connect();
    await until(() => room.status === 'live');
    const seen: string[] = [];
    hub.onCommand = ({ id }) => {
      seen.push(id);
      if (seen.length > 1) return { payload: { result: 'done', latencyMs: 0 } };
      setImmediate(() => stand.cut());
      return undefined;
    };
    expect(await client.command('say', 1)).toBe('done');
    expect(seen).toHaveLength(2);
    expect(new Set(seen).size).toBe(1);
  });

  it('leaves no connection behind', async () => {
    const { client, room, hub } = await start();
    client.connect();
    await until(() => room.status === 'live');
    client.close();
    await until(() => hub.connections.size === 0);
    expect(client.state.status).toBe('closed');
  });
});
