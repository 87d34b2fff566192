/** Owns files as sources of video. */
import { RtcError } from '../errors.js';
import type { DeferredSource } from '../media/audio-types.js';
import { isKeyframe } from '../media/protocol/video-header.js';
import type { VideoFrame, VideoTrack } from '../media/video-types.js';
import type { VideoCodec } from '../protocol/voice-codecs.js';
import { closing } from './io/closing.js';
import { type FileInput, headOf, piecesOf } from './io/file-bytes.js';
import { type BunnyPacket, openInput } from './io/mediabunny.js';
import { createIvfParser, type IvfFrame, type IvfHeader, isIvf } from './protocol/ivf.js';

const CODECS: Readonly<Record<string, VideoCodec>> = { vp8: 'VP8', vp9: 'VP9' };

/**
 * The video of an IVF file (VP8, VP9, H.264), or of a WebM, Matroska or MP4 file (VP8, VP9), for `sendVideo`. Nothing is
 * decoded. All but IVF needs the package mediabunny. Opening it fails with RtcError `ERR_RTC_FILE_READER_MISSING` or
 * `ERR_RTC_FILE_UNSUPPORTED`, and as `node:fs` does.
 *
 * @param file A path, or the bytes of the file.
 */
export function videoFromFile(file: FileInput): DeferredSource<VideoTrack> {
  return {
    open: async () => (isIvf(await headOf(file, 4)) ? openIvf(file) : openContainer(file)),
  };
}

async function openContainer(file: FileInput): Promise<VideoTrack> {
  const { bunny, input } = await openInput(file);
  const track = await input.getPrimaryVideoTrack();
  const codec = CODECS[track?.codec ?? ''];
  if (track === null || codec === undefined) {
    input.dispose();
    throw new RtcError('ERR_RTC_FILE_UNSUPPORTED', `the file has ${track?.codec ?? 'no'} video, VP8 or VP9 is needed`);
  }
  const packets = new bunny.EncodedPacketSink(track).packets();
  const frames = closing(fromPackets(packets), () => input.dispose());
  return { codec, frames, width: track.displayWidth, height: track.displayHeight };
}

async function* fromPackets(packets: AsyncIterable<BunnyPacket>): AsyncGenerator<VideoFrame> {
  for await (const { data, type, timestamp } of packets) {
    yield { data, keyframe: type === 'key', timestamp: Math.round(timestamp * 1_000_000) };
  }
}

async function openIvf(file: FileInput): Promise<VideoTrack> {
  const frames = ivfFrames(file);
  // Up to the first frame: then the header is known.
  const first = await frames.next();
  if (first.done === true) throw new RtcError('ERR_RTC_FILE_UNSUPPORTED', 'the file ends before its first frame');
  const { codec, width, height } = first.value.header;
  return { codec, frames: closing(timed(first.value, frames), () => void frames.return(undefined)), width, height };
}

interface Read {
  readonly header: IvfHeader;
  readonly frame: IvfFrame;
}

async function* ivfFrames(file: FileInput): AsyncGenerator<Read, undefined> {
  const parser = createIvfParser();
  for await (const bytes of piecesOf(file)) {
    const result = parser.push(bytes);
    if (!result.ok) throw new RtcError('ERR_RTC_FILE_UNSUPPORTED', `no IVF file: ${result.problem}`);
    for (const frame of result.frames) yield { header: parser.header as IvfHeader, frame };
  }
  return undefined;
}

async function* timed(first: Read, rest: AsyncGenerator<Read, undefined>): AsyncGenerator<VideoFrame> {
  const read = ({ header: { codec, rate, scale }, frame: { data, timestamp } }: Read): VideoFrame => ({
    data,
    keyframe: isKeyframe(codec, data),
    timestamp: Math.round((timestamp * scale * 1_000_000) / rate),
  });
  yield read(first);
  for await (const next of rest) yield read(next);
}
