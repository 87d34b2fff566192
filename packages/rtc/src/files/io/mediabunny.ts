/**
 * Owns loading mediabunny, which reads and writes WebM, Matroska and Ogg. It is an optional peer: without it, this says so.
 * Its own types want those of the DOM; what is used of them stands here.
 */
import { messageOf } from '@guildkit/core';
import { RtcError } from '../../errors.js';

/** One packet of a track. Times in seconds. */
export interface BunnyPacket {
  readonly data: Uint8Array;
  readonly type: 'key' | 'delta';
  readonly timestamp: number;
}

/** One track of a file. */
export interface BunnyTrack {
  readonly codec: string | null;
  readonly displayWidth: number;
  readonly displayHeight: number;
}

/** A file being read. */
export interface BunnyInput {
  canRead(): Promise<boolean>;
  getPrimaryAudioTrack(): Promise<BunnyTrack | null>;
  getPrimaryVideoTrack(): Promise<BunnyTrack | null>;
  dispose(): void;
}

/** A track being written. */
export interface BunnySource {
  add(packet: BunnyPacket, meta?: object): Promise<void>;
}

/** A file being written. */
export interface BunnyOutput {
  addAudioTrack(source: BunnySource): unknown;
  addVideoTrack(source: BunnySource, metadata?: object): unknown;
  start(): Promise<void>;
  finalize(): Promise<void>;
}

/** What is used of the library. */
export interface Bunny {
  readonly ALL_FORMATS: readonly unknown[];
  readonly Input: new (options: { readonly formats: readonly unknown[]; readonly source: unknown }) => BunnyInput;
  readonly FilePathSource: new (path: string) => unknown;
  readonly BufferSource: new (bytes: Uint8Array) => unknown;
  readonly EncodedPacketSink: new (track: BunnyTrack) => { packets(): AsyncGenerator<BunnyPacket, void, unknown> };
  readonly Output: new (options: { readonly format: unknown; readonly target: unknown }) => BunnyOutput;
  readonly WebMOutputFormat: new () => unknown;
  readonly FilePathTarget: new (path: string) => unknown;
  readonly EncodedAudioPacketSource: new (codec: 'opus') => BunnySource;
  readonly EncodedVideoPacketSource: new (codec: 'vp8' | 'vp9') => BunnySource;
  readonly EncodedPacket: new (
    data: Uint8Array,
    type: 'key' | 'delta',
    timestamp: number,
    duration: number,
  ) => BunnyPacket;
}

/** @throws RtcError (rejects) `ERR_RTC_FILE_READER_MISSING` */
export async function loadBunny(): Promise<Bunny> {
  try {
    return (await import('mediabunny')) as unknown as Bunny;
  } catch (cause) {
    throw new RtcError('ERR_RTC_FILE_READER_MISSING', `mediabunny could not be loaded: ${messageOf(cause)}`, { cause });
  }
}

/** Opens a file or its bytes. @throws RtcError (rejects) `ERR_RTC_FILE_READER_MISSING`, `ERR_RTC_FILE_UNSUPPORTED` */
export async function openInput(
  file: string | Uint8Array,
): Promise<{ readonly bunny: Bunny; readonly input: BunnyInput }> {
  const bunny = await loadBunny();
  const source = typeof file === 'string' ? new bunny.FilePathSource(file) : new bunny.BufferSource(file);
  const input = new bunny.Input({ formats: bunny.ALL_FORMATS, source });
  if (await input.canRead()) return { bunny, input };
  input.dispose();
  throw new RtcError('ERR_RTC_FILE_UNSUPPORTED', 'the file is of no kind that can be read');
}
