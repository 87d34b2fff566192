/**
 * Owns the seam between the media engine and whatever encodes and decodes Opus. The package brings one implementation
 * (`opus-wasm.ts`); a native one has to fit these shapes. Everything is 48 kHz, interleaved, 16 bits.
 */

/** What kind of sound an encoder is tuned for (libopus: `OPUS_APPLICATION_*`). */
export type OpusApplication = 'voip' | 'audio' | 'lowdelay';

/** Settings of an encoder. */
export interface OpusEncoderOptions {
  readonly channels: 1 | 2;
  /** @defaultValue `audio`: music and voice; `voip` sharpens speech */
  readonly application?: OpusApplication | undefined;
  /** Bits per second, 6,000 to 510,000. @defaultValue 64,000, what Discord's channels have */
  readonly bitrate?: number | undefined;
  /** 0 to 10: CPU against quality. @defaultValue 5, about half the time of 10 and hard to tell from it */
  readonly complexity?: number | undefined;
}

/** Settings of a decoder. */
export interface OpusDecoderOptions {
  readonly channels: 1 | 2;
}

/** One stream being encoded. Packets depend on those before: one encoder for each stream. */
export interface OpusEncoder {
  readonly channels: 1 | 2;
  /**
   * Encodes one frame.
   *
   * @param pcm Interleaved samples: 120, 240, 480 or 960 for each channel.
   * @returns A new array.
   * @throws RtcError `ERR_RTC_OPUS_FAILED`.
   */
  encode(pcm: Int16Array): Uint8Array;
  /** Bits per second, 6,000 to 510,000, from the next frame on. */
  setBitrate(bitsPerSecond: number): void;
  /** 0 to 10, from the next frame on. */
  setComplexity(complexity: number): void;
  /** Forgets what came before, as for a new stream. */
  reset(): void;
  /** Gives the memory back. Using it afterwards throws; freeing it again does nothing. */
  free(): void;
}

/** One stream being decoded. */
export interface OpusDecoder {
  readonly channels: 1 | 2;
  /**
   * Decodes one packet.
   *
   * @returns A new array of interleaved samples; `undefined` for bytes that are no Opus packet.
   */
  decode(packet: Uint8Array): Int16Array | undefined;
  /**
   * Makes up what a lost packet may have held. Advances the decoder by as much.
   *
   * @param samples For each channel: 120 to 2,880, a duration of Opus frames; else silence is made.
   */
  conceal(samples: number): Int16Array;
  /** Forgets what came before, as for a new stream. */
  reset(): void;
  /** Gives the memory back. Using it afterwards throws; freeing it again does nothing. */
  free(): void;
}

/** A library that encodes and decodes Opus. */
export interface OpusCodec {
  /** For statistics and logs. */
  readonly name: string;
  /** For one stream that is sent. */
  createEncoder(options: OpusEncoderOptions): OpusEncoder;
  /** For one stream that is received. */
  createDecoder(options: OpusDecoderOptions): OpusDecoder;
}

/** Samples of each channel in 20 ms: what Discord sends in one packet. */
export const FRAME_SAMPLES = 960;
/** The only rate Discord uses. */
export const OPUS_RATE = 48_000;
