import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import type { OpusCodec } from '../../src/media/codec/opus-codec.js';
import { loadOpus } from '../../src/media/codec/opus-wasm.js';
import { dice } from '../support/media-link.js';

let codec: OpusCodec;
beforeAll(async () => {
  codec = await loadOpus();
});

/** A tone in stereo, other on each side. */
function tone(hertz: number, frame: number, samples = 960, channels = 2): Int16Array {
  const pcm = new Int16Array(samples * channels);
  for (let n = 0; n < samples; n += 1) {
    const time = (frame * samples + n) / 48_000;
    for (let channel = 0; channel < channels; channel += 1) {
      pcm[n * channels + channel] = Math.round(8_000 * Math.sin(2 * Math.PI * hertz * (channel + 1) * time));
    }
  }
  return pcm;
}

const loudness = (pcm: Int16Array): number =>
  Math.sqrt(pcm.reduce((sum, sample) => sum + sample * sample, 0) / pcm.length);

interface Pair {
  run(frame: number): void;
  digest(): string;
  free(): void;
}

function pair(hertz: number): Pair {
  const encoder = codec.createEncoder({ channels: 2 });
  const decoder = codec.createDecoder({ channels: 2 });
  const hash = createHash('sha1');
  return {
    run(frame) {
      const packet = encoder.encode(tone(hertz, frame));
      const pcm = decoder.decode(packet) as Int16Array;
      hash.update(packet).update(new Uint8Array(pcm.buffer));
    },
    digest: () => hash.digest('hex'),
    free() {
      encoder.free();
      decoder.free();
    },
  };
}

describe('Opus by WebAssembly', () => {
  it('keeps 200 codecs at once apart, bit for bit', () => {
    const FRAMES = 5;
    const tones = Array.from({ length: 200 }, (_, n) => 200 + n * 37);
    const alone = tones.map((hertz) => {
      const one = pair(hertz);
      for (let frame = 0; frame < FRAMES; frame += 1) one.run(frame);
      one.free();
      return one.digest();
    });
    const together = tones.map(pair);
    for (let frame = 0; frame < FRAMES; frame += 1) for (const one of together) one.run(frame);
    expect(together.map((one) => one.digest())).toEqual(alone);
    for (const one of together) one.free();
  });

  it('encodes and decodes durations up to 20 ms, mono and stereo', () => {
    for (const channels of [1, 2] as const) {
      for (const samples of [120, 240, 480, 960]) {
        const encoder = codec.createEncoder({ channels });
        const decoder = codec.createDecoder({ channels });
        let pcm: Int16Array | undefined;
        for (let frame = 0; frame < 10; frame += 1) {
          pcm = decoder.decode(encoder.encode(tone(440, frame, samples, channels)));
        }
        expect(pcm?.length).toBe(samples * channels);
        expect(loudness(pcm as Int16Array)).toBeGreaterThan(4_000);
        encoder.free();
        decoder.free();
      }
    }
  });

  it('refuses frames that Opus does not have, and codecs that were freed', () => {
    const encoder = codec.createEncoder({ channels: 2 });
    for (const length of [0, 1, 1_919, 2 * 1_920, 2 * 5_760]) {
      expect(() => encoder.encode(new Int16Array(length))).toThrow(
        expect.objectContaining({ code: 'ERR_RTC_OPUS_FAILED' }),
      );
    }
    encoder.free();
    encoder.free();
    expect(() => encoder.encode(new Int16Array(1_920))).toThrow('freed');
  });

  it('changes the bitrate while it runs', () => {
    const encoder = codec.createEncoder({ channels: 2, bitrate: 128_000 });
    const random = dice(3);
    const noise = (): Int16Array => Int16Array.from({ length: 1_920 }, () => (random() - 0.5) * 20_000);
    const bytes = (): number =>
      Array.from({ length: 20 }, () => encoder.encode(noise()).length).reduce((a, b) => a + b);
    const high = bytes();
    encoder.setBitrate(16_000);
    encoder.setComplexity(0);
    expect(bytes()).toBeLessThan(high / 4);
    expect(() => encoder.setBitrate(-5)).toThrow(/libopus says -1/);
    encoder.reset();
    encoder.free();
  });

  it('makes up lost frames from what came before, each as long as it was, and fades out', () => {
    const encoder = codec.createEncoder({ channels: 2 });
    const decoder = codec.createDecoder({ channels: 2 });
    for (let frame = 0; frame < 20; frame += 1) decoder.decode(encoder.encode(tone(440, frame)));
    const levels = Array.from({ length: 8 }, () => {
      const pcm = decoder.conceal(960);
      expect(pcm.length).toBe(1_920);
      return loudness(pcm);
    });
    expect(levels[0]).toBeGreaterThan(3_000);
    expect(levels[7] as number).toBeLessThan((levels[0] as number) / 2);
    // Goes on with the sound as before.
    for (let frame = 28; frame < 32; frame += 1) decoder.decode(encoder.encode(tone(440, frame)));
    expect(loudness(decoder.decode(encoder.encode(tone(440, 32))) as Int16Array)).toBeGreaterThan(5_000);
    expect(decoder.conceal(2_880).length).toBe(5_760);
    expect(codec.createDecoder({ channels: 1 }).conceal(960)).toEqual(new Int16Array(960));
    encoder.free();
    decoder.free();
  });

  it('takes hostile packets without harm to itself and its neighbours', () => {
    const random = dice(7);
    const neighbour = pair(523);
    const witness = pair(523);
    const victim = codec.createDecoder({ channels: 2 });
    for (let frame = 0; frame < 20; frame += 1) witness.run(frame);
    for (let frame = 0; frame < 20; frame += 1) {
      neighbour.run(frame);
      for (let n = 0; n < 100; n += 1) {
        const size = n % 10 === 0 ? 3_828 : Math.floor(random() * 200);
        const packet = Uint8Array.from({ length: size }, () => random() * 256);
        // SILK frames of 60 ms, two in a packet: what needs the most of the module's stack.
        if (n % 3 === 0 && size > 0) packet[0] = 0x5d;
        const pcm = victim.decode(packet);
        if (pcm !== undefined) expect(pcm.length % 2 === 0 && pcm.length <= 11_520).toBe(true);
      }
    }
    expect(neighbour.digest()).toBe(witness.digest());
    expect(victim.decode(new Uint8Array(0))).toBeUndefined();
    expect(victim.decode(new Uint8Array(5_000).fill(0xfc))).toBeUndefined();
    // Six frames of 20 ms in one packet: the longest there is.
    const encoder = codec.createEncoder({ channels: 2 });
    const frame = encoder.encode(tone(300, 0)).subarray(1, 101);
    const long = Buffer.concat([Uint8Array.of(0xff, 6), ...Array.from({ length: 6 }, () => frame)]);
    expect(victim.decode(long)?.length).toBe(5_760 * 2);
  });
});
