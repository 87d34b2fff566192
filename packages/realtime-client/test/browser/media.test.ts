/** Camera and microphone of Chromium's own, through a relay that sends everything back, to a canvas and a loudspeaker. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buildMediaFrame, type MediaControl, type MediaFrame, parseMediaFrame } from '@guildkit/core/wire';
import type * as MediaKit from '@guildkit/realtime-client/media';
import { CHROMIUM_FLAGS, chromiumPath } from '@guildkit/testkit';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { bundle } from './support.js';

declare global {
  var media: typeof MediaKit;
  var mediaClient: MediaKit.MediaClient;
  var player: MediaKit.VideoPlayer;
  var speaker: MediaKit.AudioPlayer;
  var camera: MediaKit.MediaSender;
  /** Loudest sample of the last moment, and pictures that the tap has seen. */
  var loudness: () => number;
  var tapped: number;
}

interface Mirror {
  readonly origin: string;
  readonly received: MediaFrame[];
  /** So many packets of sound do not come back. */
  lose: number;
  cut(): void;
  close(): Promise<void>;
}

/** A relay that has one other person in the room, who does exactly what the page does. */
async function createMirror(script: string): Promise<Mirror> {
  const received: MediaFrame[] = [];
  const sockets = new Set<WebSocket>();
  const server: Server = createServer((request, response) => {
    const isScript = request.url === '/page.js';
    response.writeHead(200, { 'content-type': isScript ? 'text/javascript' : 'text/html' });
    response.end(
      isScript
        ? script
        : '<!doctype html><title>t</title><canvas id="canvas"></canvas><script type="module" src="/page.js"></script>',
    );
  });
  const wss = new WebSocketServer({ server, path: '/api/media' });
  wss.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    const control = (message: MediaControl): void => {
      const payload = new TextEncoder().encode(JSON.stringify(message));
      socket.send(
        buildMediaFrame({ kind: 'control', codec: 'none', keyframe: false, stream: 0, timestamp: 0, payload }),
      );
    };
    socket.on('message', (data: Buffer) => {
      const parsed = parseMediaFrame(data);
      if (parsed.kind !== 'frame') return;
      const { frame } = parsed;
      received.push(frame);
      if (frame.kind === 'control') {
        control({ type: 'ready', maxFrameBytes: 262_144, maxBitsPerSecond: 4e6, maxFramesPerSecond: 240 });
        control({ type: 'stream', stream: 1, userId: '1', kind: 'video' });
        control({ type: 'stream', stream: 2, userId: '1', kind: 'audio' });
      } else if (frame.kind === 'audio' && mirror.lose > 0) {
        mirror.lose -= 1;
      } else if (frame.kind === 'keyframeRequest') {
        socket.send(buildMediaFrame({ ...frame, stream: 0 }));
      } else {
        socket.send(buildMediaFrame({ ...frame, stream: frame.kind === 'video' ? 1 : 2 }));
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const mirror: Mirror = {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    lose: 0,
    cut() {
      for (const socket of sockets) socket.terminate();
    },
    close: () =>
      new Promise((resolve) => {
        mirror.cut();
        wss.close();
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  return mirror;
}

let browser: Browser;
let script: string;
beforeAll(async () => {
  const fakes = [
    '--use-fake-device-for-media-stream=fps=15',
    '--use-fake-ui-for-media-stream',
    '--autoplay-policy=no-user-gesture-required',
  ];
  browser = await chromium.launch({ executablePath: chromiumPath() as string, args: [...CHROMIUM_FLAGS, ...fakes] });
  script = await bundle("import * as media from '@guildkit/realtime-client/media'; globalThis.media = media;");
});
afterAll(() => browser?.close());

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

/** A page that sends its camera and microphone, and plays what comes back. */
async function start(): Promise<{ mirror: Mirror; page: Page }> {
  const mirror = await createMirror(script);
  open.push(mirror);
  const page = await browser.newPage();
  open.push(page);
  await page.goto(mirror.origin);
  await page.waitForFunction(() => globalThis.media !== undefined);
  await page.evaluate(async () => {
    const { MediaClient, playAudio, playVideo, sendCamera, sendMicrophone } = globalThis.media;
    const client = new MediaClient({ url: '/api/media', getToken: () => 'x' });
    globalThis.mediaClient = client;
    const audioContext = new AudioContext({ sampleRate: 48_000 });
    const analyser = audioContext.createAnalyser();
    const samples = new Float32Array(analyser.fftSize);
    globalThis.loudness = () => {
      analyser.getFloatTimeDomainData(samples);
      return Math.max(...samples.map(Math.abs));
    };
    globalThis.tapped = 0;
    client.on('stream', ({ stream, kind }) => {
      if (kind === 'audio') {
        globalThis.speaker = playAudio(client, { stream, audioContext, output: analyser });
      } else {
        const canvas = document.querySelector('canvas') as HTMLCanvasElement;
        const onFrame = () => {
          globalThis.tapped += 1;
        };
        globalThis.player = playVideo(client, { stream, canvas, onFrame });
      }
    });
    const constraints = { video: { width: 320, height: 240, frameRate: 15 }, audio: true };
    const media = await navigator.mediaDevices.getUserMedia(constraints);
    const [video] = media.getVideoTracks();
    const [audio] = media.getAudioTracks();
    globalThis.camera = sendCamera(client, video as MediaStreamTrack, {
      bitsPerSecond: 200_000,
      keyframeIntervalMs: 60_000,
    });
    await sendMicrophone(client, audio as MediaStreamTrack, { audioContext });
    client.connect();
  });
  return { mirror, page };
}

const WAIT = { timeout: 30_000, polling: 50 } as const;
const drawn = (page: Page, more = 1) =>
  page
    .evaluate(() => globalThis.player.stats().drawn)
    .then((before) => page.waitForFunction((count) => globalThis.player?.stats().drawn >= count, before + more, WAIT));

describe('camera and microphone', () => {
  it('come back as a moving picture and a sound', async () => {
    const { page, mirror } = await start();
    await page.waitForFunction(() => globalThis.player?.stats().drawn > 5, undefined, WAIT);
    const size = await page.evaluate(() => [
      document.querySelector('canvas')?.width,
      document.querySelector('canvas')?.height,
    ]);
    expect(size).toEqual([320, 240]);
    // Chromium's camera shows a clock: the picture changes.
    const picture = () => page.evaluate(() => document.querySelector('canvas')?.toDataURL());
    const before = await picture();
    await drawn(page, 5);
    expect(await picture()).not.toBe(before);
    // And its microphone beeps.
    await page.waitForFunction(() => globalThis.loudness() > 0.01, undefined, WAIT);
    expect(await page.evaluate(() => globalThis.tapped)).toBeGreaterThan(5);
    expect(mirror.received.filter(({ kind, keyframe }) => kind === 'video' && keyframe).length).toBeGreaterThan(0);
    const audio = mirror.received.filter(({ kind }) => kind === 'audio');
    // Every packet is 20 ms long, whatever the machine does.
    const steps = new Set(audio.slice(1).map(({ timestamp }, at) => timestamp - (audio[at]?.timestamp ?? 0)));
    expect([...steps].every((step) => step % 960 === 0 && step > 0)).toBe(true);
  });

  it('plays on where packets of sound are missing', async () => {
    const { page, mirror } = await start();
    const stats = () => page.evaluate(() => globalThis.speaker?.stats());
    const untilReceived = (count: number) =>
      page.waitForFunction((least) => globalThis.speaker?.stats().received >= least, count, WAIT);
    await untilReceived(20);
    mirror.lose = 10;
    await expect.poll(() => mirror.lose, { timeout: 30_000 }).toBe(0);
    const before = await stats();
    await untilReceived(before.received + 100);
    const after = await stats();
    // Fewer than half come late on any machine that the others of these tests pass on.
    expect(after.played - before.played).toBeGreaterThan(50);
  });

  it('pauses and goes on with a keyframe', async () => {
    const { page, mirror } = await start();
    await page.waitForFunction(() => globalThis.player?.stats().drawn > 2, undefined, WAIT);
    await page.evaluate(() => globalThis.camera.pause());
    const audioBefore = mirror.received.filter(({ kind }) => kind === 'audio').length;
    await expect
      .poll(() => mirror.received.filter(({ kind }) => kind === 'audio').length, { timeout: 30_000 })
      .toBeGreaterThan(audioBefore + 20);
    const videoAt = mirror.received.length;
    await page.evaluate(() => globalThis.camera.resume());
    await expect
      .poll(() => mirror.received.slice(videoAt).some(({ kind }) => kind === 'video'), { timeout: 30_000 })
      .toBe(true);
    expect(mirror.received.slice(videoAt).find(({ kind }) => kind === 'video')?.keyframe).toBe(true);
  });

  it('asks for the keyframe that it lacks when it comes in the middle', async () => {
    const { page, mirror } = await start();
    await page.waitForFunction(() => globalThis.player?.stats().drawn > 2, undefined, WAIT);
    const keyframes = () => mirror.received.filter(({ kind, keyframe }) => kind === 'video' && keyframe).length;
    const before = keyframes();
    // The page's own keyframes are a minute apart.
    await page.evaluate(() => {
      globalThis.player.stop();
      globalThis.player = globalThis.media.playVideo(globalThis.mediaClient, { stream: 1 });
    });
    await page.waitForFunction(() => globalThis.player.stats().drawn > 2, undefined, WAIT);
    expect(keyframes()).toBeGreaterThan(before);
    expect(await page.evaluate(() => globalThis.player.stats().keyframeRequests)).toBeGreaterThan(0);
  });

  it('survives the loss of the socket', async () => {
    const { page, mirror } = await start();
    await page.waitForFunction(() => globalThis.player?.stats().drawn > 2, undefined, WAIT);
    mirror.cut();
    await page.waitForFunction(() => globalThis.player?.stats().drawn <= 2, undefined, WAIT);
    await page.waitForFunction(() => globalThis.player?.stats().drawn > 5, undefined, WAIT);
    await page.waitForFunction(() => globalThis.loudness() > 0.01, undefined, WAIT);
  });
});
