/** Old code over the new client: a socket's shape, and the old hook. */
import { createLegacySocket, LegacySocket, useVoiceChannelMembersFromEvents } from '@guildkit/realtime-client/legacy';
import { cleanup, render, screen } from '@testing-library/react';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { setup } from '../support/setup.js';
import { rest, under } from './support.js';

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

/** An old page: reads envelopes, knows nothing of rooms. */
function oldPage(world: ReturnType<typeof setup>, rooms = ['guild:1', 'channel:10']) {
  const socket = createLegacySocket({ client: world.client, rooms }) as LegacySocket;
  const log: string[] = [];
  const messages: unknown[] = [];
  socket.onopen = () => log.push('open');
  socket.onerror = () => log.push('error');
  socket.onclose = ({ code }) => log.push(`close ${code}`);
  socket.onmessage = ({ data }) => messages.push(JSON.parse(data ?? ''));
  return { socket, log, messages };
}

describe('createLegacySocket', () => {
  it('brings the events of its rooms in the old envelope, across a reconnect', async () => {
    const world = setup();
    const { socket, log, messages } = oldPage(world);
    const heard = vi.fn();
    socket.addEventListener('message', heard);
    expect(socket.readyState).toBe(LegacySocket.CONNECTING);
    world.client.connect();
    await rest(world);
    expect(socket.readyState).toBe(LegacySocket.OPEN);
    world.hub.join('10', 'a');
    world.hub.cut();
    world.hub.join('10', 'b');
    await rest(world, 1_000);
    expect(log).toEqual(['open']);
    expect(messages).toMatchObject([
      { v: 1, type: 'event', event: 'voice.joined', payload: { userId: 'a' } },
      { v: 1, type: 'event', event: 'voice.joined', payload: { userId: 'b' } },
    ]);
    expect(Object.keys(messages[0] as object)).toEqual(['v', 'type', 'event', 'payload', 'ts']);
    expect(heard).toHaveBeenCalledTimes(2);
  });

  it('is open at once where the client is', async () => {
    const world = setup();
    world.client.connect();
    await rest(world);
    const { log } = oldPage(world, []);
    await rest(world);
    expect(log).toEqual(['open']);
  });

  it('ends as the client does', async () => {
    const world = setup({ maxAttempts: 1 });
    const { log, socket } = oldPage(world);
    world.client.connect();
    await rest(world);
    world.hub.down = true;
    world.hub.cut();
    await rest(world, 60_000);
    expect(log).toEqual(['open', 'error', 'close 1006']);
    expect(socket.readyState).toBe(LegacySocket.CLOSED);
  });

  it('lets go of its rooms when it is closed, and of nothing else', async () => {
    const world = setup();
    const { socket, log, messages } = oldPage(world);
    world.client.connect();
    await rest(world);
    socket.send('dropped');
    socket.close(4001);
    socket.close();
    await rest(world, 1_000);
    world.hub.join('10', 'a');
    await rest(world);
    expect(log).toEqual(['open', 'close 4001']);
    expect(messages).toEqual([]);
    expect(world.hub.last.subscriptions.size).toBe(0);
    expect(world.client.state.status).toBe('open');
  });

  it('opens the real socket when the flag says so', () => {
    const made: string[] = [];
    vi.stubGlobal(
      'WebSocket',
      class {
        constructor(url: string) {
          made.push(url);
        }
      },
    );
    const { client } = setup();
    createLegacySocket({ client, rooms: [], useStream: false, url: '/api/ws' });
    expect(made).toEqual(['/api/ws']);
    expect(() => createLegacySocket({ client, rooms: [], useStream: false })).toThrow(TypeError);
  });
});

function Members({ channel, enabled }: { readonly channel: string; readonly enabled?: boolean }) {
  const { members, isLoading, error } = useVoiceChannelMembersFromEvents({ channelId: channel, enabled });
  return <p data-testid="members">{isLoading ? 'loading' : (error ?? members.map(({ id }) => id).join())}</p>;
}

describe('useVoiceChannelMembersFromEvents', () => {
  const text = () => screen.getByTestId('members').textContent;

  it('shows who is there, and what is wrong', async () => {
    const world = setup({ maxAttempts: 1 });
    world.hub.join('10', 'a');
    world.hub.denied.add('channel:11');
    const { rerender } = render(under(world.client, <Members channel="10" />));
    expect(text()).toBe('loading');
    await rest(world);
    expect(text()).toBe('a');
    rerender(under(world.client, <Members channel="11" />));
    await rest(world);
    expect(text()).toBe('You may not see this voice channel.');
    rerender(under(world.client, <Members channel="11" enabled={false} />));
    await rest(world, 1_000);
    expect(text()).toBe('');
    world.hub.down = true;
    world.hub.cut();
    await rest(world, 60_000);
    expect(text()).toBe('The connection is lost.');
  });
});
