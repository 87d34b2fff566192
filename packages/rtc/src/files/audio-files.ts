/** Owns files as sources of audio. */
import { opus as opusFormat } from '@guildkit/rtp';
import { RtcError } from '../errors.js';
import type { DeferredSource, OpusSource, PcmSource } from '../media/audio-types.js';
import { closing } from './io/closing.js';
import { type FileInput, piecesOf } from './io/file-bytes.js';
import { openInput } from './io/mediabunny.js';
import { createWavParser, type WavFormat } from './protocol/wav.js';

/**
 * The Opus of a WebM, Matroska, Ogg or MP4 file, for `sendAudio`. Nothing is decoded: its packets are sent as they are. Needs
 * the package mediabunny. Opening it fails with RtcError `ERR_RTC_FILE_READER_MISSING` or `ERR_RTC_FILE_UNSUPPORTED`.
 *
 * @param file A path, or the bytes of the file.
 */
export function opusFromFile(file: FileInput): DeferredSource<OpusSource> {
  return {
    async open() {
      const { bunny, input } = await openInput(file);
      const track = await input.getPrimaryAudioTrack();
      if (track?.codec !== 'opus') {
        input.dispose();
        throw new RtcError('ERR_RTC_FILE_UNSUPPORTED', `the file has ${track?.codec ?? 'no'} audio, Opus is needed`);
      }
      const sink = new bunny.EncodedPacketSink(track);
      return { opus: closing(packets(sink.packets()), () => input.dispose()) };
    },
  };
}

async function* packets(source: AsyncIterable<{ readonly data: Uint8Array }>): AsyncGenerator<Uint8Array> {
  for await (const { data } of source) {
    // A damaged packet is a lost one, not the end of the file.
    if (opusFormat.samplesOf(data) !== undefined) yield data;
  }
}

/**
 * A WAV file, for `sendAudio`: PCM of 16, 24 or 32 bits or floats, mono or stereo, any rate. Opening it fails with RtcError
 * `ERR_RTC_FILE_UNSUPPORTED`, and as `node:fs` does.
 *
 * @param file A path, or the bytes of the file.
 */
export function wavFromFile(file: FileInput): DeferredSource<PcmSource> {
  return {
    async open() {
      const chunks = samplesOf(file);
      // Up to the first samples: then the format is known.
      const first = await chunks.next();
      if (first.done === true) throw new RtcError('ERR_RTC_FILE_UNSUPPORTED', 'the file ends before its sound');
      const { format } = first.value;
      const { sampleRate, channels } = format;
      if (channels !== 1 && channels !== 2) {
        await chunks.return(undefined);
        throw new RtcError('ERR_RTC_FILE_UNSUPPORTED', `the file has ${channels} channels, 1 or 2 are needed`);
      }
      const pcm = closing(withFirst(first.value.samples, chunks), () => void chunks.return(undefined));
      return { pcm, sampleRate, channels };
    },
  };
}

interface Piece {
  readonly samples: Float32Array;
  readonly format: WavFormat;
}

async function* samplesOf(file: FileInput): AsyncGenerator<Piece, undefined> {
  const parser = createWavParser();
  for await (const bytes of piecesOf(file)) {
    const result = parser.push(bytes);
    if (!result.ok) throw new RtcError('ERR_RTC_FILE_UNSUPPORTED', `no WAV file: ${result.problem}`);
    if (parser.format !== undefined && result.samples.length > 0) {
      yield { samples: result.samples, format: parser.format };
    }
  }
  return undefined;
}

async function* withFirst(first: Float32Array, rest: AsyncGenerator<Piece, undefined>): AsyncGenerator<Float32Array> {
  yield first;
  for await (const { samples } of rest) yield samples;
}
