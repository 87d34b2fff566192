/** Made-up media: it need not decode, but has the heads that tell what it is. */
import type { VideoFrame } from '../../src/media/video-types.js';
import { dice } from './media-link.js';

/** Opus packets of 20 ms (CELT, full band, stereo), each with its number in it. */
export function opusPackets(count: number, size = 80): Uint8Array[] {
  return Array.from({ length: count }, (_, n) => {
    const packet = new Uint8Array(size).fill(n & 0xff);
    packet[0] = 0xfc;
    packet[1] = n >> 8;
    packet[2] = n & 0xff;
    return packet;
  });
}

/** VP8 frames at 30 a second; a keyframe of 640×360 every `every` frames. */
export function vp8Frames(count: number, every = 30, seed = 1): VideoFrame[] {
  const random = dice(seed);
  return Array.from({ length: count }, (_, n) => {
    const keyframe = n % every === 0;
    const data = new Uint8Array(keyframe ? 9_000 : 1_000 + Math.floor(random() * 3_000));
    for (let at = 0; at < data.length; at += 1) data[at] = Math.floor(random() * 256);
    data[0] = keyframe ? 0x10 : 0x11;
    if (keyframe) data.set([0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01], 3);
    return { data, keyframe, timestamp: Math.round((n * 1_000_000) / 30) };
  });
}
