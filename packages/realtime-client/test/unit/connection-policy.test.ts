/** When the client tries again, when it stops, and what it says about it. */

import { closeActionOf } from '@guildkit/core/wire';
import { RealtimeError } from '@guildkit/realtime-client';
import { describe, expect, it, vi } from 'vitest';
import { setup } from '../support/setup.js';

const ROOM = 'channel:10';
const authsOf = (received: readonly { readonly type: string }[]) =>
  received.filter(({ type }) => type === 'auth').length;

describe('tries', () => {
  it('gives up after five failed tries and starts again on reconnect()', async () => {
    const { client, hub, clock, statuses } = setup();
    hub.down = true;
    client.connect();
    await clock.advance(300_000);
    expect(client.state).toMatchObject({ status: 'manual', attempt: 5, nextAttemptAt: undefined });
    expect(hub.all).toHaveLength(5);
    expect(RealtimeError.is(client.state.lastError)).toBe(true);
    expect(client.state.lastError?.code).toBe('ERR_REALTIME_CONNECTION_LOST');
    await clock.advance(600_000);
    expect(hub.all).toHaveLength(5);
    expect(clock.pending).toBe(0);
    hub.down = false;
    client.reconnect();
    await clock.advance(10);
    expect(client.state).toMatchObject({ status: 'open', attempt: 0, lastError: undefined });
    expect(statuses.filter((status) => status === 'manual')).toHaveLength(1);
  });

  it('waits longer each time, with full jitter, and says until when', async () => {
    const delays: number[] = [];
    for (const random of [0, 0.999]) {
      const { client, hub, clock } = setup({ random: () => random });
      hub.down = true;
      client.subscribeState(() => {
        const { status, nextAttemptAt } = client.state;
        if (status === 'waiting') delays.push((nextAttemptAt ?? Number.NaN) - clock.wallTime());
      });
      client.connect();
      await clock.advance(300_000);
    }
    expect(delays).toEqual([100, 100, 100, 100, 500, 999, 1_998, 3_996].map((delay) => expect.closeTo(delay, -1)));
  });

  it('takes the number of tries from the welcome, unless it was given', async () => {
    for (const [given, expected] of [
      [undefined, 2],
      [3, 3],
    ] as const) {
      const { client, hub, clock } = setup(
        { maxAttempts: given },
        { welcome: { retry: { maxAttempts: 2, baseMs: 10, capMs: 20 } } },
      );
      client.connect();
      await clock.advance(10_000);
      hub.down = true;
      hub.cut();
      const before = hub.all.length;
      await clock.advance(60_000);
      expect(client.state.status).toBe('manual');
      expect(hub.all.length - before).toBe(expected);
    }
  });

  it('counts a connection that does not last as a failed try', async () => {
    const { client, hub, clock } = setup({ maxAttempts: 3 });
    client.connect();
    for (let round = 1; round <= 3; round += 1) {
      await clock.advance(4_000);
      expect(client.state.status).toBe('open');
      hub.cut();
      await clock.advance(0);
      expect(client.state.attempt).toBe(round);
    }
    expect(client.state.status).toBe('manual');
  });

  it('forgets failed tries after five stable seconds', async () => {
    const { client, hub, clock } = setup();
    hub.down = true;
    client.connect();
    await clock.advance(50);
    hub.down = false;
    await clock.advance(2_000);
    expect(client.state).toMatchObject({ status: 'open', attempt: 1 });
    await clock.advance(5_000);
    expect(client.state.attempt).toBe(0);
  });

  it('does not count a drain, and comes back after the named time', async () => {
    const { client, hub, clock, settle } = setup({ maxAttempts: 1, random: () => 0 });
    client.connect();
    await settle();
    hub.last.send({ event: 'sys.drain', payload: { reconnectInMs: 2_000 } });
    await settle();
    hub.cut(4503);
    await clock.advance(2_050);
    expect(client.state).toMatchObject({ status: 'waiting', attempt: 0 });
    await clock.advance(100);
    expect(client.state.status).toBe('open');
  });

  it('stays away as long as the hub asks (4429)', async () => {
    const { client, hub, clock, settle } = setup({ random: () => 0 });
    client.connect();
    await settle();
    const payload = { code: 'ERR_HUB_FRAME_RATE', message: '', retryAfterMs: 7_000 };
    hub.last.send({ type: 'error', event: 'error', payload });
    await settle();
    hub.cut(4429);
    await clock.advance(7_000);
    expect(client.state.status).toBe('waiting');
    await clock.advance(200);
    expect(client.state.status).toBe('open');
    expect(client.stats().errors.ERR_REALTIME_SERVER_ERROR).toBe(1);
  });

  it.each([4400, 4403])('stops for good on %i', async (code) => {
    const { client, hub, clock, settle, environment } = setup();
    client.connect();
    await settle();
    hub.cut(code);
    await clock.advance(600_000);
    expect(client.state.status).toBe('closed');
    expect(client.state.lastError).toMatchObject({
      code: 'ERR_REALTIME_CONNECTION_REFUSED',
      closeCode: code,
      retryable: false,
    });
    expect(hub.all).toHaveLength(1);
    expect(clock.pending).toBe(0);
    expect(environment.watchers).toBe(0);
    client.reconnect();
    await settle();
    expect(client.state.status).toBe('open');
  });

  it.each(Array.from({ length: 20 }, (_, index) => 4_400 + index).concat(4_429, 4_503, 1_000, 1_001, 1_006, 1_012))(
    'does after %i what core’s table says',
    async (code) => {
      const { client, hub, settle, errors } = setup();
      client.connect();
      await settle();
      hub.cut(code);
      await settle();
      const { status, attempt } = client.state;
      const expected = {
        stop: ['closed', 0],
        refreshToken: ['open', 0],
        reconnect: ['waiting', 1],
        reconnectUncounted: ['waiting', 0],
      };
      expect([status, attempt]).toEqual(expected[closeActionOf(code)]);
      expect(errors).toMatchObject([{ closeCode: code }]);
    },
  );

  it('stops when the URL cannot be dialled', async () => {
    const transport = {
      connect: () => {
        throw new TypeError('Invalid URL');
      },
    };
    const { client, settle, clock } = setup({ transport });
    client.connect();
    await settle();
    expect(client.state.lastError).toMatchObject({ code: 'ERR_REALTIME_URL_INVALID', detail: 'Invalid URL' });
    expect(clock.pending).toBe(0);
  });
});

describe('tokens', () => {
  it('asks for a fresh token once when one is refused, at once and uncounted', async () => {
    const getToken = vi.fn(({ refused }: { refused: boolean }) => (refused ? 'good' : 'stale'));
    const { client, hub, clock } = setup({ getToken });
    client.connect();
    await clock.advance(50);
    expect(client.state).toMatchObject({ status: 'open', attempt: 0 });
    expect(getToken.mock.calls.map(([request]) => request.refused)).toEqual([false, true]);
    expect(hub.all).toHaveLength(2);
  });

  it('stops after the second refusal; reconnect() begins anew', async () => {
    let token = 'bad';
    const { client, hub, clock, errors } = setup({ getToken: () => token });
    client.connect();
    await clock.advance(600_000);
    expect(client.state.status).toBe('closed');
    expect(client.state.lastError?.code).toBe('ERR_REALTIME_AUTH_REFUSED');
    expect(hub.all).toHaveLength(2);
    expect(errors.map(({ code }) => code)).toEqual(['ERR_REALTIME_AUTH_REFUSED', 'ERR_REALTIME_AUTH_REFUSED']);
    token = 'good';
    client.reconnect();
    await clock.advance(50);
    expect(client.state.status).toBe('open');
  });

  it('refreshes the token when an open connection is closed with 4401', async () => {
    const getToken = vi.fn(() => 'good');
    const { client, hub, clock } = setup({ getToken });
    client.connect();
    await clock.advance(10_000);
    hub.cut(4401);
    await clock.advance(50);
    expect(client.state).toMatchObject({ status: 'open', attempt: 0 });
    expect(getToken).toHaveBeenLastCalledWith({ refused: true });
  });

  it('renews in band when the hub asks, and shrugs when that fails', async () => {
    let token = 'good';
    const { client, hub, settle, errors } = setup({ getToken: () => token });
    client.connect();
    await settle();
    hub.last.send({ event: 'sys.reauth', payload: { expiresAt: 1 } });
    await settle();
    expect(authsOf(hub.last.received)).toBe(2);
    expect(client.state.status).toBe('open');
    const { last } = hub;
    hub.answer = (to, { id }) =>
      to.send({ type: 'error', event: 'auth', re: id, payload: { code: 'ERR_HUB_AUTH_REFUSED', message: '' } });
    token = 'other';
    last.send({ event: 'sys.reauth', payload: { expiresAt: 1 } });
    await settle();
    expect(hub.last).toBe(last);
    expect(client.state.status).toBe('open');
    expect(errors.at(-1)?.code).toBe('ERR_REALTIME_AUTH_REFUSED');
  });

  it('calls getToken once at a time', async () => {
    const resolvers: ((token: string) => void)[] = [];
    const getToken = vi.fn(() => new Promise<string>((resolve) => resolvers.push(resolve)));
    const { client, hub, clock, settle } = setup({ getToken });
    client.connect();
    await settle();
    hub.cut();
    await clock.advance(1_000);
    hub.cut();
    await clock.advance(3_000);
    expect(hub.all.length).toBeGreaterThanOrEqual(3);
    expect(getToken).toHaveBeenCalledTimes(1);
    resolvers[0]?.('good');
    await settle();
    expect(client.state.status).toBe('open');
  });

  it('asks again when getToken hangs', async () => {
    let calls = 0;
    const getToken = () => {
      calls += 1;
      return calls === 1 ? new Promise<string>(() => {}) : 'good';
    };
    const { client, clock } = setup({ getToken });
    client.connect();
    await clock.advance(30_000);
    expect(client.state.status).toBe('open');
  });

  it.each([
    ['throws', () => Promise.reject(new Error('no network'))],
    ['gives nothing', () => ''],
    ['gives no string', () => 7 as unknown as string],
  ])('counts a failed try when getToken %s', async (_name, getToken) => {
    const { client, clock, errors } = setup({ getToken });
    client.connect();
    await clock.advance(300_000);
    expect(client.state.status).toBe('manual');
    expect(new Set(errors.map(({ code }) => code))).toEqual(new Set(['ERR_REALTIME_TOKEN_UNAVAILABLE']));
  });

  it('needs no token when the upgrade has authenticated', async () => {
    const { client, hub, settle } = setup(
      { getToken: () => Promise.reject(new Error('no')) },
      { welcome: { authTimeoutMs: 0 } },
    );
    client.connect();
    await settle();
    expect(client.state.status).toBe('open');
    expect(authsOf(hub.last.received)).toBe(0);
  });

  it('stops when the hub wants a token and there is none to be had', async () => {
    const { client, clock } = setup({ getToken: undefined });
    client.connect();
    await clock.advance(600_000);
    expect(client.state.status).toBe('closed');
    expect(client.state.lastError?.code).toBe('ERR_REALTIME_TOKEN_UNAVAILABLE');
  });

  it('shows no token anywhere', async () => {
    const secret = 'a-very-secret-token';
    const { client, hub, settle, errors } = setup({ getToken: () => secret }, { tokens: [secret] });
    client.connect();
    await settle();
    expect(client.state.status).toBe('open');
    hub.tokens = [];
    hub.cut(4401);
    await settle();
    const { inspect } = await import('node:util');
    const shown = inspect({ client, state: client.state, stats: client.stats(), errors }, { depth: 20 });
    expect(shown).toContain('ERR_REALTIME_AUTH_REFUSED');
    expect(shown).not.toContain(secret);
  });
});

describe('liveness', () => {
  it('reconnects when nothing comes for two heartbeats', async () => {
    const { client, hub, clock, settle, errors } = setup();
    client.connect();
    await settle();
    await clock.advance(29_999);
    expect(client.state.status).toBe('open');
    await clock.advance(2_000);
    expect(errors.map(({ code }) => code)).toEqual(['ERR_REALTIME_CONNECTION_SILENT']);
    expect(client.state.status).toBe('open');
    expect(hub.all).toHaveLength(2);
    expect(hub.all[0]?.closedBy?.code).toBe(4000);
  });

  it('stays connected as long as pings come, and answers with its positions', async () => {
    const { client, hub, clock, settle } = setup();
    client.room(ROOM);
    client.connect();
    await settle();
    hub.join('10', 'a');
    for (let beat = 0; beat < 20; beat += 1) {
      hub.last.send({ event: 'sys.ping' });
      await clock.advance(15_000);
    }
    expect(hub.all).toHaveLength(1);
    const pongs = hub.last.received.filter(({ type }) => type === 'pong');
    expect(pongs).toHaveLength(20);
    expect(pongs.at(-1)?.payload).toEqual({ seqs: { [ROOM]: 1 } });
  });

  it.each(['welcome', 'auth', 'subscribe'] as const)('does not wait for ever for the answer to %s', async (what) => {
    const { client, hub, clock, errors } = setup();
    client.room(ROOM);
    if (what === 'welcome') hub.silentWelcome = true;
    const answer = hub.answer.bind(hub);
    hub.answer = (to, frame) => (frame.type === what ? undefined : answer(to, frame));
    client.connect();
    await clock.advance(10_050);
    expect(errors.map(({ code }) => code)).toEqual(['ERR_REALTIME_CONNECTION_TIMEOUT']);
    hub.silentWelcome = false;
    hub.answer = answer;
    await clock.advance(1_000);
    expect(client.state.status).toBe('open');
  });

  it('checks a connection when the page is shown again, and leaves a dead one', async () => {
    const { client, hub, clock, environment, settle } = setup();
    const room = client.room(ROOM);
    client.connect();
    await settle();
    environment.signal('visible');
    await settle();
    expect(hub.last.received.filter(({ type }) => type === 'subscribe')).toHaveLength(2);
    expect(room.status).toBe('live');
    hub.mute = true;
    environment.signal('visible');
    await clock.advance(9_000);
    hub.mute = false;
    expect(hub.all).toHaveLength(1);
    await clock.advance(2_000);
    expect(hub.all).toHaveLength(2);
    expect(client.state.status).toBe('open');
  });

  it('checks first when a timer is late, as after sleep', async () => {
    const { client, hub, environment, clock, settle } = setup();
    client.room(ROOM);
    client.connect();
    await settle();
    // A clock on which time passes while no timer fires.
    const fire: (() => void)[] = [];
    const { now } = clock;
    let slept = 0;
    Object.assign(clock, { now: () => now() + slept, setTimer: (callback: () => void) => fire.push(callback) });
    environment.signal('visible');
    await settle();
    slept = 3_600_000;
    fire.at(-1)?.();
    await settle();
    expect(hub.all).toHaveLength(1);
    expect(hub.last.received.filter(({ type }) => type === 'subscribe')).toHaveLength(3);
    expect(client.state.status).toBe('open');
  });
});

describe('online and offline', () => {
  it('pauses while offline and tries at once when online', async () => {
    const { client, hub, clock, environment, settle } = setup();
    client.connect();
    await settle();
    environment.signal('offline');
    expect(client.state.status).toBe('open');
    hub.cut();
    await clock.advance(600_000);
    expect(client.state).toMatchObject({ status: 'waiting', attempt: 0, nextAttemptAt: undefined });
    expect(hub.all).toHaveLength(1);
    expect(clock.pending).toBe(0);
    environment.signal('online');
    await settle();
    expect(client.state.status).toBe('open');
  });

  it('stops a wait when the page goes offline', async () => {
    const { client, hub, clock, environment } = setup();
    hub.down = true;
    client.connect();
    await clock.advance(10);
    expect(client.state.nextAttemptAt).toBeDefined();
    environment.signal('offline');
    expect(client.state.nextAttemptAt).toBeUndefined();
    await clock.advance(60_000);
    expect(hub.all).toHaveLength(1);
  });

  it('believes the user more than the page', async () => {
    const { client, hub, clock, environment, settle } = setup();
    hub.down = true;
    client.connect();
    environment.signal('offline');
    await clock.advance(60_000);
    hub.down = false;
    client.reconnect();
    await settle();
    expect(client.state.status).toBe('open');
  });
});

describe('the state', () => {
  it('is the same object until something changes', async () => {
    const { client, hub, settle } = setup();
    client.room(ROOM);
    client.connect();
    await settle();
    const before = client.state;
    let calls = 0;
    client.subscribeState(() => {
      calls += 1;
    });
    hub.join('10', 'a');
    hub.last.send({ event: 'sys.ping' });
    await settle();
    expect(client.state).toBe(before);
    expect(calls).toBe(0);
    hub.last.send({ event: 'sys.degraded', payload: { degraded: true, reason: 'x' } });
    await settle();
    expect(client.state.degraded).toBe(true);
    expect(calls).toBe(1);
  });

  it('refuses options that are unknown or out of range', () => {
    const unknown = { maxAttempt: 3 } as object;
    expect(() => setup(unknown)).toThrow(new TypeError('RealtimeClient: bad option "maxAttempt"'));
    expect(() => setup({ toString: 3 } as object)).toThrow(TypeError);
    for (const bad of [{ maxAttempts: 0 }, { maxAttempts: Number.NaN }, { timeoutMs: -1 }]) {
      expect(() => setup(bad)).toThrow(new TypeError(`RealtimeClient: bad option "${Object.keys(bad)[0]}"`));
    }
    expect(() => setup({ maxAttempts: Number.POSITIVE_INFINITY, timeoutMs: undefined })).not.toThrow();
  });
});
