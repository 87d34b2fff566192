/** Commands: each rule of the bus, the queue while the link is down, and the hub in front of it under load. */
import {
  type CommandAudit,
  CommandBus,
  CommandError,
  type CommandLink,
  createTokenBucket,
  defineCommand,
  type IncomingCommand,
} from '@guildkit/server-kit/commands';
import { createVirtualClock } from '@guildkit/testkit';
import { describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import * as mini from 'zod/mini';
import { startHub } from '../support/hub-server.js';

let ids = 0;
const from = (userId: string, name: string, input: unknown, requestId?: string): IncomingCommand => {
  ids += 1;
  return {
    principal: { userId, roles: ['chat:write'], expiresAt: Number.POSITIVE_INFINITY },
    name,
    input,
    requestId: requestId ?? `r${ids}`,
    sentAt: 1,
    traceId: 't',
  };
};
const say = defineCommand({
  input: z.object({ channelId: z.string(), text: z.string().max(5) }),
  roles: ['chat:write'],
  channel: ({ channelId }) => channelId,
  run: ({ text }, { principal }) => `${principal.userId}: ${text}`,
});
const ok = { channelId: '1', text: 'hi' };
const codeOf = (answer: { ok: boolean; error?: { code: string } }) => (answer.ok ? 'ok' : answer.error?.code);

/** A link that a test raises and cuts. */
function testLink() {
  const listeners = new Set<() => void>();
  const sent: string[] = [];
  const state = { up: false };
  const link: CommandLink = {
    isUp: () => state.up,
    onUp(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async send({ requestId, name }) {
      sent.push(requestId);
      return { name };
    },
  };
  return {
    link,
    sent,
    listeners,
    raise() {
      state.up = true;
      for (const listener of listeners) listener();
    },
    cut() {
      state.up = false;
    },
  };
}

describe('a command', () => {
  it('that fits is carried out, timed and written down', async () => {
    const clock = createVirtualClock();
    const entries: CommandAudit[] = [];
    const bus = new CommandBus({ commands: { say }, clock, audit: (entry) => entries.push(entry) });
    expect(await bus.handle(from('u', 'say', ok, 'r'))).toEqual({ ok: true, result: 'u: hi', latencyMs: 0 });
    const base = { name: 'say', userId: 'u', requestId: 'r', traceId: 't', sentAt: 1, latencyMs: 0 };
    expect(entries).toEqual([{ ...base, outcome: 'ok', status: 200, channelId: '1' }]);
    expect(bus.stats()).toEqual({ queued: 0, running: 0, outcomes: { ok: 1 }, repeated: 0 });
    expect(clock.pending).toBe(0);
  });

  it('is refused by the first rule it breaks, with its status, and nothing is done', async () => {
    const run = vi.fn();
    const bus = new CommandBus({
      commands: {
        secret: defineCommand({ input: mini.object({ n: mini.number() }), roles: ['admin'], run }),
        mine: defineCommand({ input: z.object({}), allow: (_, { principal }) => principal.userId === 'me', run }),
        lax: defineCommand({ input: z.object({}), allow: (() => 'yes') as never, run }),
      },
    });
    const cases: [IncomingCommand, number, string][] = [
      [from('u', 'nothing', {}), 404, 'ERR_COMMAND_UNKNOWN'],
      [from('u', 'toString', {}), 404, 'ERR_COMMAND_UNKNOWN'],
      [from('u', '__proto__', {}), 404, 'ERR_COMMAND_UNKNOWN'],
      [from('u', 'secret', { n: 'x' }), 400, 'ERR_COMMAND_INPUT_INVALID'],
      [from('u', 'secret', undefined), 400, 'ERR_COMMAND_INPUT_INVALID'],
      [from('u', 'secret', { n: 1 }), 403, 'ERR_COMMAND_FORBIDDEN'],
      [from('u', 'mine', {}), 403, 'ERR_COMMAND_FORBIDDEN'],
      [from('u', 'lax', {}), 403, 'ERR_COMMAND_FORBIDDEN'],
    ];
    for (const [command, status, code] of cases) {
      expect(await bus.handle(command)).toMatchObject({ ok: false, error: { status, code } });
    }
    expect(await bus.handle(from('u', 'secret', { n: 'x' }))).toMatchObject({
      error: { fields: [{ path: 'n', message: expect.any(String) }] },
    });
    expect(run).not.toHaveBeenCalled();
    expect((await bus.handle(from('me', 'mine', {}))).ok).toBe(true);
  });

  it('asks for the roles of now, not of the token', async () => {
    const roles = new Map([['u', ['chat:write']]]);
    const bus = new CommandBus({
      commands: { say },
      resolveUser: async ({ userId }) => {
        if (userId === 'x') throw new Error('database down');
        return { roles: roles.get(userId) ?? [] };
      },
    });
    expect(codeOf(await bus.handle(from('u', 'say', ok)))).toBe('ok');
    roles.set('u', []);
    expect(codeOf(await bus.handle(from('u', 'say', ok)))).toBe('ERR_COMMAND_FORBIDDEN');
    expect(await bus.handle(from('x', 'say', ok))).toMatchObject({
      error: { status: 502, code: 'ERR_COMMAND_FAILED' },
    });
  });

  it('sent again is answered again and done once, also while it is still being done; not when nothing was done', async () => {
    const clock = createVirtualClock();
    let runs = 0;
    let finish = (): void => {};
    let allowed = false;
    const bus = new CommandBus({
      clock,
      commands: {
        slow: defineCommand({
          input: z.object({}),
          allow: () => allowed,
          run: () => {
            runs += 1;
            return new Promise<number>((resolve) => {
              finish = () => resolve(runs);
            });
          },
        }),
        say,
      },
    });
    expect(codeOf(await bus.handle(from('u', 'slow', {}, 'a')))).toBe('ERR_COMMAND_FORBIDDEN');
    allowed = true;
    const first = bus.handle(from('u', 'slow', {}, 'a'));
    const again = bus.handle(from('u', 'slow', {}, 'a'));
    await vi.waitFor(() => expect(runs).toBe(1));
    finish();
    expect(await first).toMatchObject({ ok: true, result: 1 });
    expect(await again).toBe(await first);
    expect(await bus.handle(from('u', 'slow', {}, 'a'))).toBe(await first);
    expect(codeOf(await bus.handle(from('u', 'say', ok, 'a')))).toBe('ERR_COMMAND_ID_REUSED');
    // Another user's id is another id.
    expect(codeOf(await bus.handle(from('v', 'say', ok, 'a')))).toBe('ok');
    expect([runs, bus.stats().repeated]).toEqual([1, 2]);
    await clock.advance(300_001);
    void bus.handle(from('u', 'slow', {}, 'a'));
    await vi.waitFor(() => expect(runs).toBe(2));
    bus.close();
  });

  it('that fails is told without its cause, unless it chose its words', async () => {
    const thrown: Record<string, unknown> = {
      plain: new Error('secret'),
      notFound: Object.assign(new Error('secret'), { status: 404 }),
      server: Object.assign(new Error('secret'), { status: 500 }),
      limited: Object.assign(new Error('secret'), { status: 429, retryAfterMs: 700 }),
      words: new CommandError('ERR_COMMAND_REFUSED', { message: 'The room is full.', status: 409 }),
      nothing: undefined,
    };
    const bus = new CommandBus({
      userBucket: false,
      commands: {
        fail: defineCommand({
          input: z.object({ how: z.string() }),
          run: ({ how }) => {
            throw thrown[how];
          },
        }),
      },
    });
    const answer = (how: string) => bus.handle(from('u', 'fail', { how }));
    expect(await answer('plain')).toMatchObject({ error: { status: 502, code: 'ERR_COMMAND_FAILED' } });
    expect(await answer('notFound')).toMatchObject({ error: { status: 404, code: 'ERR_COMMAND_REFUSED' } });
    expect(await answer('server')).toMatchObject({ error: { status: 502, code: 'ERR_COMMAND_FAILED' } });
    expect(await answer('limited')).toMatchObject({
      error: { status: 429, code: 'ERR_COMMAND_RATE_LIMITED', retryAfterMs: 700 },
    });
    expect(await answer('words')).toMatchObject({ error: { status: 409, message: 'The room is full.' } });
    expect(await answer('nothing')).toMatchObject({ error: { status: 502 } });
    for (const how of Object.keys(thrown)) expect(JSON.stringify(await answer(how))).not.toContain('secret');
  });

  it('that takes too long is given up, and told so by its signal', async () => {
    const clock = createVirtualClock();
    const signals: AbortSignal[] = [];
    const hang = defineCommand({
      input: z.object({}),
      run: (_, { signal }) => {
        signals.push(signal);
        return new Promise(() => {});
      },
    });
    const bus = new CommandBus({ clock, commands: { hang } });
    const late = bus.handle(from('u', 'hang', {}));
    await vi.waitFor(() => expect(bus.stats().running).toBe(1));
    await clock.advance(10_000);
    expect(await late).toMatchObject({ error: { status: 502, code: 'ERR_COMMAND_TIMEOUT' } });
    expect(signals[0]?.aborted).toBe(true);
    const cut = bus.handle(from('u', 'hang', {}));
    await vi.waitFor(() => expect(bus.stats().running).toBe(1));
    void bus.close();
    await bus.close();
    expect(codeOf(await cut)).toBe('ERR_COMMAND_CLOSED');
    expect(codeOf(await bus.handle(from('u', 'hang', {})))).toBe('ERR_COMMAND_CLOSED');
    expect(clock.pending).toBe(0);
  });

  it('whose result JSON cannot hold gives none', async () => {
    const bus = new CommandBus({
      commands: {
        odd: defineCommand({ input: z.number(), run: (n) => [1n, undefined, () => 1, { a: undefined }][n] }),
      },
    });
    const results = [];
    for (let n = 0; n < 4; n += 1) results.push(await bus.handle(from('u', 'odd', n)));
    expect(results.map((answer) => answer.ok && answer.result)).toEqual([null, null, null, {}]);
  });
});

describe('token buckets', () => {
  it('let 10 through at once, then one a second, for each user and each channel', async () => {
    const clock = createVirtualClock();
    const bus = new CommandBus({ clock, commands: { say } });
    const send = async (userId: string, channelId: string) => bus.handle(from(userId, 'say', { channelId, text: 'x' }));
    for (let n = 0; n < 10; n += 1) expect(codeOf(await send('a', `${n}`))).toBe('ok');
    expect(await send('a', '99')).toMatchObject({
      error: { status: 429, code: 'ERR_COMMAND_RATE_LIMITED', retryAfterMs: 1_000 },
    });
    for (let n = 0; n < 10; n += 1) expect(codeOf(await send(`u${n}`, 'full'))).toBe('ok');
    // The channel's no costs the user nothing.
    for (let n = 0; n < 20; n += 1) expect(codeOf(await send('b', 'full'))).toBe('ERR_COMMAND_RATE_LIMITED');
    for (let n = 0; n < 10; n += 1) expect(codeOf(await send('b', `b${n}`))).toBe('ok');
    await clock.advance(1_000);
    expect([codeOf(await send('a', 'x')), codeOf(await send('a', 'x'))]).toEqual(['ok', 'ERR_COMMAND_RATE_LIMITED']);
  });

  it('do not count what was refused before, nor commands that say so', async () => {
    const free = defineCommand({ input: z.object({}), limited: false, run: () => 1 });
    const bus = new CommandBus({ commands: { say, free }, clock: createVirtualClock() });
    for (let n = 0; n < 30; n += 1) {
      await bus.handle(from('u', 'say', { channelId: '1', text: 'too long' }));
      await bus.handle(from('u', 'free', {}));
    }
    for (let n = 0; n < 10; n += 1) expect(codeOf(await bus.handle(from('u', 'say', ok)))).toBe('ok');
  });

  it('refuse exactly the surplus of 1,000 commands in a second', async () => {
    const clock = createVirtualClock();
    const lifted = new CommandBus({ clock, commands: { say }, userBucket: false, channelBucket: false });
    const limited = new CommandBus({ clock, commands: { say } });
    for (let n = 0; n < 1_000; n += 1) {
      // 20 users, each in a channel of their own, each 50 a second.
      const input = { channelId: `${n % 20}`, text: 'x' };
      for (const bus of [lifted, limited]) await bus.handle(from(`${n % 20}`, 'say', input));
      await clock.advance(1);
    }
    expect(lifted.stats().outcomes).toEqual({ ok: 1_000 });
    // 10 at once, and what came in within the 980 ms after a user's first: none is whole.
    expect(limited.stats().outcomes).toEqual({ ok: 200, ERR_COMMAND_RATE_LIMITED: 800 });
  });
});

describe('while the link is down', () => {
  const remote = defineCommand({ input: z.object({}) });
  const options = { userBucket: false, channelBucket: false, commands: { remote } } as const;

  it('commands wait, and go in order when it is back', async () => {
    const clock = createVirtualClock();
    const { link, sent, raise, cut } = testLink();
    const bus = new CommandBus({ ...options, clock, link });
    const answers = Array.from({ length: 5 }, (_, n) => bus.handle(from('u', 'remote', {}, `q${n}`)));
    await vi.waitFor(() => expect(bus.stats().queued).toBe(5));
    expect(sent).toEqual([]);
    await clock.advance(9_999);
    raise();
    for (const answer of await Promise.all(answers)) expect(answer).toMatchObject({ ok: true, latencyMs: 9_999 });
    expect(sent).toEqual(['q0', 'q1', 'q2', 'q3', 'q4']);
    expect(clock.pending).toBe(0);
    cut();
    void bus.handle(from('u', 'remote', {}));
    await vi.waitFor(() => expect(bus.stats().queued).toBe(1));
    await bus.close();
    expect(clock.pending).toBe(0);
  });

  it('one waits 10 s at most, then 502; one more than 1,000 is 503 at once; the same id may come again', async () => {
    const clock = createVirtualClock();
    const { link, raise, listeners } = testLink();
    const bus = new CommandBus({ ...options, clock, link });
    const answers = Array.from({ length: 1_000 }, (_, n) => bus.handle(from('u', 'remote', {}, `w${n}`)));
    await vi.waitFor(() => expect(bus.stats().queued).toBe(1_000));
    expect(await bus.handle(from('u', 'remote', {}, 'one more'))).toMatchObject({
      error: { status: 503, code: 'ERR_COMMAND_QUEUE_FULL', retryAfterMs: 1_000 },
    });
    await clock.advance(10_000);
    for (const answer of await Promise.all(answers)) {
      expect(answer).toMatchObject({ error: { status: 502, code: 'ERR_COMMAND_LINK_DOWN' } });
    }
    raise();
    expect(await bus.handle(from('u', 'remote', {}, 'w1'))).toMatchObject({ ok: true, result: { name: 'remote' } });
    bus.close();
    expect(listeners.size).toBe(0);
  });
});

it('refuses commands that nobody could carry out, and options that cannot be', () => {
  const remote = defineCommand({ input: z.object({}) });
  expect(() => new CommandBus({ commands: { remote } })).toThrow('"remote" has no run');
  expect(() => new CommandBus({ commands: { x: { run: () => 1 } as never } })).toThrow('no input schema');
  for (const bad of [{}, { commands: { say }, maxQueued: -1 }, { commands: { say }, extra: 1 }] as never[]) {
    expect(() => new CommandBus(bad)).toThrow(TypeError);
  }
});

it('behind a hub: 100 clients send through sockets and posts, and exactly the surplus is told 429', async () => {
  const clock = createVirtualClock();
  const channelBucket = createTokenBucket({ tokens: 1, perMs: 1_000, burst: 1_000, clock });
  const bus = new CommandBus({ clock, commands: { say }, channelBucket });
  await using app = await startHub({
    clock,
    heartbeatMs: 600_000,
    authenticate: ({ token }) =>
      token === undefined ? null : { userId: token, roles: ['chat:write'], expiresAt: Number.POSITIVE_INFINITY },
    onCommand: bus.handle,
    maxPendingCommands: 100,
  });
  const input = { channelId: '1', text: 'x' };
  const counts: Record<string, number> = {};
  const count = (outcome: unknown) => {
    counts[String(outcome)] = (counts[String(outcome)] ?? 0) + 1;
  };
  await Promise.all(
    Array.from({ length: 50 }, async (_, n) => {
      const client = await app.join(`ws-${n}`);
      for (let i = 0; i < 15; i += 1) {
        const { type, payload } = await client.request('command', { name: 'say', input });
        count(type === 'ack' ? 'ok' : payload.code);
      }
    }),
  );
  await Promise.all(
    Array.from({ length: 50 }, async (_, n) => {
      for (let i = 0; i < 15; i += 1) {
        const frame = { v: 1, type: 'command', id: `c${i}`, payload: { name: 'say', input } };
        const { status, body, headers } = await app.post(frame, { token: `post-${n}` });
        if (status === 429) expect(headers.get('retry-after')).toBe('1');
        count(status === 200 ? 'ok' : body.error.code);
      }
    }),
  );
  expect(counts).toEqual({ ok: 1_000, ERR_COMMAND_RATE_LIMITED: 500 });
});
