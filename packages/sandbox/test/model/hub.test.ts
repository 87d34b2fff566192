/** Random runs of the whole gateway side against clients that keep the rules: no dispatch is lost or seen twice. */
import { EventEmitter } from 'node:events';
import { createVirtualClock } from '@guildkit/testkit';
import { GatewayDispatchEvents } from 'discord-api-types/v10';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { WebSocket } from 'ws';
import { GatewayHub } from '../../src/io/gateway-hub.js';
import { worldEvent } from '../../src/protocol/world/events.js';
import { TrafficLog } from '../../src/traffic.js';

/** Stands in for a `ws` socket: what is sent arrives at once, what is cut does not. */
class FakeSocket extends EventEmitter {
  readyState = 1;
  readonly bufferedAmount = 0;
  readonly received: { op: number; t: string | null; s: number | null; d: unknown }[] = [];

  send(text: string): void {
    this.received.push(JSON.parse(text));
  }

  close(code: number): void {
    this.end(code);
  }

  terminate(): void {
    this.end(1006);
  }

  private end(code: number): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    queueMicrotask(() => this.emit('close', code));
  }
}

const command = fc.oneof(
  { weight: 6, arbitrary: fc.constant('dispatch' as const) },
  { weight: 2, arbitrary: fc.constantFrom('drop' as const, 'cut' as const, 'op7' as const) },
  { weight: 4, arbitrary: fc.constant('connect' as const) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      'op9' as const,
      'op9resumable' as const,
      'lose' as const,
      'wait' as const,
      'takeOver' as const,
      'duplicate' as const,
      'reorder' as const,
      'delay' as const,
      'half' as const,
      'withhold' as const,
    ),
  },
);

test('a client that resumes has every dispatch of its session, in order, once', async () => {
  let resumed = 0;
  let refused = 0;
  let holes = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 5, maxLength: 60, size: 'max' }), async (commands) => {
      const clock = createVirtualClock();
      const traffic = new TrafficLog(() => clock.wallTime());
      let sessions = 0;
      /** What each session on the server was given. */
      const published = new Map<string, number[]>();
      let count = 0;
      const hub = new GatewayHub({
        clock,
        traffic,
        rules: {
          heartbeatIntervalMs: 10_000,
          heartbeatGraceMs: 5_000,
          sendLimit: Number.POSITIVE_INFINITY,
          sendWindowMs: 60_000,
          resumeWindowMs: 20_000,
          replayLimit: 8,
          requiredShards: 1,
        },
        grant: () => ({ botId: 'bot', privilegedIntents: 0, identify: 'allowed' }),
        onSessionStart({ id }) {
          published.set(id, []);
          return [];
        },
        follow: () => [],
        onExhausted() {},
        newSessionId: () => `session-${++sessions}`,
        welcome: (session) => [worldEvent(GatewayDispatchEvents.Ready, '', { session_id: session.id } as never)],
        request: () => [],
        onSessionEnd({ id }) {
          published.delete(id);
          return [];
        },
      });
      let socket: FakeSocket | undefined;
      let read = 0;
      let session: { id: string; seq: number; values: number[] } | undefined;
      let stuck = false;

      const say = (payload: unknown): void => {
        socket?.emit('message', Buffer.from(JSON.stringify(payload)), false);
      };
      /** The client's side: takes what came, with the rules of a careful client. */
      const listen = (): void => {
        for (let frame = socket?.received[read]; frame !== undefined; frame = socket?.received[read]) {
          read += 1;
          if (frame.op === 9 && frame.d === false) {
            session = undefined;
            say({ op: 2, d: { token: 'x', intents: 1, properties: {} } });
          }
          if (frame.op !== 0 || frame.s === null) continue;
          if (frame.t === 'READY') {
            session = { id: (frame.d as { session_id: string }).session_id, seq: 1, values: [] };
            continue;
          }
          if (session === undefined) continue;
          // A careful client drops what it has, and goes back for what it misses.
          if (frame.s <= session.seq) continue;
          if (frame.s > session.seq + 1) {
            holes += 1;
            socket?.terminate();
            return;
          }
          session.seq = frame.s;
          if (frame.t === 'CHANNEL_CREATE') session.values.push(frame.d as number);
        }
      };
      const connect = (): void => {
        stuck = false;
        socket = new FakeSocket();
        read = 0;
        hub.accept(socket as unknown as WebSocket, { version: 10, compression: 'none' });
        say(
          session === undefined
            ? { op: 2, d: { token: 'x', intents: 1, properties: {} } }
            : { op: 6, d: { token: 'x', session_id: session.id, seq: session.seq } },
        );
        listen();
      };

      const publish = (): void => {
        count += 1;
        for (const values of published.values()) values.push(count);
        hub.broadcast([worldEvent(GatewayDispatchEvents.ChannelCreate, '0', count as never)]);
      };

      for (const name of commands) {
        const isOpen = socket?.readyState === 1;
        if (name === 'connect' && !isOpen) connect();
        if (name === 'takeOver' && isOpen) connect();
        if (name === 'drop' && isOpen) socket?.terminate();
        if (name === 'cut') hub.fault({ type: 'cut', close: undefined });
        if (name === 'op7') hub.fault({ type: 'reconnect' });
        if (name === 'op9') hub.fault({ type: 'invalidate', resumable: false });
        if (name === 'op9resumable') hub.fault({ type: 'invalidate', resumable: true });
        if (name === 'wait') await clock.advance(8_000);
        // A lost dispatch is a hole: the careful client cuts and resumes from before it.
        if (name === 'lose' && isOpen && session !== undefined) {
          listen();
          hub.faultPorts({ type: 'drop', count: 1 });
          publish();
          hub.faultPorts({ type: 'none' });
          socket?.terminate();
        }
        if (name === 'duplicate') hub.faultPorts({ type: 'duplicate', count: 2 });
        if (name === 'reorder') hub.faultPorts({ type: 'reorder', count: 2 });
        if (name === 'half') hub.faultPorts({ type: 'half' });
        if (name === 'delay') hub.delay(hub.sessionCount % 2 === 0 ? 0 : 400);
        if (name === 'withhold' && !isOpen) {
          hub.withhold('READY', true);
          hub.withhold('RESUMED', true);
          connect();
          hub.withhold('READY', false);
          hub.withhold('RESUMED', false);
          stuck = true;
        }
        if (name === 'connect' && stuck && isOpen) {
          socket?.terminate();
          await Promise.resolve();
          connect();
        }
        if (name === 'dispatch') {
          listen();
          publish();
        }
        listen();
        await Promise.resolve();
      }
      hub.faultPorts({ type: 'none' });
      hub.delay(0);
      for (const what of ['READY', 'RESUMED'] as const) hub.withhold(what, false);
      await clock.advance(1_000);
      listen();
      // A client whose answer was withheld gives up; one that finds a hole goes back. Then all is well.
      for (let attempt = 0; attempt < 3 && (socket?.readyState !== 1 || stuck); attempt += 1) {
        socket?.terminate();
        await Promise.resolve();
        connect();
        listen();
      }
      // Either the session came through, complete, or the server said that it is gone.
      expect(session?.values).toEqual(published.get(session?.id ?? ''));
      expect(traffic.counters.internalErrors).toBe(0);
      resumed += traffic.counters.resumes - traffic.counters.resumesRefused;
      refused += traffic.counters.resumesRefused;
      hub.close();
      await Promise.resolve();
      await clock.advance(0);
      expect(clock.pending).toBe(0);
    }),
    { numRuns: 300, seed: 7 },
  );
  // The runs met both answers often enough to mean something.
  expect(resumed).toBeGreaterThan(300);
  expect(refused).toBeGreaterThan(10);
  expect(holes).toBeGreaterThan(10);
});
