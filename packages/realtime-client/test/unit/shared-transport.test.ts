/** Several tabs, one connection. */
import { createCommandQueue, RealtimeClient, sharedTransport } from '@guildkit/realtime-client';
import { createVirtualClock } from '@guildkit/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createTestEnvironment } from '../support/environment.js';
import { memoryTransport, ScriptedHub } from '../support/scripted-hub.js';
import { createTestBrowser, type TestPage } from '../support/tabs.js';

interface Tab {
  readonly client: RealtimeClient;
  readonly page: TestPage;
  readonly joined: string[];
  readonly states: { count: number };
  isGone: boolean;
}

function world() {
  const hub = new ScriptedHub();
  const clock = createVirtualClock();
  const browser = createTestBrowser();
  const settle = async (ms = 0): Promise<void> => {
    await clock.advance(ms);
    for (let turn = 0; turn < 20; turn += 1) await clock.advance(0);
  };
  async function openTab(options: { readonly token?: string; readonly connect?: boolean } = {}): Promise<Tab> {
    const { token = 'good', connect = true } = options;
    const page = browser.openPage();
    // A tab that was killed runs no more: what it would still do must not reach the hub.
    const real = memoryTransport(hub);
    const client = new RealtimeClient({
      transport: sharedTransport(
        {
          connect: (handlers, hint) => {
            if (gone.has(page)) return { send() {}, close() {} };
            const made = real.connect(handlers, hint);
            kills.set(page, () => made.close(1000));
            return made;
          },
        },
        { name: 'app:1', platform: page },
      ),
      commands: createCommandQueue({ clock }),
      getToken: () => token,
      environment: createTestEnvironment(),
      clock,
      random: () => 0.5,
    });
    const tab: Tab = { client, page, joined: [], states: { count: 0 }, isGone: false };
    const room = client.room('channel:10');
    room.on('voice.joined', ({ userId }) => tab.joined.push(userId));
    room.on('sys.snapshot', () => {
      tab.states.count += 1;
    });
    if (connect) client.connect();
    await settle();
    return tab;
  }
  const gone = new Set<TestPage>();
  const kills = new Map<TestPage, () => void>();
  /** The page is gone: so is its socket, if it held one. */
  async function kill(tab: Tab): Promise<void> {
    tab.isGone = true;
    tab.page.kill();
    gone.add(tab.page);
    kills.get(tab.page)?.();
    await settle(1_000);
  }
  return { hub, clock, openTab, settle, kill };
}

const members = ({ client }: Tab) => client.roomView('channel:10').members.map(({ userId }) => userId);

describe('sharedTransport', () => {
  it('brings all tabs to the room’s state over one connection', async () => {
    const { hub, openTab, settle } = world();
    hub.join('10', 'a');
    const tabs = [await openTab(), await openTab(), await openTab()];
    hub.join('10', 'b');
    await settle();
    expect(hub.connections.size).toBe(1);
    expect(hub.all).toHaveLength(1);
    expect(hub.last.received.filter(({ type }) => type === 'subscribe')).toHaveLength(1);
    for (const tab of tabs) {
      expect(tab.client.state.status).toBe('open');
      expect(members(tab)).toEqual(['a', 'b']);
      expect(tab.joined).toEqual(['b']);
    }
  });

  it('has each tab prove who it is', async () => {
    const { hub, openTab } = world();
    const fine = await openTab();
    const wrong = await openTab({ token: 'stolen' });
    expect(hub.all[0]?.received.filter(({ type }) => type === 'auth').length).toBeGreaterThan(1);
    expect(wrong.client.state.status).not.toBe('open');
    expect(members(fine)).toEqual([]);
  });

  it('carries the commands of each tab, and the answers to the one that asked', async () => {
    const { openTab, settle, hub } = world();
    const tabs = [await openTab(), await openTab()];
    hub.onCommand = ({ payload }) =>
      payload.input === 1
        ? { type: 'error', payload: { code: 'ERR_NO', message: '' } }
        : { payload: { result: payload.input, latencyMs: 0 } };
    const results = Promise.allSettled(tabs.map(({ client }, index) => client.command('say', index)));
    await settle();
    expect(await results).toMatchObject([{ value: 0 }, { reason: { detail: 'ERR_NO' } }]);
  });

  it('gives every tab what it missed while the connection was gone', async () => {
    const { hub, openTab, settle } = world();
    const tabs = [await openTab(), await openTab()];
    hub.join('10', 'a');
    await settle();
    hub.cut();
    hub.join('10', 'b');
    await settle(1_000);
    hub.join('10', 'c');
    await settle();
    for (const tab of tabs) {
      expect(tab.joined).toEqual(['a', 'b', 'c']);
      expect(tab.states.count).toBe(1);
    }
  });

  it.each(['close', 'kill'])('the next tab takes over when the first is gone (%s)', async (how) => {
    const { hub, openTab, settle, kill } = world();
    const [first, second, third] = [await openTab(), await openTab(), await openTab()];
    if (how === 'kill') await kill(first);
    else first.client.close();
    hub.join('10', 'a');
    await settle(2_000);
    expect(hub.connections.size).toBe(1);
    for (const tab of [second, third]) {
      expect(tab.client.state).toMatchObject({ status: 'open', attempt: 0 });
      expect(members(tab)).toEqual(['a']);
    }
    hub.join('10', 'b');
    await settle();
    expect(second.joined.at(-1)).toBe('b');
    expect(third.joined.at(-1)).toBe('b');
  });

  it('lets go of a room when no tab wants it, and of a tab that is gone without a word', async () => {
    const { hub, openTab, settle, kill } = world();
    const first = await openTab();
    const second = await openTab();
    second.client.room('guild:7');
    await settle();
    expect([...hub.last.subscriptions].sort()).toEqual(['channel:10', 'guild:7']);
    await kill(second);
    expect([...hub.last.subscriptions]).toEqual(['channel:10']);
    expect(members(first)).toEqual([]);
  });

  it('tells all of a room that is denied, and of access that is taken', async () => {
    const { hub, openTab, settle } = world();
    hub.denied.add('channel:66');
    const tabs = [await openTab(), await openTab()];
    for (const { client } of tabs) client.room('channel:66');
    await settle();
    hub.last.send({ event: 'sys.unsubscribed', payload: { room: 'channel:10', code: 'ERR_HUB_ROOM_FORBIDDEN' } });
    await settle();
    for (const { client } of tabs) {
      expect(client.roomView('channel:66').status).toBe('denied');
      expect(client.roomView('channel:10')).toMatchObject({ status: 'denied', reason: 'ERR_HUB_ROOM_FORBIDDEN' });
    }
  });

  it('gives the connection up for all when one tab finds it dead', async () => {
    const { hub, openTab, settle } = world();
    const tabs = [await openTab(), await openTab()];
    hub.mute = true;
    await settle(60_000);
    hub.mute = false;
    hub.join('10', 'a');
    await settle(60_000);
    for (const tab of tabs) expect(members(tab)).toEqual(['a']);
    expect(hub.connections.size).toBe(1);
  });

  it('leaves no timer, and no connection, behind', async () => {
    const { hub, clock, openTab, settle } = world();
    const tabs = [await openTab(), await openTab()];
    for (const { client } of tabs) client.close();
    await settle();
    expect(hub.connections.size).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it('makes a connection of its own where tabs cannot find each other', async () => {
    const hub = new ScriptedHub();
    const clock = createVirtualClock();
    const { navigator } = globalThis;
    Object.defineProperty(globalThis, 'navigator', { value: undefined, configurable: true });
    try {
      const client = new RealtimeClient({
        transport: sharedTransport(memoryTransport(hub), { name: 'x' }),
        getToken: () => 'good',
        clock,
      });
      client.connect();
      await clock.advance(1);
      expect(client.state.status).toBe('open');
      client.close();
    } finally {
      Object.defineProperty(globalThis, 'navigator', { value: navigator, configurable: true });
    }
  });

  it('stops for a transport that can never connect', async () => {
    const page = createTestBrowser().openPage();
    const clock = createVirtualClock();
    const client = new RealtimeClient({
      transport: sharedTransport(
        {
          connect() {
            throw new TypeError('bad address');
          },
        },
        { name: 'x', platform: page },
      ),
      clock,
      random: () => 0.5,
    });
    client.connect();
    await clock.advance(60_000);
    expect(client.state.status).not.toBe('open');
    client.close();
    expect(clock.pending).toBe(0);
  });
});

describe('tabs that come and go', () => {
  it('all end with the room’s state, and hear nothing twice', { timeout: 60_000 }, async () => {
    const act = fc.constantFrom(
      'open',
      'open',
      'close',
      'kill',
      'cut',
      'publish',
      'publish',
      'publish',
      'wait',
      'restart',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(act, fc.nat(5)), { minLength: 4, maxLength: 25 }), async (acts) => {
        const { hub, openTab, settle, kill } = world();
        const tabs: Tab[] = [await openTab()];
        let published = 0;
        for (const [what, which] of acts) {
          const alive = tabs.filter(({ isGone }) => !isGone);
          const tab = alive[which % Math.max(1, alive.length)];
          if (what === 'open' && alive.length < 4) tabs.push(await openTab());
          if (what === 'publish') hub.join('10', `${published++}`);
          if (what === 'cut') hub.cut(4503);
          if (what === 'restart') hub.restart();
          if (what === 'wait') await settle(which * 500);
          if (what === 'kill' && tab) await kill(tab);
          if (what === 'close' && tab) {
            tab.isGone = true;
            tab.client.close();
          }
        }
        await settle(90_000);
        hub.join('10', 'last');
        await settle(1_000);
        const { snapshot } = hub.room('channel:10');
        const expected = snapshot.kind === 'voice' ? snapshot.members.map(({ userId }) => userId) : [];
        const alive = tabs.filter(({ isGone }) => !isGone);
        for (const tab of alive) {
          if (tab.client.state.status === 'manual') continue;
          expect(members(tab)).toEqual(expected);
          expect(new Set(tab.joined).size).toBe(tab.joined.length);
          expect(tab.joined).toEqual([...tab.joined].sort((a, b) => Number(a) - Number(b) || (a === 'last' ? 1 : -1)));
        }
        expect(hub.connections.size).toBe(alive.length > 0 ? 1 : 0);
        for (const { client } of alive) client.close();
        await settle();
        expect(hub.connections.size).toBe(0);
      }),
      { numRuns: 150 },
    );
  });
});
