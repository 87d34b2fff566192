/**
 * Owns the change of sample rates: a windowed sinc in polyphase form. Any rate to any rate, position kept in whole numbers,
 * so that nothing drifts over hours. Output is in time with the input: the filter's own delay is taken off.
 */

/** Zero crossings of the filter on each side, at the lower of both rates. */
const HALF_WIDTH = 32;
/** Kaiser's β: 90 dB down outside of the band. */
const BETA = 9;
/** Middle of the falling edge, as a share of the lower rate's band: flat to 0.41, silent from 0.5 of the rate. */
const CUTOFF = 0.91;
/** Ratios with more phases than this are read between the phases of a table. */
const MAX_EXACT_PHASES = 640;
const TABLE_PHASES = 512;

/** Settings of {@link createResampler}. */
export interface ResamplerOptions {
  readonly from: number;
  readonly to: number;
  readonly channels: 1 | 2;
}

/** One stream being resampled. Samples are interleaved. */
export interface Resampler {
  /** What can be told with the input so far: a new array of any length, also 0. */
  push(input: Float32Array): Float32Array;
  /** The rest, when the input has ended. */
  flush(): Float32Array;
}

/** Begins a stream. Equal rates pass through. */
export function createResampler({ from, to, channels }: ResamplerOptions): Resampler {
  if (from === to) return { push: (input) => input, flush: () => new Float32Array(0) };
  const divisor = greatestCommonDivisor(from, to);
  /** The position moves by `step / phases` input samples for each output sample. */
  const phases = to / divisor;
  const step = from / divisor;
  const scale = Math.min(1, to / from);
  const half = Math.ceil(HALF_WIDTH / scale);
  const taps = half * 2;
  const tablePhases = phases <= MAX_EXACT_PHASES ? phases : TABLE_PHASES;
  const table = filterTable(tablePhases, taps, scale);

  /** Input that is still needed, as frames; it begins with silence, so that the first output is at the first input. */
  let kept = new Float32Array((half - 1) * channels);
  /** Where the next output is, in frames of `kept` plus a fraction of `phases`. */
  let position = 0;
  let fraction = 0;
  let fed = 0;
  let made = 0;
  const coefficients = new Float64Array(taps);

  function run(input: Float32Array, limit: number): Float32Array {
    const samples = new Float32Array(kept.length + input.length);
    samples.set(kept);
    samples.set(input, kept.length);
    const frames = samples.length / channels;
    const available = Math.max(0, frames - taps + 1 - position);
    const output = new Float32Array(Math.min(limit, Math.ceil((available * phases + phases) / step) + 1) * channels);
    let at = 0;
    while (position + taps <= frames && at < output.length) {
      const exact = (fraction * tablePhases) / phases;
      const phase = Math.floor(exact);
      readPhase(table, taps, phase, exact - phase, coefficients);
      for (let channel = 0; channel < channels; channel += 1) {
        let sum = 0;
        let from = position * channels + channel;
        for (let tap = 0; tap < taps; tap += 1) {
          sum += (coefficients[tap] as number) * (samples[from] as number);
          from += channels;
        }
        output[at] = sum;
        at += 1;
      }
      fraction += step;
      const whole = Math.floor(fraction / phases);
      position += whole;
      fraction -= whole * phases;
    }
    const done = Math.min(position, frames);
    kept = samples.slice(done * channels);
    position -= done;
    made += at / channels;
    return output.subarray(0, at);
  }

  return {
    push(input) {
      fed += input.length / channels;
      return run(input, Number.POSITIVE_INFINITY);
    },
    flush() {
      const total = Math.round((fed * phases) / step);
      return run(new Float32Array((half + 1) * channels), Math.max(0, total - made));
    },
  };
}

/** One row for each phase, and one more to read between the last and the next first. */
function filterTable(phases: number, taps: number, scale: number): Float64Array {
  const table = new Float64Array((phases + 1) * taps);
  const half = taps / 2;
  const norm = bessel(BETA);
  for (let phase = 0; phase <= phases; phase += 1) {
    let sum = 0;
    for (let tap = 0; tap < taps; tap += 1) {
      const x = tap - (half - 1) - phase / phases;
      const window = Math.abs(x) >= half ? 0 : bessel(BETA * Math.sqrt(1 - (x / half) ** 2)) / norm;
      const value = sinc(x * scale * CUTOFF) * window;
      table[phase * taps + tap] = value;
      sum += value;
    }
    // Every phase passes a constant unchanged: else it would hum at the rate of the phases.
    for (let tap = 0; tap < taps; tap += 1) {
      table[phase * taps + tap] = (table[phase * taps + tap] as number) / sum;
    }
  }
  return table;
}

function readPhase(table: Float64Array, taps: number, phase: number, between: number, into: Float64Array): void {
  const row = phase * taps;
  if (between === 0) {
    for (let tap = 0; tap < taps; tap += 1) into[tap] = table[row + tap] as number;
    return;
  }
  for (let tap = 0; tap < taps; tap += 1) {
    const value = table[row + tap] as number;
    into[tap] = value + ((table[row + taps + tap] as number) - value) * between;
  }
}

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));

/** Modified Bessel function of order 0, by its series. */
function bessel(x: number): number {
  let sum = 1;
  let term = 1;
  for (let n = 1; term > sum * 1e-12; n += 1) {
    term *= (x / (2 * n)) ** 2;
    sum += term;
  }
  return sum;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
