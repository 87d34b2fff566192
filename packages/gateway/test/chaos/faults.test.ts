/** Every fault, over real sockets, with what has to come of it. Nothing is lost while the session can be resumed. */
import { describe, expect, test, vi } from 'vitest';
import { CLOSE_CODES } from '../../src/protocol/close-codes.js';
import { type Arena, type ArenaOptions, allTold, arena } from '../support/chaos.js';
import { fastClock } from '../support/fast-clock.js';

interface FaultCase {
  readonly name: string;
  readonly options?: ArenaOptions;
  /** What goes wrong, from a connected client on. */
  fault(arena: Arena): void | Promise<void>;
  /** The first change of state that it leads to. */
  readonly change: string;
  /** Tries that were refused or failed before it worked again. */
  readonly refusals?: number;
  /** Codes of the errors that are told. */
  readonly errors?: readonly string[];
}

/** All of these end with the same session and every event. */
const RESUMED: readonly FaultCase[] = [
  {
    name: 'the connection is cut without farewell',
    fault: ({ sandbox }) => sandbox.faults.cut(),
    change: 'ready waiting socketClosed 1006',
  },
  {
    name: 'RECONNECT (op 7)',
    fault: ({ sandbox }) => sandbox.faults.reconnect(),
    change: 'ready waiting reconnectRequested',
  },
  {
    name: 'INVALID_SESSION (op 9), resumable',
    fault: ({ sandbox }) => sandbox.faults.invalidateSession({ resumable: true }),
    change: 'ready waiting sessionInvalid',
  },
  {
    name: 'half a frame, then the end',
    async fault({ sandbox, act }) {
      sandbox.faults.halfFrame();
      await act();
    },
    change: 'ready waiting socketClosed 1006',
  },
  {
    name: 'a zombie: beats are not answered any more',
    options: { heartbeatIntervalMs: 8_000 },
    async fault({ sandbox, lost }) {
      sandbox.faults.heartbeatAcks(false);
      await lost();
      sandbox.faults.heartbeatAcks(true);
    },
    change: 'ready waiting heartbeatTimeout',
  },
  {
    name: 'the server is down for 3 s',
    async fault({ sandbox, clock }) {
      sandbox.faults.down(undefined, { cut: true });
      clock.setTimer(() => sandbox.faults.up(), 3_000);
    },
    change: 'ready waiting socketClosed 1006',
    refusals: 5,
  },
  {
    name: 'the server is down for 60 s',
    async fault({ sandbox, clock }) {
      sandbox.faults.down(undefined, { cut: true });
      clock.setTimer(() => sandbox.faults.up(), 60_000);
    },
    change: 'ready waiting socketClosed 1006',
    refusals: 14,
  },
  {
    name: 'a storm of 503',
    fault({ sandbox }) {
      sandbox.faults.refuseUpgrades({ answer: 503, count: 4 });
      sandbox.faults.cut();
    },
    change: 'ready waiting socketClosed 1006',
    refusals: 4,
  },
  {
    name: 'connections are reset',
    fault({ sandbox }) {
      sandbox.faults.refuseUpgrades({ answer: 'reset', count: 3 });
      sandbox.faults.cut();
    },
    change: 'ready waiting socketClosed 1006',
    refusals: 3,
  },
  {
    name: 'an upgrade that nobody answers',
    fault({ sandbox }) {
      sandbox.faults.refuseUpgrades({ answer: 'silence', count: 1 });
      sandbox.faults.cut();
    },
    change: 'ready waiting socketClosed 1006',
    refusals: 1,
  },
  {
    name: '429 with Retry-After',
    fault({ sandbox }) {
      sandbox.faults.refuseUpgrades({ answer: 429, retryAfterSeconds: 5, count: 1 });
      sandbox.faults.cut();
    },
    change: 'ready waiting socketClosed 1006',
    refusals: 1,
  },
  {
    name: 'HELLO never comes',
    async fault({ sandbox, changes }) {
      sandbox.faults.withhold('HELLO');
      sandbox.faults.cut();
      await vi.waitFor(() => expect(changes).toContain('connecting waiting helloTimeout'), { timeout: 5_000 });
      sandbox.faults.release();
    },
    change: 'ready waiting socketClosed 1006',
  },
  {
    name: 'RESUME is never answered',
    async fault({ sandbox, changes }) {
      sandbox.faults.withhold('RESUMED');
      sandbox.faults.cut();
      await vi.waitFor(() => expect(changes).toContain('resuming waiting resumeTimeout'), { timeout: 5_000 });
      sandbox.faults.release();
    },
    change: 'ready waiting socketClosed 1006',
  },
  {
    name: 'dispatches get lost on the way',
    async fault({ sandbox, act }) {
      sandbox.faults.dropDispatches(2);
      for (let n = 0; n < 3; n += 1) await act();
    },
    change: 'ready waiting sequenceGap',
  },
  {
    name: 'dispatches come in another order',
    async fault({ sandbox, act }) {
      sandbox.faults.reorderDispatches(3);
      for (let n = 0; n < 3; n += 1) await act();
    },
    change: 'ready waiting sequenceGap',
  },
  ...(['zlib-stream', 'zstd-stream'] as const).flatMap((compression): FaultCase[] => [
    {
      name: `a spoilt message of ${compression}`,
      options: { compression },
      async fault({ sandbox, act }) {
        sandbox.faults.corruptCompression();
        await act();
      },
      change: 'ready waiting streamCorrupt',
      errors: ['ERR_GATEWAY_STREAM_CORRUPT'],
    },
    {
      name: `half a frame of ${compression}`,
      options: { compression },
      async fault({ sandbox, act }) {
        sandbox.faults.halfFrame();
        await act();
      },
      change: 'ready waiting socketClosed 1006',
    },
  ]),
];

describe.concurrent('the session goes on, and nothing is lost', () => {
  test.each(RESUMED)('$name', ({ fault, change, refusals = 0, errors = [], options = {} }) =>
    arena(async (stage) => {
      const { sandbox, client, act, next, changes } = stage;
      await client.connect();
      await act();
      const resumed = next('resumed');
      const before = changes.length;
      await fault(stage);
      await act();
      await resumed;
      await act();
      await act();
      await allTold(stage);
      expect(changes[before]).toBe(change);
      expect(sandbox.traffic.counters).toMatchObject({ identifies: 1, resumesRefused: 0 });
      expect(sandbox.traffic.counters.gatewayRefusals).toBeLessThanOrEqual(refusals);
      expect(stage.errors.map(({ code }) => code)).toEqual(errors);
      expect(client.health().state).toBe('ready');
    }, options),
  );
});

describe.concurrent('the connection is kept', () => {
  test('dispatches that come twice are told once', () =>
    arena(async (stage) => {
      const { sandbox, client, act } = stage;
      await client.connect();
      sandbox.faults.duplicateDispatches(4);
      for (let n = 0; n < 4; n += 1) await act();
      await allTold(stage);
      expect(client.health().shards[0]).toMatchObject({ duplicates: 4, reconnects: 0 });
    }));

  test('dispatches that come late come all the same', () =>
    arena(async (stage) => {
      const { sandbox, client, act } = stage;
      await client.connect();
      sandbox.faults.delay(30);
      for (let n = 0; n < 4; n += 1) await act();
      await allTold(stage);
      expect(client.health().shards[0]).toMatchObject({ reconnects: 0 });
    }));

  test('a beat that is asked for is answered', () =>
    arena(async (stage) => {
      const { sandbox, client, next } = stage;
      await client.connect();
      const answered = next('heartbeat');
      sandbox.faults.requestHeartbeat();
      await answered;
      expect(client.health().shards[0]).toMatchObject({ reconnects: 0 });
    }));

  test.each([
    ['forward, as after a sleep', 3_600_000],
    ['forward by less than an interval', 5_000],
  ])('the clock jumps %s', (_what, jumpMs) => {
    const fast = fastClock(40);
    let offset = 0;
    const clock = {
      ...fast,
      now: () => fast.now() + offset,
      get pending() {
        return fast.pending;
      },
    };
    return arena(
      async (stage) => {
        const { client, act, next } = stage;
        await client.connect();
        await next('heartbeat');
        offset += jumpMs;
        await act();
        await next('heartbeat');
        await next('heartbeat');
        await act();
        await allTold(stage);
        expect(client.health()).toMatchObject({ state: 'ready', shards: [{ reconnects: 0, degraded: false }] });
      },
      { clock, heartbeatIntervalMs: 8_000 },
    );
  });

  test('the date jumps back and forth', () => {
    const fast = fastClock(40);
    let offset = 0;
    const clock = {
      ...fast,
      wallTime: () => fast.wallTime() + offset,
      get pending() {
        return fast.pending;
      },
    };
    return arena(
      async (stage) => {
        const { client, act, next } = stage;
        await client.connect();
        for (const jump of [-86_400_000, 86_400_000 * 365, 0]) {
          offset = jump;
          await act();
          await next('heartbeat');
        }
        await allTold(stage);
        expect(client.health().shards[0]).toMatchObject({ reconnects: 0 });
      },
      { clock, heartbeatIntervalMs: 8_000 },
    );
  });
});

describe.concurrent('a new session begins, and says what happened meanwhile', () => {
  const cases: readonly [string, (stage: Arena) => void][] = [
    ['INVALID_SESSION (op 9), not resumable', ({ sandbox }) => sandbox.faults.invalidateSession({ resumable: false })],
    ['the server has forgotten the session', ({ sandbox }) => sandbox.faults.loseSessions()],
  ];
  test.each(cases)('%s', (_name, fault) =>
    arena(async (stage) => {
      const { sandbox, client, act, events, told } = stage;
      await client.connect();
      await act();
      await vi.waitFor(() => expect(told()).toHaveLength(1));
      // Two snapshots: of the first session and of the one after the fault.
      fault(stage);
      await act();
      await vi.waitFor(() => expect(events.filter(({ event }) => event === 'voice.snapshot')).toHaveLength(2), {
        timeout: 10_000,
      });
      await act();
      await act();
      await allTold(stage);
      expect(sandbox.traffic.counters.identifies).toBe(2);
    }),
  );

  test('READY never comes: another try follows', () =>
    arena(async (stage) => {
      const { sandbox, client, changes, act } = stage;
      sandbox.faults.withhold('READY');
      const connected = client.connect();
      await vi.waitFor(() => expect(changes).toContain('identifying waiting readyTimeout'), { timeout: 5_000 });
      sandbox.faults.release();
      await connected;
      await act();
      await allTold(stage);
    }));
});

describe.concurrent('each close code does what the table says', () => {
  const codes = Object.entries(CLOSE_CODES).map(([code, { name, next }]) => ({ code: Number(code), name, next }));
  const others = [1011, 1012, 3000, 4006, 4015, 4999].map((code) => ({
    code,
    name: 'not in the table',
    next: 'resume',
  }));

  test.each([...codes, ...others])('$code $name: $next', ({ code, next: after }) =>
    arena(async (stage) => {
      const { sandbox, client, act, next, errors } = stage;
      await client.connect();
      await act();
      await vi.waitFor(() => expect(stage.told()).toHaveLength(1));
      if (after === 'stop') {
        const closed = next('closed');
        sandbox.faults.closeWith(code);
        expect(await closed).toMatchObject({ reason: 'fatal', error: { status: code, retryable: false } });
        expect(errors).toHaveLength(1);
        expect(sandbox.traffic.counters).toMatchObject({ identifies: 1, gatewayConnections: 1 });
        return;
      }
      const back = next(after === 'resume' ? 'resumed' : 'ready');
      sandbox.faults.closeWith(code);
      await act();
      await back;
      await act();
      await allTold(stage);
      expect(sandbox.traffic.counters.identifies).toBe(after === 'resume' ? 1 : 2);
      expect(errors).toEqual([]);
    }),
  );
});
