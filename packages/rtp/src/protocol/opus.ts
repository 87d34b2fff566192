/** Owns Opus in RTP (RFC 7587): one Opus packet is one payload. Reads durations (RFC 6716), decodes nothing. */
import { check, resolveOptions } from '@guildkit/core';
import { RtpError } from '../errors.js';
import type { Settings } from '../settings.js';
import { u8 } from './bytes.js';
import { createSequenceWatch } from './frame-assembler.js';
import {
  DEFAULT_MTU,
  type Depacketizer,
  depacketizerOptions,
  type MediaFrame,
  mtuCheck,
  type PacketizeOptions,
  type PayloadFormat,
  requireFrame,
} from './payload-format.js';

/** Options of `opus.packetize`. */
export interface OpusPacketizeOptions extends PacketizeOptions {
  /**
   * The first packet after silence: sets the marker (RFC 7587 section 4.1).
   *
   * @defaultValue false
   */
  readonly talkSpurt?: boolean | undefined;
}

/** An Opus packet that was received. */
export interface OpusFrame extends MediaFrame {
  /** The sender says that speech begins here. */
  readonly talkSpurt: boolean;
}

/** Opus in RTP, and what can be told of an Opus packet without decoding it. */
export interface OpusFormat extends PayloadFormat<OpusPacketizeOptions, OpusFrame> {
  /** 20 ms of silence, as Discord's clients send it: five of them end a talk spurt. Passes DAVE unencrypted. */
  readonly silence: Uint8Array;
  /** Whether a packet is that silence. */
  isSilence(packet: Uint8Array): boolean;
  /**
   * How long a plain Opus packet plays, in samples at 48 kHz per channel: 960 for 20 ms (RFC 6716 section 3).
   *
   * @returns `undefined` when it is no Opus packet. An encrypted one gives a wrong answer.
   */
  samplesOf(packet: Uint8Array): number | undefined;
}

const DEFAULTS: Settings<OpusPacketizeOptions> = { mtu: DEFAULT_MTU, talkSpurt: false };
const NO_FRAMES: readonly never[] = Object.freeze([]);

/** Samples of one frame by configuration (RFC 6716 table 2): SILK, hybrid, CELT. */
const FRAME_SAMPLES: readonly number[] = [
  ...[0, 1, 2].flatMap(() => [480, 960, 1_920, 2_880]),
  ...[0, 1].flatMap(() => [480, 960]),
  ...[0, 1, 2, 3].flatMap(() => [120, 240, 480, 960]),
];

/** 120 ms: no packet may be longer (RFC 6716 section 3.2.5). */
const MAX_SAMPLES = 5_760;

/** Opus (RFC 7587). */
export const opus: OpusFormat = {
  get silence() {
    // A new one each time: an array cannot be frozen.
    return Uint8Array.of(0xf8, 0xff, 0xfe);
  },
  isSilence: (packet) => packet.length === 3 && packet[0] === 0xf8 && packet[1] === 0xff && packet[2] === 0xfe,
  samplesOf(packet) {
    if (packet.length === 0) return undefined;
    const toc = u8(packet, 0);
    const each = FRAME_SAMPLES[toc >> 3] as number;
    const code = toc & 3;
    if (code < 3) return each * (code === 0 ? 1 : 2);
    const total = each * ((packet[1] ?? 0) & 0x3f);
    return total > 0 && total <= MAX_SAMPLES ? total : undefined;
  },
  packetize(frame, options) {
    const { mtu, talkSpurt } = resolveOptions('opus.packetize', DEFAULTS, options, {
      mtu: mtuCheck,
      talkSpurt: check.boolean(),
    });
    requireFrame(frame);
    if (frame.length > mtu) {
      throw new RtpError('ERR_RTP_FRAME_OVERSIZED', `${frame.length} bytes of Opus: one payload holds ${mtu}`);
    }
    return [{ payload: frame, marker: talkSpurt }];
  },
  createDepacketizer(options): Depacketizer<OpusFrame> {
    // A frame is a packet: its size is bounded by the datagram. The option is taken all the same, and checked.
    const { maxFrameBytes } = depacketizerOptions('opus.createDepacketizer', options);
    const watch = createSequenceWatch();
    const counts = { frames: 0, dropped: 0, malformed: 0, ignored: 0 };
    let discontinuity = false;
    return {
      get stats() {
        return { ...counts };
      },
      reset() {
        watch.reset();
        discontinuity = false;
      },
      push({ payload, timestamp, sequenceNumber, marker }) {
        const position = watch.see(sequenceNumber);
        if (position === 'old') {
          counts.ignored += 1;
          return NO_FRAMES;
        }
        if (position === 'gap') discontinuity = true;
        if (payload.length === 0) return NO_FRAMES;
        if (payload.length > maxFrameBytes) {
          counts.dropped += 1;
          discontinuity = true;
          return NO_FRAMES;
        }
        const frame = { data: payload, timestamp, sequenceNumber, discontinuity, talkSpurt: marker };
        discontinuity = false;
        counts.frames += 1;
        return [frame];
      },
    };
  },
};
