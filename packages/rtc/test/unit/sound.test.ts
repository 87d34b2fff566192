/** PCM: resampling, formats, frames, mixing. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  audioLevel,
  createFrameCutter,
  createPcmReader,
  fromInt16,
  mix,
  scale,
  toInt16,
  toStereo,
} from '../../src/media/protocol/pcm.js';
import { createResampler } from '../../src/media/protocol/resampler.js';

const sine = (hertz: number, rate: number, seconds: number): Float32Array =>
  Float32Array.from({ length: Math.round(rate * seconds) }, (_, n) => Math.sin((2 * Math.PI * hertz * n) / rate));

function resample(
  input: Float32Array,
  from: number,
  to: number,
  channels: 1 | 2,
  sizes: readonly number[],
): Float32Array {
  const resampler = createResampler({ from, to, channels });
  const parts: Float32Array[] = [];
  for (let at = 0, n = 0; at < input.length; n += 1) {
    const size = (sizes[n % sizes.length] as number) * channels;
    parts.push(resampler.push(input.subarray(at, at + size)).slice());
    at += size;
  }
  parts.push(resampler.flush());
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

const decibels = (ratio: number): number => 20 * Math.log10(Math.max(1e-9, ratio));
const rms = (samples: Float32Array): number =>
  Math.sqrt(samples.reduce((sum, sample) => sum + sample ** 2, 0) / samples.length);
/** Without the ends, where the sound begins and stops. */
const middle = (samples: Float32Array): Float32Array =>
  samples.subarray(Math.floor(samples.length * 0.2), Math.floor(samples.length * 0.8));

describe('resampler', () => {
  it.each([8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 44_056, 88_200, 96_000, 192_000])(
    'brings %d Hz to 48 kHz: what is heard stays, exact in length, time and level',
    (rate) => {
      for (const share of [0.02, 0.2, 0.38]) {
        const hertz = Math.min(rate, 48_000) * share;
        const output = resample(sine(hertz, rate, 0.25), rate, 48_000, 1, [441, 1, 1_000]);
        expect(output.length).toBe(Math.round((Math.round(rate / 4) * 48_000) / rate));
        const want = sine(hertz, 48_000, 0.26).subarray(0, output.length);
        const error = middle(output).map((sample, n) => sample - (middle(want)[n] as number));
        expect(decibels(rms(error) / Math.SQRT1_2)).toBeLessThan(-75);
      }
    },
  );

  it('lets nothing through that the lower rate cannot hold', () => {
    for (const hertz of [25_000, 30_000, 40_000]) {
      const output = resample(sine(hertz, 96_000, 0.2), 96_000, 48_000, 1, [960]);
      expect(decibels(rms(middle(output)) / Math.SQRT1_2)).toBeLessThan(-75);
    }
    // Upwards: no image of it above the old band. A tone of 3 kHz at 8 kHz would show at 5 kHz.
    const up = middle(resample(sine(3_000, 8_000, 0.5), 8_000, 48_000, 1, [160]));
    expect(decibels(levelAt(up, 5_000, 48_000))).toBeLessThan(-75);
    expect(Math.abs(decibels(levelAt(up, 3_000, 48_000)))).toBeLessThan(0.05);
  });

  it('gives the same whatever the pieces, and keeps channels apart', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 6 }), (sizes) => {
        const left = sine(700, 44_100, 0.05);
        const right = sine(1_900, 44_100, 0.05);
        const both = new Float32Array(left.length * 2);
        for (let n = 0; n < left.length; n += 1) both.set([left[n] as number, right[n] as number], n * 2);
        const output = resample(both, 44_100, 48_000, 2, sizes);
        const whole = resample(left, 44_100, 48_000, 1, [left.length]);
        const other = resample(right, 44_100, 48_000, 1, [right.length]);
        expect(output.filter((_, n) => n % 2 === 0)).toEqual(whole);
        expect(output.filter((_, n) => n % 2 === 1)).toEqual(other);
      }),
      { numRuns: 20, seed: 1 },
    );
  });

  it('passes equal rates through, and nothing for nothing', () => {
    const input = sine(100, 48_000, 0.01);
    expect(createResampler({ from: 48_000, to: 48_000, channels: 1 }).push(input)).toBe(input);
    expect(createResampler({ from: 8_000, to: 48_000, channels: 2 }).flush().length).toBe(0);
  });
});

/** Amplitude of one frequency (Goertzel with a Hann window). */
function levelAt(samples: Float32Array, hertz: number, rate: number): number {
  let re = 0;
  let im = 0;
  for (const [n, sample] of samples.entries()) {
    const window = 1 - Math.cos((2 * Math.PI * n) / samples.length);
    re += sample * window * Math.cos((2 * Math.PI * hertz * n) / rate);
    im += sample * window * Math.sin((2 * Math.PI * hertz * n) / rate);
  }
  return (2 * Math.hypot(re, im)) / samples.length;
}

describe('PCM', () => {
  it('goes to floats and back unchanged', () => {
    const every = Int16Array.from({ length: 65_536 }, (_, n) => n - 32_768);
    expect(toInt16(fromInt16(every))).toEqual(every);
    expect([...toInt16(Float32Array.of(2, -2, Number.NaN, 0.999_99))]).toEqual([32_767, -32_768, 0, 32_767]);
  });

  it('reads bytes cut anywhere', () => {
    fc.assert(
      fc.property(
        fc.int16Array({ maxLength: 40 }),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
        (samples, sizes) => {
          const bytes = new Uint8Array(samples.buffer.slice(0));
          const read = createPcmReader('s16le');
          const out: number[] = [];
          for (let at = 0, n = 0; at < bytes.length; n += 1) {
            const size = sizes[n % sizes.length] as number;
            out.push(...read(bytes.subarray(at, at + size)));
            at += size;
          }
          expect(out).toEqual([...fromInt16(samples)]);
        },
      ),
      { seed: 1 },
    );
    const floats = Float32Array.of(0.5, -1);
    expect([...createPcmReader('f32le')(new Uint8Array(floats.buffer))]).toEqual([0.5, -1]);
  });

  it('is cut into frames of one size, the last one filled up', () => {
    fc.assert(
      fc.property(
        fc.array(fc.float32Array({ maxLength: 30, noNaN: true })),
        fc.integer({ min: 1, max: 12 }),
        (chunks, size) => {
          const cutter = createFrameCutter(size);
          const out: number[] = [];
          for (const chunk of chunks) {
            cutter.push(chunk);
            for (let frame = cutter.take(); frame !== undefined; frame = cutter.take()) out.push(...frame);
          }
          for (let frame = cutter.take(true); frame !== undefined; frame = cutter.take(true)) out.push(...frame);
          const all = chunks.flatMap((chunk) => [...chunk]);
          expect(out.length).toBe(Math.ceil(all.length / size) * size);
          expect(out.slice(0, all.length)).toEqual(all);
          expect(out.slice(all.length).every((sample) => sample === 0)).toBe(true);
          expect(cutter.length).toBe(0);
        },
      ),
      { seed: 1 },
    );
  });

  it('is mixed: one alone unchanged, several added, loud ones bent and never beyond full scale', () => {
    const one = Float32Array.of(0.5, -1, 0.25, 0);
    expect([...mix([one], 4)]).toEqual([...one]);
    expect([...mix([one, Float32Array.of(0.25, 0.5)], 4)]).toEqual([0.75, -0.5, 0.25, 0]);
    fc.assert(
      fc.property(
        fc.array(fc.float32Array({ minLength: 8, maxLength: 8, min: -1, max: 1, noNaN: true }), {
          minLength: 2,
          maxLength: 30,
        }),
        (sounds) => {
          const mixed = mix(sounds, 8);
          for (let n = 0; n < 8; n += 1) {
            const sum = sounds.reduce((total, sound) => total + (sound[n] as number), 0);
            const value = mixed[n] as number;
            expect(Math.abs(value)).toBeLessThanOrEqual(1);
            if (Math.abs(sum) < 0.79) expect(value).toBeCloseTo(sum, 4);
            else expect(Math.sign(value)).toBe(Math.sign(sum));
          }
        },
      ),
      { seed: 1 },
    );
    expect(mix([], 3)).toEqual(new Float32Array(3));
  });

  it('has a level, channels and a volume', () => {
    expect(audioLevel(new Float32Array(960))).toBe(127);
    expect(audioLevel(new Float32Array(960).fill(1))).toBe(0);
    expect(audioLevel(sine(400, 48_000, 0.1))).toBe(3);
    expect([...toStereo(Float32Array.of(1, -1))]).toEqual([1, 1, -1, -1]);
    const samples = Float32Array.of(0.5, -0.5);
    scale(samples, 0.5);
    expect([...samples]).toEqual([0.25, -0.25]);
  });
});
