/** The relay between pages and seats over real sockets: what passes, what is dropped, and what peers do wrong. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buildMediaFrame, type MediaControl, type MediaFrame, parseMediaFrame } from '@guildkit/core/wire';
import { MediaRelay, type MediaRelayOptions, type MediaSeat } from '@guildkit/server-kit/media';
import { createVirtualClock } from '@guildkit/testkit';
import { describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { closeServer, ORIGIN, principalOf } from '../support/hub-server.js';
import { keepingLogger } from '../support/log-lines.js';

/** A seat that a test speaks through. */
class TestSeat implements MediaSeat {
  readonly sent: string[] = [];
  readonly asked: string[] = [];
  readonly listeners: Record<string, ((value: never) => void) | undefined> = {};

  sendAudio({ payload, timestamp }: { payload: Uint8Array; timestamp: number }): void {
    this.sent.push(`audio ${timestamp} ${payload.length}`);
  }
  sendVideo({ codec, keyframe, payload }: { codec: string; keyframe: boolean; payload: Uint8Array }): void {
    this.sent.push(`${codec} ${keyframe ? 'key' : 'delta'} ${payload.length}`);
  }
  requestKeyframe(userId: string): void {
    this.asked.push(userId);
  }
  onAudio = (listener: never) => this.on('audio', listener);
  onVideo = (listener: never) => this.on('video', listener);
  onKeyframeRequest = (listener: never) => this.on('keyframeRequest', listener);
  onLeft = (listener: never) => this.on('left', listener);
  onEnded = (listener: never) => this.on('ended', listener);

  emit(name: string, value?: unknown): void {
    this.listeners[name]?.(value as never);
  }
  private on(name: string, listener: never): () => void {
    this.listeners[name] = listener;
    return () => {
      this.listeners[name] = undefined;
    };
  }
}

class Page {
  readonly ws: WebSocket;
  readonly frames: MediaFrame[] = [];
  closed: { code: number; reason: string } | undefined;

  constructor(port: number, { token, origin = ORIGIN }: { token?: string | undefined; origin?: string }) {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    this.ws = new WebSocket(`ws://127.0.0.1:${port}/api/media?room=channel:1`, {
      origin,
      headers,
      perMessageDeflate: false,
    });
    this.ws.on('message', (data) => {
      const parsed = parseMediaFrame(new Uint8Array(data as Buffer));
      if (parsed.kind === 'frame') this.frames.push(parsed.frame);
    });
    this.ws.on('error', () => {});
    this.ws.on('close', (code, reason) => {
      this.closed = { code, reason: String(reason) };
    });
  }

  get controls(): MediaControl[] {
    return this.frames
      .filter(({ kind }) => kind === 'control')
      .map(({ payload }) => JSON.parse(new TextDecoder().decode(payload)) as MediaControl);
  }

  async control(type: MediaControl['type']): Promise<MediaControl> {
    await vi.waitFor(() => expect(this.controls.map((control) => control.type)).toContain(type));
    return this.controls.find((control) => control.type === type) as MediaControl;
  }

  send(frame: Partial<MediaFrame>): void {
    this.ws.send(
      buildMediaFrame({
        kind: 'audio',
        codec: 'opus',
        keyframe: false,
        stream: 0,
        timestamp: 0,
        payload: new Uint8Array(3),
        ...frame,
      }),
    );
  }

  tell(control: unknown): void {
    this.send({ kind: 'control', codec: 'none', payload: new TextEncoder().encode(JSON.stringify(control)) });
  }

  async end(): Promise<{ code: number; reason: string }> {
    await vi.waitFor(() => expect(this.closed).toBeDefined());
    return this.closed as { code: number; reason: string };
  }
}

async function startRelay(options: Partial<MediaRelayOptions> = {}) {
  const seats: TestSeat[] = [];
  const released: MediaSeat[] = [];
  const relay = new MediaRelay({
    origins: [ORIGIN],
    authenticate: ({ token }) => principalOf(token),
    takeSeat: () => {
      const seat = new TestSeat();
      seats.push(seat);
      return seat;
    },
    releaseSeat: (seat) => released.push(seat),
    ...options,
  });
  const server = createServer();
  relay.attach(server, '/api/media');
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const pages: Page[] = [];
  return {
    relay,
    server,
    seats,
    released,
    page(init: { token?: string | undefined; origin?: string } = { token: 'user-1' }): Page {
      const page = new Page(port, init);
      pages.push(page);
      return page;
    },
    async ready(token = 'user-1'): Promise<{ page: Page; seat: TestSeat }> {
      const page = this.page({ token });
      await page.control('ready');
      return { page, seat: seats.at(-1) as TestSeat };
    },
    async [Symbol.asyncDispose]() {
      for (const { ws } of pages) ws.terminate();
      await relay.close();
      await closeServer(server);
    },
  };
}

const video = (size: number, keyframe: boolean): Partial<MediaFrame> => ({
  kind: 'video',
  codec: 'vp8',
  keyframe,
  payload: new Uint8Array(size),
});

describe('a page', () => {
  it('speaks and shows through its seat, and hears and sees the others by numbered streams', async () => {
    await using app = await startRelay();
    const { page, seat } = await app.ready();
    expect(await page.control('ready')).toMatchObject({ maxFrameBytes: 262_144, maxBitsPerSecond: 4_000_000 });
    page.send({ timestamp: 960, payload: new Uint8Array(80) });
    page.send(video(1_000, true));
    page.send(video(100, false));
    await vi.waitFor(() => expect(seat.sent).toEqual(['audio 960 80', 'vp8 key 1000', 'vp8 delta 100']));
    for (const userId of ['7', '8']) {
      seat.emit('audio', { userId, payload: new Uint8Array([1]), timestamp: 5 });
      seat.emit('video', { userId, codec: 'vp8', keyframe: true, payload: new Uint8Array([2]), timestamp: 6 });
    }
    await vi.waitFor(() => expect(page.frames).toHaveLength(1 + 8));
    const streams = page.controls.filter((control) => control.type === 'stream');
    expect(streams.map(({ userId, kind, stream }) => [userId, kind, stream])).toEqual([
      ['7', 'audio', 1],
      ['7', 'video', 2],
      ['8', 'audio', 3],
      ['8', 'video', 4],
    ]);
    const media = page.frames.filter(({ kind }) => kind !== 'control');
    expect(media.map(({ kind, stream, keyframe, timestamp }) => [kind, stream, keyframe, timestamp])).toEqual([
      ['audio', 1, false, 5],
      ['video', 2, true, 6],
      ['audio', 3, false, 5],
      ['video', 4, true, 6],
    ]);
    seat.emit('left', '7');
    seat.emit('left', 'nobody');
    await vi.waitFor(() => {
      expect(page.controls.filter(({ type }) => type === 'streamEnded')).toEqual([
        { type: 'streamEnded', stream: 1 },
        { type: 'streamEnded', stream: 2 },
      ]);
    });
    // The page may ask for a keyframe of a stream, and is asked for one of its own.
    page.send({ kind: 'keyframeRequest', codec: 'none', stream: 4 });
    page.send({ kind: 'keyframeRequest', codec: 'none', stream: 99 });
    seat.emit('keyframeRequest');
    await vi.waitFor(() => expect(seat.asked).toEqual(['8']));
    await vi.waitFor(() => expect(page.frames.at(-1)?.kind).toBe('keyframeRequest'));
    expect(app.relay.stats()).toMatchObject({
      connections: 1,
      users: 1,
      audioIn: 1,
      videoIn: 2,
      audioOut: 2,
      videoOut: 2,
    });
    page.ws.close();
    await vi.waitFor(() => expect(app.released).toEqual([seat]));
    expect(seat.listeners.audio).toBeUndefined();
  });

  it('may prove who it is after opening, and anew before its proof ends', async () => {
    const clock = createVirtualClock();
    await using app = await startRelay({
      clock,
      heartbeatMs: 600_000,
      authenticate: ({ token }) => {
        const principal = principalOf(token);
        return principal && { ...principal, expiresAt: clock.wallTime() + 60_000 };
      },
    });
    const page = app.page({});
    await once(page.ws, 'open');
    page.tell({ type: 'auth', token: 'user-1' });
    await page.control('ready');
    await clock.advance(50_000);
    page.tell({ type: 'auth', token: 'user-1' });
    page.send({ timestamp: 1 });
    await vi.waitFor(() => expect(app.seats[0]?.sent).toHaveLength(1));
    await clock.advance(50_000);
    expect(page.closed).toBeUndefined();
    await clock.advance(10_000);
    expect(await page.end()).toEqual({ code: 4401, reason: 'ERR_MEDIA_AUTH_EXPIRED' });
    await vi.waitFor(() => expect(app.released).toHaveLength(1));
  });

  it('that sends too many bits loses video, not audio, and is asked for a keyframe', async () => {
    await using app = await startRelay({ maxBitsPerSecond: 400_000, clock: createVirtualClock() });
    const { page, seat } = await app.ready();
    page.send(video(40_000, true));
    for (let n = 0; n < 5; n += 1) page.send(video(20_000, false));
    for (let n = 0; n < 20; n += 1) page.send({ timestamp: n, payload: new Uint8Array(100) });
    await vi.waitFor(() => expect(seat.sent).toHaveLength(21));
    expect(seat.sent[0]).toBe('vp8 key 40000');
    await vi.waitFor(() => expect(page.frames.filter(({ kind }) => kind === 'keyframeRequest')).toHaveLength(1));
    expect(app.relay.stats()).toMatchObject({ videoInDropped: 5, audioIn: 20, videoIn: 1 });
    expect(page.closed).toBeUndefined();
  });

  it('that reads too slowly loses video, hears all of the audio, and the sender is asked for a keyframe', async () => {
    const clock = createVirtualClock();
    await using app = await startRelay({ clock, maxQueuedBytes: 300_000 });
    const { page, seat } = await app.ready();
    page.ws.pause();
    let sent = 0;
    // The kernel hides some megabytes first.
    while (app.relay.stats().videoOutDropped < 20 && sent < 3_000) {
      seat.emit('video', {
        userId: '7',
        codec: 'vp8',
        keyframe: sent === 0,
        payload: new Uint8Array(50_000),
        timestamp: sent,
      });
      seat.emit('audio', { userId: '7', payload: new Uint8Array(50), timestamp: sent });
      sent += 1;
      if (sent % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(sent).toBeLessThan(3_000);
    expect(seat.asked).toEqual(['7']);
    page.ws.resume();
    await vi.waitFor(() => expect(page.frames.filter(({ kind }) => kind === 'audio')).toHaveLength(sent));
    const shown = page.frames.filter(({ kind }) => kind === 'video').map(({ timestamp }) => timestamp);
    // What came through is whole from the beginning on: nothing that builds on what was dropped.
    expect(shown).toEqual(shown.map((_, n) => n));
    seat.emit('video', { userId: '7', codec: 'vp8', keyframe: false, payload: new Uint8Array(1), timestamp: 1 });
    seat.emit('video', { userId: '7', codec: 'vp8', keyframe: true, payload: new Uint8Array(1), timestamp: 2 });
    await vi.waitFor(() => expect(page.frames.at(-1)).toMatchObject({ kind: 'video', keyframe: true, timestamp: 2 }));
    expect(page.closed).toBeUndefined();
  });
});

describe('a media connection ends', () => {
  it.each<[string, (page: Page) => void, number, string]>([
    ['with 4400 on text', (page) => page.ws.send('hello'), 4400, 'ERR_MEDIA_FRAME_INVALID'],
    [
      'with 4400 on bytes that are no frame',
      (page) => page.ws.send(Buffer.from([1, 2])),
      4400,
      'ERR_MEDIA_FRAME_INVALID',
    ],
    ['with 4400 on a control that is none', (page) => page.tell({ type: 'dance' }), 4400, 'ERR_MEDIA_FRAME_INVALID'],
    [
      'with 4413 on a frame of 256 KiB and a byte',
      (page) => page.ws.send(new Uint8Array(262_145)),
      4413,
      'ERR_MEDIA_FRAME_TOO_LARGE',
    ],
    [
      'with 4429 on a flood',
      (page) => {
        for (let n = 0; n < 1_000; n += 1) page.send({});
      },
      4429,
      'ERR_MEDIA_FRAME_RATE',
    ],
    [
      'with 4401 as another user',
      (page) => page.tell({ type: 'auth', token: 'user-2' }),
      4401,
      'ERR_MEDIA_AUTH_REFUSED',
    ],
  ])('%s', async (_, misdeed, code, reason) => {
    const logger = keepingLogger();
    await using app = await startRelay({ logger });
    const { page } = await app.ready();
    misdeed(page);
    expect(await page.end()).toEqual({ code, reason });
    expect(logger.of('warn').map(({ fields }) => fields.cause)).toEqual([reason]);
    expect(app.relay.stats()).toMatchObject({ closes: { [code]: 1 }, errors: { [reason]: 1 } });
    await vi.waitFor(() => expect(app.released).toHaveLength(1));
    expect(app.relay.stats()).toMatchObject({ connections: 0, users: 0 });
  });

  it('with 4401 without a proof in time, or with a wrong one; with 4400 on media before', async () => {
    const clock = createVirtualClock();
    await using app = await startRelay({ clock });
    const [late, wrong, eager] = [app.page({}), app.page({}), app.page({})];
    await Promise.all([late, wrong, eager].map(({ ws }) => once(ws, 'open')));
    wrong.tell({ type: 'auth', token: 'nobody' });
    eager.send({});
    expect(await wrong.end()).toEqual({ code: 4401, reason: 'ERR_MEDIA_AUTH_REFUSED' });
    expect(await eager.end()).toEqual({ code: 4400, reason: 'ERR_MEDIA_FRAME_INVALID' });
    await clock.advance(5_000);
    expect(await late.end()).toEqual({ code: 4401, reason: 'ERR_MEDIA_AUTH_TIMEOUT' });
    expect(app.seats).toEqual([]);
  });

  it('with 1013 when there is no seat, it cannot be taken, or it ends', async () => {
    let give: () => MediaSeat | null = () => null;
    await using app = await startRelay({ takeSeat: () => give() });
    expect(await app.page().end()).toEqual({ code: 1013, reason: 'ERR_MEDIA_SEAT_UNAVAILABLE' });
    give = () => {
      throw new Error('down');
    };
    expect(await app.page().end()).toEqual({ code: 1013, reason: 'ERR_MEDIA_SEAT_FAILED' });
    const seat = new TestSeat();
    give = () => seat;
    const page = app.page();
    await page.control('ready');
    seat.emit('ended');
    expect(await page.end()).toEqual({ code: 1013, reason: 'ERR_MEDIA_SEAT_ENDED' });
    expect(app.released).toEqual([seat]);
  });

  it('a seat that comes too late goes back at once, and its request was told', async () => {
    let give: (seat: MediaSeat) => void = () => {};
    let signal: AbortSignal | undefined;
    await using app = await startRelay({
      takeSeat: (_, request) => {
        signal = request.signal;
        expect(request.url).toBe('/api/media?room=channel:1');
        return new Promise((resolve) => {
          give = resolve;
        });
      },
    });
    const page = app.page();
    await vi.waitFor(() => expect(signal).toBeDefined());
    page.ws.terminate();
    await vi.waitFor(() => expect(signal?.aborted).toBe(true));
    const seat = new TestSeat();
    give(seat);
    await vi.waitFor(() => expect(app.released).toEqual([seat]));
  });

  it('with 4408 when it answers no ping, with 4503 when the relay closes, and neither seat nor timer is left', async () => {
    const clock = createVirtualClock();
    await using app = await startRelay({ clock });
    const { page: dead } = await app.ready('user-1');
    const { page, seat } = await app.ready('user-2');
    dead.ws.pause();
    const pinged = once(page.ws, 'ping');
    await clock.advance(15_000);
    await pinged;
    // Behind its pong: once this is here, the pong is.
    page.send({});
    await vi.waitFor(() => expect(seat.sent).toHaveLength(1));
    await clock.advance(10_000);
    expect(app.relay.stats().closes).toEqual({ 4408: 1 });
    const closed = app.relay.close();
    expect(app.relay.close()).toBe(closed);
    expect(await page.end()).toEqual({ code: 4503, reason: 'ERR_MEDIA_DRAINING' });
    await clock.advance(2_000);
    await closed;
    expect([app.released.length, clock.pending, app.relay.stats().connections]).toEqual([2, 0, 0]);
    expect(() => app.relay.attach(app.server, '/x')).toThrow('closed');
  });
});

it('foreign pages, too many pages and paths of others are refused or left alone', async () => {
  await using app = await startRelay({ maxConnectionsPerUser: 1 });
  const foreign = app.page({ token: 'user-1', origin: 'https://evil.example' });
  expect((await foreign.end()).code).toBe(1006);
  await app.ready();
  expect(await app.page().end()).toEqual({ code: 4429, reason: 'ERR_MEDIA_CONNECTION_LIMIT' });
  expect(app.relay.stats().errors).toMatchObject({ ERR_MEDIA_ORIGIN_FORBIDDEN: 1, ERR_MEDIA_CONNECTION_LIMIT: 1 });
  for (const bad of [{}, { origins: [], authenticate: () => null }] as never[])
    expect(() => new MediaRelay(bad)).toThrow(TypeError);
});
