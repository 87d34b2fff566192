/**
 * Makes the tone and the test picture that the sandbox's people send, with the codecs of Chromium: Opus and VP8.
 *
 * `node tools/sandbox-media.mjs` writes packages/sandbox/src/voice/test-media.ts. The codecs are not bit-exact between versions
 * of Chromium, so nothing checks that it is current.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { root } from './lib/workspace.mjs';

const TARGET = join(root, 'packages/sandbox/src/voice/test-media.ts');
const executablePath = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium';

const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
const page = await browser.newPage();
await page.route('**/*', (route) => route.fulfill({ contentType: 'text/html', body: '<canvas></canvas>' }));
// WebCodecs wants a secure context.
await page.goto('http://localhost/');
const { tone, clip } = await page.evaluate(record);
await browser.close();

const lines = (frames) => frames.map((frame) => `  '${frame}',`).join('\n');
writeFileSync(
  TARGET,
  `/**
 * Holds what simulated people send when nothing else is given: a tone, and a test picture. Written by
 * \`node tools/sandbox-media.mjs\`.
 */

/** 20 ms each of 440 Hz, Opus, stereo. 200 ms are 88 periods: it begins where it ends. */
export const TONE: readonly string[] = [
${lines(tone)}
];

/** VP8, 320×180, 15 frames a second; the first one is a keyframe. */
export const CLIP: readonly string[] = [
${lines(clip)}
];
`,
);
const size = (frames) => frames.reduce((sum, frame) => sum + frame.length, 0);
console.log(`${tone.length} packets, ${size(tone)} characters; ${clip.length} frames, ${size(clip)} characters`);

/** Runs in the page. */
async function record() {
  const base64 = (chunk) => {
    const bytes = new Uint8Array(chunk.byteLength);
    chunk.copyTo(bytes);
    return btoa(String.fromCharCode(...bytes));
  };
  const fail = (error) => {
    throw error;
  };

  const packets = [];
  const audio = new AudioEncoder({ output: (chunk) => packets.push(base64(chunk)), error: fail });
  audio.configure({
    codec: 'opus',
    sampleRate: 48_000,
    numberOfChannels: 2,
    bitrate: 32_000,
    opus: { frameDuration: 20_000, complexity: 10 },
  });
  // Little more than a second, of which the end is kept: the encoder has settled by then.
  const samples = 960;
  for (let n = 0; n < 61; n += 1) {
    const data = new Float32Array(2 * samples);
    for (let at = 0; at < samples; at += 1) {
      const value = 0.25 * Math.sin((2 * Math.PI * 440 * (n * samples + at)) / 48_000);
      data[at] = value;
      data[samples + at] = value;
    }
    audio.encode(
      new AudioData({
        format: 'f32-planar',
        sampleRate: 48_000,
        numberOfFrames: samples,
        numberOfChannels: 2,
        timestamp: n * 20_000,
        data,
      }),
    );
  }
  await audio.flush();

  const frames = [];
  const video = new VideoEncoder({ output: (chunk) => frames.push(base64(chunk)), error: fail });
  video.configure({ codec: 'vp8', width: 320, height: 180, bitrate: 60_000, framerate: 15, latencyMode: 'realtime' });
  const canvas = document.querySelector('canvas');
  canvas.width = 320;
  canvas.height = 180;
  const context = canvas.getContext('2d');
  const colours = ['#fff', '#ff0', '#0ff', '#0f0', '#f0f', '#f00', '#00f', '#000'];
  for (let n = 0; n < 30; n += 1) {
    colours.forEach((colour, at) => {
      context.fillStyle = colour;
      context.fillRect(at * 40, 0, 40, 180);
    });
    // A bar that is back where it began after two seconds.
    context.fillStyle = '#888';
    context.fillRect(((n * 320) / 30) % 320, 120, 32, 40);
    const frame = new VideoFrame(canvas, { timestamp: (n * 1_000_000) / 15 });
    video.encode(frame, { keyFrame: n === 0 });
    frame.close();
  }
  await video.flush();
  return { tone: packets.slice(50, 60), clip: frames };
}
