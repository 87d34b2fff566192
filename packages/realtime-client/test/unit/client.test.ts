/** The client's main road: connect, subscribe, events, cut, recover, close. */
import { describe, expect, it } from 'vitest';
import { setup } from '../support/setup.js';

const ROOM = 'channel:10';
const ids = (members: readonly { readonly userId: string }[]) => members.map(({ userId }) => userId);

describe('RealtimeClient', () => {
  it('connects, authenticates, subscribes and shows members', async () => {
    const { client, hub, settle, statuses } = setup();
    hub.join('10', 'a');
    const room = client.room(ROOM);
    expect(room.status).toBe('loading');
    client.connect();
    await settle();
    expect(client.state.status).toBe('open');
    expect(room.status).toBe('live');
    expect(ids(room.members)).toEqual(['a']);
    hub.join('10', 'b');
    await settle();
    expect(ids(room.members)).toEqual(['a', 'b']);
    expect(statuses).toEqual(['idle', 'connecting', 'open']);
  });

  it('recovers what was missed while the connection was cut, each event once', async () => {
    const { client, hub, clock, settle, statuses } = setup();
    const room = client.room(ROOM);
    const seen: string[] = [];
    room.on('voice.joined', ({ userId }) => seen.push(`+${userId}`));
    room.on('voice.left', ({ userId }) => seen.push(`-${userId}`));
    client.connect();
    await settle();
    hub.join('10', 'a');
    await settle();
    hub.cut();
    await settle();
    expect(client.state.status).toBe('waiting');
    expect(room.status).toBe('recovering');
    hub.join('10', 'b');
    hub.leave('10', 'a');
    await clock.advance(1_000);
    expect(client.state.status).toBe('open');
    expect(seen).toEqual(['+a', '+b', '-a']);
    expect(ids(room.members)).toEqual(['b']);
    expect(statuses).toEqual(['idle', 'connecting', 'open', 'waiting', 'connecting', 'recovering', 'open']);
  });

  it('takes the new state after a hub restart', async () => {
    const { client, hub, clock, settle } = setup();
    const room = client.room(ROOM);
    client.connect();
    await settle();
    hub.join('10', 'a');
    await settle();
    hub.restart();
    hub.join('10', 'b');
    await clock.advance(1_000);
    expect(ids(room.members)).toEqual(['a', 'b']);
    expect(room.status).toBe('live');
  });

  it('leaves nothing behind after close()', async () => {
    const { client, hub, clock, environment, settle } = setup();
    client.room(ROOM);
    client.connect();
    await settle();
    expect(environment.watchers).toBe(1);
    client.close();
    expect(clock.pending).toBe(0);
    expect(environment.watchers).toBe(0);
    expect(hub.connections.size).toBe(0);
    expect(hub.last.closedBy?.code).toBe(1000);
    client.close();
    expect(client.state.status).toBe('closed');
  });
});
