/** The media socket of a page, against a socket of the test's own. */
import { buildMediaFrame, type MediaControl, type MediaFrame, parseMediaFrame } from '@guildkit/core/wire';
import {
  MediaClient,
  type MediaClientOptions,
  type MediaEvents,
  type MediaSocket,
} from '@guildkit/realtime-client/media';
import { createVirtualClock } from '@guildkit/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createTestEnvironment } from '../support/environment.js';

class FakeSocket implements MediaSocket {
  static all: FakeSocket[] = [];
  binaryType = 'blob';
  readyState = 0;
  bufferedAmount = 0;
  onopen: MediaSocket['onopen'] = null;
  onmessage: MediaSocket['onmessage'] = null;
  onclose: MediaSocket['onclose'] = null;
  onerror: MediaSocket['onerror'] = null;
  readonly sent: MediaFrame[] = [];
  closedWith: number | undefined;

  constructor(readonly url: string) {
    FakeSocket.all.push(this);
  }

  open(): void {
    this.readyState = 1;
    this.onopen?.(undefined as never);
  }

  send(data: Uint8Array): void {
    const parsed = parseMediaFrame(data);
    if (parsed.kind === 'frame') this.sent.push(parsed.frame);
  }

  close(code?: number): void {
    this.closedWith = code;
    this.readyState = 3;
  }

  end(code: number, reason = ''): void {
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }

  raw(data: unknown): void {
    this.onmessage?.({ data });
  }

  say(frame: Partial<MediaFrame>): void {
    const bytes = buildMediaFrame({
      kind: 'control',
      codec: 'none',
      keyframe: false,
      stream: 0,
      timestamp: 0,
      payload: new Uint8Array(),
      ...frame,
    });
    this.raw(bytes.buffer);
  }

  control(control: MediaControl | object): void {
    this.say({ payload: new TextEncoder().encode(JSON.stringify(control)) });
  }
}

function start(options: Partial<MediaClientOptions> = {}) {
  FakeSocket.all = [];
  const clock = createVirtualClock();
  const environment = createTestEnvironment();
  const client = new MediaClient({
    url: 'http://hub.test/api/media?room=channel:1',
    WebSocket: FakeSocket,
    clock,
    environment,
    random: () => 0,
    getToken: () => 'good',
    ...options,
  });
  const log: { readonly [N in keyof MediaEvents]: MediaEvents[N][] } = {
    stateChange: [],
    stream: [],
    streamEnded: [],
    frame: [],
    keyframeRequest: [],
    dropped: [],
  };
  for (const name of Object.keys(log) as (keyof MediaEvents)[])
    client.on(name, (event) => log[name].push(event as never));
  const socket = () => FakeSocket.all.at(-1) as FakeSocket;
  const ready = { type: 'ready', maxFrameBytes: 1, maxBitsPerSecond: 1, maxFramesPerSecond: 1 } as const;
  async function open(): Promise<FakeSocket> {
    client.connect();
    socket().open();
    await clock.advance(0);
    socket().control(ready);
    return socket();
  }
  return { client, clock, environment, log, open, socket, ready };
}

const video = (keyframe: boolean) =>
  ({ kind: 'video', codec: 'vp8', keyframe, timestamp: 90, payload: new Uint8Array(3) }) as const;

describe('MediaClient', () => {
  it('dials, proves who it is, and sends when it was let in', async () => {
    const { client, open, log } = start();
    expect(client.send(video(true))).toBe(false);
    const socket = await open();
    expect(socket.url).toBe('ws://hub.test/api/media?room=channel:1');
    expect(socket.binaryType).toBe('arraybuffer');
    expect(new TextDecoder().decode(socket.sent[0]?.payload)).toBe('{"type":"auth","token":"good"}');
    expect(client.send(video(true))).toBe(true);
    expect(socket.sent[1]).toMatchObject({ kind: 'video', codec: 'vp8', keyframe: true, stream: 0, timestamp: 90 });
    expect(log.stateChange.map(({ status }) => status)).toEqual(['connecting', 'open']);
  });

  it('hands on frames of streams that it was told of', async () => {
    const { open, log } = start();
    const socket = await open();
    const payload = Uint8Array.of(1, 2, 3);
    const frame = { kind: 'audio', codec: 'opus', stream: 7, timestamp: 960, payload } as const;
    socket.say(frame);
    expect(log.frame).toEqual([]);
    socket.control({ type: 'stream', stream: 7, userId: '42', kind: 'audio' });
    socket.say(frame);
    // Of another kind than it was announced as.
    socket.say({ ...frame, kind: 'video', codec: 'vp8' });
    expect(log.frame).toEqual([{ ...frame, userId: '42', keyframe: false }]);
    socket.control({ type: 'streamEnded', stream: 7 });
    socket.control({ type: 'streamEnded', stream: 7 });
    socket.say(frame);
    expect(log.frame).toHaveLength(1);
    expect(log.streamEnded).toEqual([{ stream: 7, userId: '42', kind: 'audio' }]);
  });

  it('leaves video out while the socket lags, and then until a keyframe; audio never', async () => {
    const { client, open } = start();
    const socket = await open();
    socket.bufferedAmount = 300_000;
    expect(client.send(video(true))).toBe(false);
    expect(
      client.send({ kind: 'audio', codec: 'opus', keyframe: false, timestamp: 0, payload: new Uint8Array(1) }),
    ).toBe(true);
    socket.bufferedAmount = 0;
    expect(client.send(video(false))).toBe(false);
    expect(client.send(video(true))).toBe(true);
    expect(client.send(video(false))).toBe(true);
  });

  it('asks for keyframes, of streams that there are, twice a second at most', async () => {
    const { client, clock, open } = start();
    const socket = await open();
    socket.control({ type: 'stream', stream: 3, userId: '1', kind: 'video' });
    client.requestKeyframe(3);
    client.requestKeyframe(3);
    client.requestKeyframe(4);
    expect(socket.sent.filter(({ kind }) => kind === 'keyframeRequest')).toHaveLength(1);
    await clock.advance(500);
    client.requestKeyframe(3);
    expect(socket.sent.filter(({ kind }) => kind === 'keyframeRequest')).toHaveLength(2);
  });

  it('says when a keyframe is wanted, and that frames were dropped', async () => {
    const { client, open, log } = start();
    const socket = await open();
    socket.say({ kind: 'keyframeRequest' });
    expect(log.keyframeRequest).toHaveLength(1);
    socket.control({ type: 'dropped', audio: 0, video: 2 });
    expect(log.dropped).toEqual([{ audio: 0, video: 2 }]);
    expect(log.keyframeRequest).toHaveLength(2);
    expect(client.send(video(false))).toBe(false);
  });

  it('comes back, and at once when the page is online', async () => {
    const { client, clock, environment, open, log, socket } = start();
    const first = await open();
    first.control({ type: 'stream', stream: 3, userId: '1', kind: 'video' });
    first.end(1006);
    expect(log.streamEnded).toHaveLength(1);
    expect(client.state).toMatchObject({ status: 'waiting', attempt: 1 });
    await clock.advance(100);
    expect(FakeSocket.all).toHaveLength(2);
    // What an old socket says counts no more.
    first.raw(new ArrayBuffer(12));
    socket().end(4429, 'ERR_MEDIA_SEAT_UNAVAILABLE');
    expect(client.state).toMatchObject({ status: 'waiting', attempt: 2, reason: 'ERR_MEDIA_SEAT_UNAVAILABLE' });
    environment.signal('online');
    expect(FakeSocket.all).toHaveLength(3);
  });

  it('gives a try up that does not get through', async () => {
    const { client, clock } = start({ timeoutMs: 1_000 });
    client.connect();
    const [first] = FakeSocket.all;
    first?.open();
    await clock.advance(1_000);
    expect(first?.closedWith).toBe(1000);
    expect(client.state).toMatchObject({ status: 'waiting', reason: 'timeout' });
  });

  it('takes a fresh token once', async () => {
    const asked: boolean[] = [];
    const { client, clock, socket } = start({
      getToken({ refused }) {
        asked.push(refused);
        return 'x';
      },
    });
    client.connect();
    for (let turn = 0; turn < 2; turn += 1) {
      socket().open();
      await clock.advance(0);
      socket().end(4401, 'ERR_MEDIA_AUTH_REFUSED');
    }
    expect(asked).toEqual([false, true]);
    expect(client.state).toMatchObject({ status: 'closed', reason: 'ERR_MEDIA_AUTH_REFUSED' });
  });

  it('leaves nothing behind', async () => {
    const { client, clock, environment, open } = start();
    const socket = await open();
    client.close();
    expect(socket.closedWith).toBe(1000);
    expect(clock.pending).toBe(0);
    expect(environment.watchers).toBe(0);
    client.close();
    expect(client.state.status).toBe('closed');
  });

  it('stops for an address that is none', () => {
    const { client } = start({ url: 'http://[' });
    client.connect();
    expect(client.state).toMatchObject({ status: 'closed', reason: 'url' });
  });

  it('goes on whatever comes', async () => {
    const { client, open } = start();
    const socket = await open();
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 64 }),
          fc.string(),
          fc.constant(null),
          fc.json().map((text) => new TextEncoder().encode(text)),
        ),
        (data) => {
          socket.raw(data instanceof Uint8Array ? data.slice().buffer : data);
          if (data instanceof Uint8Array) socket.say({ payload: data });
          expect(client.state.status).toBe('open');
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
