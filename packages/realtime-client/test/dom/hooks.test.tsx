/** The hooks in a page: live lists, one subscription, Strict Mode, hydration. */
import { useConnection, useRoom, useVoiceChannelEvents, useVoiceChannelMembers } from '@guildkit/realtime-client/react';
import { act, cleanup, render, screen } from '@testing-library/react';
import { StrictMode, useState } from 'react';
import { hydrateRoot } from 'react-dom/client';
import { renderToString } from 'react-dom/server';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { setup } from '../support/setup.js';
import { rest, under } from './support.js';

afterEach(cleanup);

function Members({ channel }: { readonly channel: string | undefined }) {
  const { members, isStale, status } = useVoiceChannelMembers(channel);
  return (
    <p data-testid="members">
      {status}
      {isStale ? '*' : ''}: {members.map(({ userId }) => userId).join(',')}
    </p>
  );
}

function Connection() {
  const { status, reconnect } = useConnection();
  return (
    <button type="button" data-testid="connection" onClick={reconnect}>
      {status}
    </button>
  );
}

const text = (id: string) => screen.getByTestId(id).textContent;
const framesOf = ({ hub }: ReturnType<typeof setup>, type: string) =>
  hub.all.flatMap(({ received }) => received.filter((frame) => frame.type === type));

describe('useVoiceChannelMembers', () => {
  it('shows who comes and goes, and that a list is old while the connection is away', async () => {
    const world = setup();
    world.hub.join('10', 'a');
    render(under(world.client, <Members channel="10" />));
    expect(text('members')).toBe('loading: ');
    await rest(world);
    expect(text('members')).toBe('live: a');
    act(() => world.hub.join('10', 'b'));
    await rest(world);
    expect(text('members')).toBe('live: a,b');
    world.hub.cut();
    await rest(world);
    expect(text('members')).toBe('recovering*: a,b');
    world.hub.leave('10', 'a');
    await rest(world, 1_000);
    expect(text('members')).toBe('live: b');
    world.hub.last.send({ event: 'sys.degraded', payload: { degraded: true, reason: 'gateway' } });
    await rest(world);
    expect(text('members')).toBe('live*: b');
  });

  it('follows its channel, and holds none for undefined', async () => {
    const world = setup();
    world.hub.join('10', 'a');
    world.hub.join('11', 'z');
    const { rerender } = render(under(world.client, <Members channel={undefined} />));
    await rest(world);
    expect(text('members')).toBe('loading: ');
    expect(framesOf(world, 'subscribe')).toHaveLength(0);
    rerender(under(world.client, <Members channel="10" />));
    await rest(world);
    expect(text('members')).toBe('live: a');
    rerender(under(world.client, <Members channel="11" />));
    await rest(world, 1_000);
    expect(text('members')).toBe('live: z');
    expect(framesOf(world, 'unsubscribe').map(({ payload }) => payload)).toEqual([{ room: 'channel:10' }]);
  });

  it('shows deleted and denied rooms as such', async () => {
    const world = setup();
    world.hub.denied.add('channel:11');
    render(
      under(
        world.client,
        <>
          <Members channel="10" />
          <span>
            <Members channel="11" />
          </span>
        </>,
      ),
    );
    await rest(world);
    act(() => world.hub.publish('channel:10', 'room.deleted', { channelId: '10', guildId: '1' }));
    await rest(world);
    expect(screen.getAllByTestId('members').map((each) => each.textContent)).toEqual(['deleted: ', 'denied: ']);
  });

  it('does not render again for what it does not show', async () => {
    const world = setup();
    let renders = 0;
    function Counted() {
      renders += 1;
      useRoom('channel:10');
      return null;
    }
    render(under(world.client, <Counted />));
    await rest(world);
    const before = renders;
    world.hub.join('11', 'x');
    world.hub.last.send({ event: 'sys.ping' });
    world.environment.signal('visible');
    await rest(world);
    expect(renders).toBe(before);
    world.hub.join('10', 'x');
    await rest(world);
    expect(renders).toBe(before + 1);
  });
});

describe('useVoiceChannelEvents', () => {
  it('tells the newest listener of each event once', async () => {
    const world = setup();
    const seen: string[] = [];
    let rename = (_name: string): void => {};
    function Listener() {
      const [name, setName] = useState('first');
      rename = setName;
      useVoiceChannelEvents('10', (event) => {
        if (event.event === 'voice.joined') seen.push(`${name} ${event.payload.userId} ${event.seq}`);
      });
      return null;
    }
    render(<StrictMode>{under(world.client, <Listener />)}</StrictMode>);
    await rest(world);
    world.hub.join('10', 'a');
    await rest(world);
    act(() => rename('second'));
    world.hub.cut();
    world.hub.join('10', 'b');
    await rest(world, 1_000);
    expect(seen).toEqual(['first a 1', 'second b 2']);
    expect(framesOf(world, 'unsubscribe')).toHaveLength(0);
  });
});

describe('Strict Mode and unmounting', () => {
  it('opens one socket and one subscription, and drops it after the last unmount', async () => {
    const world = setup();
    const { unmount, rerender } = render(
      <StrictMode>
        {under(
          world.client,
          <>
            <Members channel="10" />
            <i>
              <Members channel="10" />
            </i>
            <Connection />
          </>,
        )}
      </StrictMode>,
    );
    await rest(world, 5_000);
    expect(world.hub.all).toHaveLength(1);
    expect(framesOf(world, 'subscribe')).toHaveLength(1);
    expect(framesOf(world, 'unsubscribe')).toHaveLength(0);
    expect(text('connection')).toBe('open');
    rerender(<StrictMode>{under(world.client, <Connection />)}</StrictMode>);
    await rest(world, 5_000);
    expect(framesOf(world, 'unsubscribe')).toHaveLength(1);
    unmount();
    await rest(world, 5_000);
    // Who made the client closes it.
    expect(world.client.state.status).toBe('open');
    world.client.close();
    expect(world.clock.pending).toBe(0);
    expect(world.environment.watchers).toBe(0);
  });

  it('keeps a room over a remount', async () => {
    const world = setup();
    const { rerender } = render(under(world.client, <Members key="1" channel="10" />));
    await rest(world);
    rerender(under(world.client, <Members key="2" channel="10" />));
    expect(text('members')).toBe('live: ');
    await rest(world, 5_000);
    expect(framesOf(world, 'subscribe')).toHaveLength(1);
  });
});

describe('useConnection', () => {
  it('offers reconnect when the tries are used up', async () => {
    const world = setup();
    world.hub.down = true;
    render(under(world.client, <Connection />));
    await rest(world, 300_000);
    expect(text('connection')).toBe('manual');
    world.hub.down = false;
    act(() => screen.getByTestId('connection').click());
    await rest(world);
    expect(text('connection')).toBe('open');
  });

  it('says what is missing without a provider', () => {
    const errors = vi.spyOn(console, 'error').mockImplementation(() => {});
    expect(() => render(<Connection />)).toThrow(/RealtimeProvider/);
    errors.mockRestore();
  });
});

describe('server rendering', () => {
  it('renders without connecting, and hydrates without a mismatch into the live state', async () => {
    const world = setup();
    world.hub.join('10', 'a');
    const app = under(
      world.client,
      <>
        <Members channel="10" />
        <Connection />
      </>,
    );
    const html = renderToString(app);
    await rest(world, 1_000);
    expect(html).toContain('loading');
    expect(html).toContain('idle');
    expect(world.hub.all).toHaveLength(0);

    // As when the client was already connected by the time that the page hydrates.
    world.client.room('channel:10');
    world.client.connect();
    await rest(world);
    const container = document.createElement('div');
    document.body.append(container);
    container.innerHTML = html;
    const mismatches: unknown[] = [];
    const root = await act(async () =>
      hydrateRoot(container, app, { onRecoverableError: (error) => mismatches.push(error) }),
    );
    await rest(world);
    expect(mismatches).toEqual([]);
    expect(container.textContent).toBe('live: aopen');
    act(() => root.unmount());
    container.remove();
  });
});
