/** The page's own signals reach the client. */
import { RealtimeClient } from '@guildkit/realtime-client';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { pageEnvironment } from '../../src/io/environment.js';
import { memoryTransport, ScriptedHub } from '../support/scripted-hub.js';

afterEach(() => vi.restoreAllMocks());

describe('pageEnvironment', () => {
  it('tells of online, offline and being shown, until it is told to stop', () => {
    const signals: string[] = [];
    const stop = pageEnvironment.watch((signal) => signals.push(signal));
    window.dispatchEvent(new Event('offline'));
    window.dispatchEvent(new Event('online'));
    const visibility = vi.spyOn(document, 'hidden', 'get').mockReturnValue(true);
    document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
    visibility.mockReturnValue(false);
    document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
    expect(signals).toEqual(['offline', 'online', 'visible']);
    stop();
    window.dispatchEvent(new Event('online'));
    document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
    expect(signals).toHaveLength(3);
  });

  it('says at once that the page starts offline', () => {
    vi.spyOn(navigator, 'onLine', 'get').mockReturnValue(false);
    const signals: string[] = [];
    pageEnvironment.watch((signal) => signals.push(signal))();
    expect(signals).toEqual(['offline']);
  });

  it('is left with no listener after close()', async () => {
    const added = vi.spyOn(window, 'addEventListener');
    const removed = vi.spyOn(window, 'removeEventListener');
    const client = new RealtimeClient({
      url: '/api/ws',
      getToken: () => 'good',
      transport: memoryTransport(new ScriptedHub()),
    });
    client.connect();
    await vi.waitFor(() => expect(client.state.status).toBe('open'));
    expect(added.mock.calls.length).toBeGreaterThan(0);
    client.close();
    expect(removed.mock.calls.map(([name, listener]) => [name, listener])).toEqual(
      added.mock.calls.map(([name, listener]) => [name, listener]),
    );
  });
});

describe('the URL', () => {
  it('is resolved against the page, with the page’s security', () => {
    const urls: string[] = [];
    class FakeSocket {
      readonly readyState = 0;
      onmessage = null;
      onclose = null;
      onerror = null;
      constructor(url: string) {
        urls.push(url);
      }
      send(): void {}
      close(): void {}
    }
    for (const page of ['http://app.test:3000/rooms/1', 'https://app.test/rooms/1']) {
      vi.stubGlobal('location', { href: page });
      const client = new RealtimeClient({ url: '/api/ws', WebSocket: FakeSocket });
      client.connect();
      client.close();
    }
    vi.unstubAllGlobals();
    expect(urls).toEqual(['ws://app.test:3000/api/ws', 'wss://app.test/api/ws']);
  });
});
