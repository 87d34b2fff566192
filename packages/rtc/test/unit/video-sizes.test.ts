/** The sizes of pictures that Discord's webcams have: their frames are ten times those of the other tests. */
import { createVirtualClock } from '@guildkit/testkit';
import { expect, it } from 'vitest';
import { createMediaEngine } from '../../src/media/media-engine.js';
import type { VideoFrame } from '../../src/media/video-types.js';
import { createLink, dice } from '../support/media-link.js';

/** VP8 at 30 frames a second, as an encoder makes them: a keyframe is about ten times the others. */
function framesOf(width: number, height: number, bitsPerSecond: number, count: number): VideoFrame[] {
  const random = dice(width);
  const usual = Math.round(bitsPerSecond / 8 / 30);
  return Array.from({ length: count }, (_, n) => {
    const keyframe = n % 60 === 0;
    const data = new Uint8Array(Math.round((keyframe ? 10 : 0.6 + 0.8 * random()) * usual));
    for (let at = 0; at < data.length; at += 1) data[at] = Math.floor(random() * 256);
    data[0] = keyframe ? 0x10 : 0x11;
    if (keyframe) data.set([0x9d, 0x01, 0x2a, width & 0xff, width >> 8, height & 0xff, height >> 8], 3);
    return { data, keyframe, timestamp: Math.round((n * 1_000_000) / 30) };
  });
}

it.each([
  ['720p', 1_280, 720, 2_500_000],
  ['1080p', 1_920, 1_080, 5_000_000],
])('%s arrives bit for bit, also over a network that loses packets', async (_name, width, height, bits) => {
  for (const loss of [0, 0.02]) {
    const clock = createVirtualClock();
    const [left, right] = createLink(clock, { seed: 7, loss, delayMs: 20, jitterMs: loss === 0 ? 0 : 10 });
    const sender = createMediaEngine({ transport: left });
    const receiver = createMediaEngine({ transport: right });
    const frames = framesOf(width, height, bits, 90);
    expect(Math.max(...frames.map(({ data }) => data.length))).toBeGreaterThan(100_000);
    const index = new Map(frames.map(({ data }, n) => [Buffer.from(data).toString('latin1'), n]));
    const order: (number | undefined)[] = [];
    receiver.onVideo(({ data }) => order.push(index.get(Buffer.from(data).toString('latin1'))));
    const video = sender.sendVideo({ codec: 'VP8', frames });
    await clock.advance(6_000);
    await video.finished;
    // Whoever misses the very beginning begins with the next keyframe; from there on nothing is missing.
    const [first = -1] = order;
    expect(loss === 0 ? [0] : [0, 60]).toContain(first);
    expect(order).toEqual(frames.slice(first).map((_frame, n) => first + n));
    sender.close();
    receiver.close();
    expect(clock.pending).toBe(0);
  }
});
