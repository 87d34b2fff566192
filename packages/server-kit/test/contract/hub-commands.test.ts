/** Commands through the hub: in a socket and posted, answered once, bounded, refused with the right status. */
import type { CommandAnswer, IncomingCommand } from '@guildkit/server-kit/hub';
import { createVirtualClock } from '@guildkit/testkit';
import { describe, expect, it, vi } from 'vitest';
import { principalOf, startHub } from '../support/hub-server.js';

const commandOf = (name: string, input: unknown = null, id = 'c1') => ({
  v: 1,
  type: 'command',
  id,
  payload: { name, input },
});
const done = (result: unknown): CommandAnswer => ({ ok: true, result, latencyMs: 3 });

describe('a command', () => {
  it('reaches onCommand with who, what and when, and its result comes back, in a socket and posted', async () => {
    const clock = createVirtualClock();
    const seen: IncomingCommand[] = [];
    await using app = await startHub({
      clock,
      onCommand: async (command) => {
        seen.push(command);
        return done({ name: command.name });
      },
    });
    const client = await app.join('user-1');
    const ack = await client.request('command', { name: 'say', input: { text: 'hi' } });
    expect(ack).toMatchObject({ type: 'ack', event: 'command', payload: { result: { name: 'say' }, latencyMs: 3 } });
    const posted = await app.post(commandOf('say', { text: 'ho' }, 'p1'));
    expect(posted.status).toBe(200);
    expect(posted.body).toMatchObject({
      v: 1,
      type: 'ack',
      event: 'command',
      re: 'p1',
      payload: { result: { name: 'say' } },
    });
    expect(seen).toMatchObject([
      { name: 'say', input: { text: 'hi' }, principal: { userId: 'user-1' }, sentAt: clock.wallTime() },
      { name: 'say', input: { text: 'ho' }, requestId: 'p1', connectionId: undefined },
    ]);
    expect(seen[0]?.connectionId).toBe((await client.event('sys.welcome')).payload.connectionId);
    expect(new Set(seen.map(({ traceId }) => traceId)).size).toBe(2);
  });

  it('that is refused says why, by status and in the frame', async () => {
    const error = {
      status: 400,
      code: 'ERR_COMMAND_INPUT_INVALID',
      message: 'The input does not fit.',
      fields: [{ path: 'text', message: 'too long' }],
      retryAfterMs: 1_500,
    };
    await using app = await startHub({ onCommand: async () => ({ ok: false, error }) });
    const { status, ...told } = error;
    const client = await app.join('user-1');
    expect((await client.request('command', { name: 'say', input: 0 })).payload).toEqual(told);
    const posted = await app.post(commandOf('say'));
    expect([posted.status, posted.headers.get('retry-after')]).toEqual([status, '2']);
    expect(posted.body.error).toMatchObject(told);
    expect(client.closed).toBeUndefined();
  });

  it('that throws is a failure of ours, whose cause stays here', async () => {
    const error = vi.fn();
    await using app = await startHub({
      logger: { debug: () => {}, info: () => {}, warn: () => {}, error },
      onCommand: async () => {
        throw new Error('secret');
      },
    });
    const client = await app.join('user-1');
    const told = await client.request('command', { name: 'x\n', input: 0 });
    expect(told.payload.code).toBe('ERR_HUB_COMMAND_FAILED');
    const posted = await app.post(commandOf('x'));
    expect(posted.status).toBe(502);
    expect(JSON.stringify([told, posted.body])).not.toContain('secret');
    expect(error).toHaveBeenCalledTimes(2);
    expect(app.hub.stats().errors.ERR_HUB_COMMAND_FAILED).toBe(2);
  });

  it('whose answer JSON cannot hold costs the command, not the connection', async () => {
    await using app = await startHub({ onCommand: async () => done(1n) });
    const client = await app.join('user-1');
    expect((await client.request('command', { name: 'x', input: 0 })).payload.code).toBe('ERR_HUB_COMMAND_FAILED');
    expect((await app.post(commandOf('x'))).status).toBe(502);
    expect(client.closed).toBeUndefined();
  });

  it('too many that wait are refused, and each is answered once, in whatever order', async () => {
    const answers = new Map<string, (answer: CommandAnswer) => void>();
    await using app = await startHub({
      maxPendingCommands: 2,
      onCommand: ({ requestId }) => new Promise((resolve) => answers.set(requestId, resolve)),
    });
    const client = await app.join('user-1');
    const [a, b] = ['a', 'b'].map((name) => client.send({ type: 'command', payload: { name, input: 0 } }));
    const third = await client.request('command', { name: 'c', input: 0 });
    expect(third.payload).toMatchObject({ code: 'ERR_HUB_COMMAND_LIMIT', retryAfterMs: 1_000 });
    const posts = ['p1', 'p2'].map((id) => app.post(commandOf('x', 0, id)));
    await vi.waitFor(() => expect(answers.size).toBe(4));
    expect((await app.post(commandOf('x', 0, 'p3'))).status).toBe(429);
    for (const id of [b, a, 'p1', 'p2']) answers.get(id as string)?.(done(id));
    for (const id of [a, b]) expect((await client.until((frame) => frame.re === id)).payload.result).toBe(id);
    expect((await Promise.all(posts)).map(({ status }) => status)).toEqual([200, 200]);
    expect(client.frames.filter((frame) => frame.event === 'command')).toHaveLength(2);
  });

  it('whose client went away meanwhile has no one to tell', async () => {
    let answer: ((value: CommandAnswer) => void) | undefined;
    await using app = await startHub({
      onCommand: () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
    });
    const client = await app.join('user-1');
    client.send({ type: 'command', payload: { name: 'x', input: 0 } });
    await vi.waitFor(() => expect(answer).toBeDefined());
    client.ws.terminate();
    await vi.waitFor(() => expect(app.hub.stats().connections).toBe(0));
    const before = app.hub.stats().framesOut;
    answer?.(done(1));
    await new Promise((resolve) => setImmediate(resolve));
    expect(app.hub.stats().framesOut).toBe(before);
  });

  it('is not taken while the hub drains', async () => {
    const clock = createVirtualClock();
    const onCommand = vi.fn(async () => done(1));
    await using app = await startHub({ clock, onCommand });
    const client = await app.join('user-1');
    const closed = app.hub.close({ drainMs: 1_000 });
    await client.event('sys.drain');
    expect((await client.request('command', { name: 'x', input: 0 })).payload.code).toBe('ERR_HUB_DRAINING');
    expect((await app.post(commandOf('x'))).status).toBe(503);
    expect(onCommand).not.toHaveBeenCalled();
    await clock.advance(1_000);
    await closed;
  });
});

describe('a post', () => {
  const CASES: Record<
    string,
    [body: string, init: { token?: string; headers?: Record<string, string> }, status: number, code: string]
  > = {
    'of no JSON': ['{"v":1,', {}, 400, 'ERR_HUB_FRAME_INVALID'],
    'of another frame': [
      JSON.stringify({ v: 1, type: 'subscribe', id: '1', payload: { room: 'guild:1' } }),
      {},
      400,
      'ERR_HUB_FRAME_INVALID',
    ],
    'of a form': [
      JSON.stringify(commandOf('x')),
      { headers: { 'content-type': 'text/plain' } },
      415,
      'ERR_HUB_REQUEST_INVALID',
    ],
    'of a compressed body': [
      JSON.stringify(commandOf('x')),
      { headers: { 'content-encoding': 'gzip' } },
      415,
      'ERR_HUB_REQUEST_INVALID',
    ],
    'of too much': ['x'.repeat(70_000), {}, 413, 'ERR_HUB_FRAME_TOO_LARGE'],
    'of nobody': [JSON.stringify(commandOf('x')), { token: 'nobody' }, 401, 'ERR_HUB_AUTH_REFUSED'],
    'of a foreign page': [
      JSON.stringify(commandOf('x')),
      { headers: { origin: 'https://evil.example' } },
      403,
      'ERR_HUB_ORIGIN_FORBIDDEN',
    ],
    'for the stream of nobody': [
      JSON.stringify({ v: 1, type: 'pong', id: 'p', payload: { connectionId: 'x', cursor: '' } }),
      {},
      404,
      'ERR_HUB_STREAM_UNKNOWN',
    ],
  };
  for (const [title, [body, init, status, code]] of Object.entries(CASES)) {
    it(`${title} is answered with ${status}, counted, and nothing is done`, async () => {
      const onCommand = vi.fn(async () => done(1));
      await using app = await startHub({ onCommand });
      const { body: told, status: given } = await app.post(body, init);
      expect([given, told.error.code]).toEqual([status, code]);
      expect(app.hub.stats().errors[code as 'ERR_HUB_FRAME_INVALID']).toBe(1);
      expect(onCommand).not.toHaveBeenCalled();
    });
  }

  it('for the stream of another user finds none', async () => {
    await using app = await startHub();
    const stream = app.stream('channel:1');
    const { connectionId } = (await stream.event('sys.welcome')).payload;
    const pong = { v: 1, type: 'pong', id: 'p', payload: { connectionId, cursor: '' } };
    expect((await app.post(pong, { token: 'user-2' })).status).toBe(404);
    expect((await app.post(pong)).status).toBe(204);
  });

  it('of a body of 10 MB without a length is cut off', async () => {
    await using app = await startHub();
    const chunk = new Uint8Array(1_000_000).fill(120);
    let left = 10;
    const body = new ReadableStream({
      pull(controller) {
        left -= 1;
        if (left < 0) controller.close();
        else controller.enqueue(chunk);
      },
    });
    const sent = fetch(`http://127.0.0.1:${app.port}/api/commands`, {
      method: 'POST',
      headers: { authorization: 'Bearer user-1', 'content-type': 'application/json' },
      body,
      duplex: 'half',
    } as RequestInit);
    // The answer may overtake the body, or the connection end under it.
    await sent.then(
      ({ status }) => expect(status).toBe(413),
      () => {},
    );
    await vi.waitFor(() => expect(app.hub.stats().errors.ERR_HUB_FRAME_TOO_LARGE).toBe(1));
  });

  it('too often is refused with 429 for that user alone, and nobody is kept for ever', async () => {
    const clock = createVirtualClock();
    await using app = await startHub({
      clock,
      maxFramesPerSecond: 1,
      maxSubscriptions: 1,
      onCommand: async () => done(1),
    });
    const statuses = [];
    for (let n = 0; n < 4; n += 1) statuses.push((await app.post(commandOf('x', 0, `c${n}`))).status);
    expect(statuses).toEqual([200, 200, 429, 429]);
    expect((await app.post(commandOf('x'), { token: 'user-2' })).status).toBe(200);
    await clock.advance(1_000);
    expect((await app.post(commandOf('x'))).status).toBe(200);
  });

  it('with an expired proof is refused', async () => {
    await using app = await startHub({
      authenticate: ({ token }) => {
        const principal = principalOf(token);
        return principal && { ...principal, expiresAt: 1 };
      },
    });
    const { status, body } = await app.post(commandOf('x'));
    expect([status, body.error.code]).toEqual([401, 'ERR_HUB_AUTH_EXPIRED']);
  });
});
