/** Both ends of the link over real sockets: order, outages, commands, and what nobody may do to it. */
import { createServer, request as httpRequest, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { inspect } from 'node:util';
import { type DomainEvent, GuildkitError } from '@guildkit/core';
import {
  LinkClient,
  type LinkClientOptions,
  LinkError,
  LinkServer,
  type LinkServerOptions,
} from '@guildkit/server-kit/link';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { joined, message, snapshot } from '../support/discord-events.js';
import { keepingLogger } from '../support/log-lines.js';

const TOKEN = 'a link token of many letters';
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function service(options: Partial<LinkServerOptions> = {}, port = 0) {
  const logger = keepingLogger();
  const link = new LinkServer({ tokens: TOKEN, logger, onCommand: ({ name, input }) => ({ name, input }), ...options });
  const server = createServer((_, response) => response.writeHead(404).end());
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  link.attach(server, { path: '/link' });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const stop = async (): Promise<void> => {
    await link.close();
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  cleanups.push(() => (server.listening ? stop() : undefined));
  return {
    link,
    logger,
    server,
    stop,
    port: (server.address() as AddressInfo).port,
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}

function app(port: number, options: Partial<LinkClientOptions> = {}) {
  const logger = keepingLogger();
  const events: DomainEvent[] = [];
  const client = new LinkClient({
    url: `ws://127.0.0.1:${port}/link`,
    token: TOKEN,
    logger,
    backoffBaseMs: 5,
    backoffCapMs: 20,
    onEvent: (event) => {
      events.push(event);
    },
    ...options,
  });
  cleanups.push(() => client.close());
  client.start();
  return {
    client,
    events,
    logger,
    opened: () => vi.waitFor(() => expect(client.isOpen).toBe(true), { timeout: 10_000 }),
  };
}

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'ok',
    (error: unknown) => (LinkError.is(error) ? error.code : String(error)),
  );

describe('events', () => {
  it('arrive in order and once, over cuts at random moments', async () => {
    const { link, port, cut } = await service();
    const { events, opened, client } = app(port);
    await opened();
    const sent: DomainEvent[] = [];
    for (let n = 0; n < 1_500; n += 1) {
      const event = message(String(n), '10');
      sent.push(event);
      link.publish(event);
      if (n % 100 === 37) cut();
      if (n % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
      if (n % 300 === 0) await vi.waitFor(() => expect(client.isOpen).toBe(true), { timeout: 10_000 });
    }
    await vi.waitFor(() => expect(events.length).toBeGreaterThanOrEqual(sent.length), { timeout: 20_000 });
    expect(events.map(({ id }) => id)).toEqual(sent.map(({ id }) => id));
    expect(link.stats().resumed).toBeGreaterThan(1);
    expect(client.stats().errors.ERR_LINK_EVENTS_MISSED).toBeUndefined();
  });

  it('a snapshot stands for what was not kept, and for what came before the first connection', async () => {
    const { link, port, cut } = await service({ maxEvents: 5 });
    link.publish(snapshot([['7', '10']]));
    link.publish(joined('8', '11'));
    const { events, opened, client } = app(port, { backoffBaseMs: 200, backoffCapMs: 200 });
    await opened();
    const members = (event: DomainEvent | undefined) =>
      event?.event === 'voice.snapshot' ? event.payload.members.map(({ userId }) => userId) : event?.event;
    await vi.waitFor(() => expect(members(events[0])).toEqual(['7', '8']));
    cut();
    await vi.waitFor(() => expect(client.isOpen).toBe(false));
    for (let n = 0; n < 20; n += 1) link.publish(joined(String(100 + n), '10'));
    await opened();
    await vi.waitFor(() => expect(events).toHaveLength(2));
    expect(members(events[1])).toHaveLength(22);
    expect(client.stats().errors.ERR_LINK_EVENTS_MISSED).toBe(1);
    link.publish(joined('9', '10'));
    await vi.waitFor(() => expect(events).toHaveLength(3));
  });

  it('a snapshot is asked for when the app could not take an event in', async () => {
    const { link, port } = await service();
    link.publish(snapshot([]));
    const taken: string[] = [];
    const { opened } = app(port, {
      onEvent: async (event) => {
        taken.push(event.event);
        return taken.length === 2 ? 'failed' : 'published';
      },
    });
    await opened();
    link.publish(joined('7', '10'));
    await vi.waitFor(() => expect(taken).toEqual(['voice.snapshot', 'voice.joined', 'voice.snapshot']), {
      timeout: 5_000,
    });
  });

  it('a restarted service is a new epoch: the app gets its snapshot', async () => {
    const first = await service();
    first.link.publish(snapshot([['7', '10']]));
    const { events, opened } = app(first.port);
    await opened();
    await first.stop();
    const second = await service({}, first.port);
    second.link.publish(snapshot([['8', '10']]));
    await vi.waitFor(() => expect(events.length).toBeGreaterThanOrEqual(2), { timeout: 10_000 });
    expect(events.at(-1)?.payload).toMatchObject({ members: [{ userId: '8' }] });
  });

  it('every app of several hears everything', async () => {
    const { link, port } = await service();
    const apps = [app(port), app(port)];
    await Promise.all(apps.map(({ opened }) => opened()));
    const event = joined('7', '10');
    link.publish(event);
    for (const { events } of apps) await vi.waitFor(() => expect(events).toEqual([event]));
    expect(link.stats().peers).toBe(2);
  });
});

describe('commands', () => {
  it('are answered, each with its own result', async () => {
    const seen: unknown[] = [];
    const { port } = await service({
      onCommand: async (command) => {
        seen.push(command);
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 5));
        return command.input;
      },
    });
    const { client, opened } = app(port);
    await opened();
    const results = await Promise.all(
      Array.from({ length: 100 }, (_, n) => client.command('echo', n, { traceId: `trace ${n}`, actor: '42' })),
    );
    expect(results).toEqual(Array.from({ length: 100 }, (_, n) => n));
    expect(seen[5]).toMatchObject({
      name: 'echo',
      input: 5,
      traceId: 'trace 5',
      actor: '42',
      sentAt: expect.any(Number),
    });
  });

  it('are carried out exactly once and answered, over cuts at random moments', async () => {
    const runs = new Map<string, number>();
    const { port, cut, link } = await service({
      onCommand: async ({ requestId, input }) => {
        runs.set(requestId, (runs.get(requestId) ?? 0) + 1);
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 8));
        return input;
      },
    });
    const { client } = app(port, { commandTimeoutMs: 20_000 });
    const work: Promise<unknown>[] = [];
    for (let n = 0; n < 300; n += 1) {
      work.push(client.command('echo', n, { requestId: `r${n}` }));
      if (n % 20 === 7) cut();
      if (n % 5 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect(await Promise.all(work)).toEqual(Array.from({ length: 300 }, (_, n) => n));
    expect([...runs.values()].every((times) => times === 1)).toBe(true);
    expect(runs.size).toBe(300);
    expect(link.stats().repeated).toBeGreaterThan(0);
  });

  it('the same id is one command, also later', async () => {
    let runs = 0;
    const { port } = await service({ onCommand: () => ++runs });
    const { client, opened } = app(port);
    await opened();
    const twice = await Promise.all([
      client.command('a', 1, { requestId: 'same' }),
      client.command('a', 1, { requestId: 'same' }),
    ]);
    expect([...twice, await client.command('a', 1, { requestId: 'same' }), runs]).toEqual([1, 1, 1, 1]);
  });

  it('fail with what the app can answer: 429, 502, 503, and nothing of the inside', async () => {
    const limited = Object.assign(
      new GuildkitError('RateLimitError', 'bucket 10.1.2.3', { code: 'ERR_REST_RATE_LIMIT_EXCEEDED' }),
      { retryAfterMs: 1_500 },
    );
    const failures: Record<string, unknown> = {
      limited,
      broken: new Error('at 10.1.2.3'),
      known: Object.assign(new GuildkitError('X', '10.1.2.3', { code: 'ERR_REST_REQUEST_REFUSED' }), { status: 404 }),
      strange: { a: 1n },
    };
    const { port, logger } = await service({
      maxResults: 6,
      onCommand: ({ name }) => {
        if (name === 'unwritable') return 1n;
        if (name === 'slow') return new Promise(() => {});
        throw failures[name];
      },
    });
    const { client, opened } = app(port, { maxCommands: 3, commandTimeoutMs: 300 });
    const notices: unknown[] = [];
    client.on('rateLimited', ({ retryAfterMs }) => notices.push(retryAfterMs));
    client.on('error', ({ error }) => notices.push(error.remoteCode));
    await opened();
    const failureOf = (name: string) =>
      client.command(name, {}).catch((error: LinkError) => error) as Promise<LinkError>;
    expect(await failureOf('limited')).toMatchObject({ code: 'ERR_LINK_COMMAND_RATE_LIMITED', retryAfterMs: 1_500 });
    expect(await failureOf('broken')).toMatchObject({
      code: 'ERR_LINK_COMMAND_FAILED',
      remoteCode: 'ERR_LINK_COMMAND_FAILED',
    });
    expect(await failureOf('known')).toMatchObject({ remoteCode: 'ERR_REST_REQUEST_REFUSED', status: 404 });
    expect(await failureOf('strange')).toMatchObject({ code: 'ERR_LINK_COMMAND_FAILED' });
    expect(await failureOf('unwritable')).toMatchObject({ code: 'ERR_LINK_COMMAND_FAILED' });
    expect(inspect(await failureOf('broken'))).not.toContain('10.1.2.3');
    expect(notices).toEqual([
      1_500,
      'ERR_LINK_COMMAND_FAILED',
      'ERR_REST_REQUEST_REFUSED',
      'ERR_LINK_COMMAND_FAILED',
      'ERR_LINK_COMMAND_FAILED',
      'ERR_LINK_COMMAND_FAILED',
    ]);
    expect(logger.of('warn').some(({ fields }) => String(fields.reason).includes('10.1.2.3'))).toBe(true);
    // Six are remembered: a seventh could not be, and is not carried out.
    expect(await failureOf('slow')).toMatchObject({ code: 'ERR_LINK_SATURATED' });
  });

  it('wait for the link, in bounds of number and time', async () => {
    const { port, stop } = await service();
    await stop();
    const { client } = app(port, { maxCommands: 2, commandTimeoutMs: 100 });
    const codes = await Promise.all([1, 2, 3].map((n) => codeOf(client.command('a', n))));
    expect(codes).toEqual(['ERR_LINK_COMMAND_EXPIRED', 'ERR_LINK_COMMAND_EXPIRED', 'ERR_LINK_QUEUE_FULL']);
    const late = client.command('a', 1);
    await service({}, port);
    const other = app(port, { commandTimeoutMs: 10_000 });
    expect(await other.client.command('a', 1)).toEqual({ name: 'a', input: 1 });
    expect(['ok', 'ERR_LINK_COMMAND_EXPIRED']).toContain(await codeOf(late));
  });

  it('unanswered ones say that they may have been carried out; cancelled and closed ones end', async () => {
    const { port } = await service({ onCommand: () => new Promise(() => {}) });
    const { client, opened } = app(port, { commandTimeoutMs: 100 });
    await opened();
    expect(await codeOf(client.command('a', 1))).toBe('ERR_LINK_COMMAND_UNANSWERED');
    const controller = new AbortController();
    const cancelled = client.command('a', 2, { signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(cancelled).rejects.toThrow('enough');
    await expect(client.command('a', 2, { signal: controller.signal })).rejects.toThrow('enough');
    const open = codeOf(client.command('a', 3));
    await client.close();
    expect(await open).toBe('ERR_LINK_CLOSED');
    expect(await codeOf(client.command('a', 4))).toBe('ERR_LINK_CLOSED');
    expect(client.stats().pending).toBe(0);
  });
});

describe('attacks and accidents', () => {
  it('a wrong token is refused with 401, counted and logged on both sides, and read again', async () => {
    const { port, link, logger } = await service({ tokens: `${TOKEN},another token of many letters` });
    const tokens = ['wrong', '', 'another token of many letters'];
    const { opened, client, logger: appLogger } = app(port, { token: async () => tokens.shift() ?? TOKEN });
    await opened();
    expect(tokens).toEqual([]);
    expect(link.stats().unauthorized).toBe(2);
    expect(client.stats().errors.ERR_LINK_TOKEN_REFUSED).toBe(2);
    expect(appLogger.of('warn').map(({ fields }) => fields.code)).toEqual([
      'ERR_LINK_TOKEN_REFUSED',
      'ERR_LINK_TOKEN_REFUSED',
    ]);
    expect(logger.of('warn')).toHaveLength(2);
    const text =
      JSON.stringify([logger.lines, appLogger.lines]) + inspect(client, { depth: 9 }) + inspect(link, { depth: 9 });
    expect(text).not.toContain('another token');
    const plain = await new Promise<number | undefined>((resolve, reject) => {
      const upgrade = httpRequest({
        port,
        path: '/link',
        headers: {
          connection: 'upgrade',
          upgrade: 'websocket',
          'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
          'sec-websocket-version': '13',
        },
      });
      upgrade
        .on('response', (response) => resolve(response.statusCode))
        .on('error', reject)
        .end();
    });
    expect(plain).toBe(401);
  });

  const dial = async (port: number): Promise<WebSocket> => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/link`, { headers: { authorization: `Bearer ${TOKEN}` } });
    cleanups.push(() => socket.terminate());
    await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject));
    return socket;
  };
  const closeOf = (socket: WebSocket): Promise<number> => new Promise((resolve) => socket.on('close', resolve));

  it('malformed frames are answered, counted, and do no harm', async () => {
    const { port, link } = await service();
    const socket = await dial(port);
    const answers: { type: string; code?: string }[] = [];
    socket.on('message', (data) => answers.push(JSON.parse(data.toString())));
    socket.send('{"v":1,"type":"resume","pending":[]}');
    const bad = [
      '',
      '{',
      'null',
      '[]',
      '{"v":2,"type":"ping","seq":1}',
      '{"v":1,"type":"command"}',
      '{"v":1,"type":"__proto__"}',
      '{"v":1,"type":"ping","seq":-1}',
      'x'.repeat(100_000),
    ];
    for (const text of bad) socket.send(text);
    socket.send(Buffer.from([1, 2, 3]));
    socket.send('{"v":1,"type":"ping","seq":0}');
    await vi.waitFor(() => expect(answers.at(-1)?.type).toBe('pong'));
    expect(answers.filter(({ code }) => code === 'ERR_LINK_FRAME_MALFORMED')).toHaveLength(bad.length + 1);
    expect(link.stats().errors.ERR_LINK_FRAME_MALFORMED).toBe(bad.length + 1);
  });

  it('who does not greet, sends too much, or commands before greeting is closed', async () => {
    const { port, link } = await service({ maxFrameBytes: 2_000 });
    const early = await dial(port);
    early.send('{"v":1,"type":"command","requestId":"a","traceId":"t","sentAt":1,"name":"n","input":1}');
    expect(await closeOf(early)).toBe(4400);
    const large = await dial(port);
    large.send('x'.repeat(3_000));
    expect(await closeOf(large)).toBe(1009);
    expect(link.stats()).toMatchObject({ commands: 0, peers: 0 });
  });

  it('an app that does not read is closed, and the others do not wait', async () => {
    const { port, link } = await service({ maxBufferedBytes: 200_000 });
    const slow = await dial(port);
    slow.send('{"v":1,"type":"resume","pending":[]}');
    await vi.waitFor(() => expect(link.stats().peers).toBe(1));
    slow.pause();
    const { events, opened } = app(port);
    await opened();
    const large = { ...message('1', '10'), payload: { ...message('1', '10').payload, content: 'x'.repeat(400_000) } };
    let sent = 0;
    while (link.stats().errors.ERR_LINK_CONNECTION_SLOW === undefined && sent < 2_000) {
      link.publish({ ...large, id: `event ${sent}` });
      sent += 1;
      await vi.waitFor(() => expect(events.length).toBe(sent), { interval: 1 });
    }
    expect(link.stats().errors.ERR_LINK_CONNECTION_SLOW).toBe(1);
    expect(link.stats().peers).toBe(1);
  });

  it('a silent service is noticed, and malformed frames of it are told', async () => {
    const server: Server = createServer();
    const { WebSocketServer } = await import('ws');
    const sockets = new WebSocketServer({ server });
    let greetings = 0;
    sockets.on('connection', (socket) => {
      socket.on('message', (data) => {
        if (!data.toString().includes('"resume"')) return;
        greetings += 1;
        socket.send('not a frame');
        socket.send('{"v":1,"type":"event","seq":"x"}');
        socket.send(
          JSON.stringify({ v: 1, type: 'resume', epoch: 'e', seq: 0, recovered: false, known: [], snapshot: [] }),
        );
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => {
      for (const socket of sockets.clients) socket.terminate();
      server.close();
    });
    const errors: string[] = [];
    const { client } = app((server.address() as AddressInfo).port, { pingIntervalMs: 30, pongTimeoutMs: 30 });
    client.on('error', ({ error }) => errors.push(error.code));
    await vi.waitFor(() => expect(greetings).toBeGreaterThanOrEqual(2), { timeout: 10_000 });
    expect(errors.slice(0, 3)).toEqual([
      'ERR_LINK_FRAME_MALFORMED',
      'ERR_LINK_FRAME_MALFORMED',
      'ERR_LINK_CONNECTION_SILENT',
    ]);
  });

  it('a token that cannot be read is one more failed try', async () => {
    const { port } = await service();
    let failures = 2;
    const { opened, logger } = app(port, {
      token: () => {
        failures -= 1;
        if (failures >= 0) throw new Error('no such file');
        return TOKEN;
      },
    });
    await opened();
    expect(logger.of('error')).toHaveLength(2);
  });

  it('close ends everything, on both sides, and other paths are left alone', async () => {
    const { link, port, server } = await service();
    const { client, opened } = app(port);
    await opened();
    expect((await fetch(`http://127.0.0.1:${port}/other`)).status).toBe(404);
    await link.close();
    await link.close();
    await vi.waitFor(() => expect(client.isOpen).toBe(false));
    expect(server.listenerCount('upgrade')).toBe(0);
    link.publish(joined('7', '10'));
    await client.close();
    await client.close();
    expect(client.stats().phase).toBe('closed');
  });
});

it('refuses options that cannot work', () => {
  expect(() => new LinkServer({ tokens: 'short', onCommand: () => {} })).toThrow(TypeError);
  expect(() => new LinkClient({ url: 'http://a', token: 't', onEvent: () => {} })).toThrow(TypeError);
});
