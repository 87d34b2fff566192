/**
 * Owns Opus by opusscript's WebAssembly module, without opusscript's own wrapper: that one writes beside its buffers, and
 * with four codecs at once they corrupt each other. Here one module serves all codecs, which share its work memory: calls
 * never overlap. Refuses sizes the module has no room for: it does not check them itself.
 */
import { messageOf } from '@guildkit/core';
import { opus } from '@guildkit/rtp';
import { RtcError } from '../../errors.js';
import { splitOpus } from '../protocol/opus-frames.js';
import type {
  OpusApplication,
  OpusCodec,
  OpusDecoder,
  OpusDecoderOptions,
  OpusEncoder,
  OpusEncoderOptions,
} from './opus-codec.js';

/** An encoder and a decoder of libopus in one. Addresses are numbers. */
interface Handler {
  /** PCM in, as one byte in each 16-bit cell; the packet's length out, or an error below zero. */
  _encode(pcm: number, pcmBytes: number, packet: number, samples: number): number;
  /** The samples of each channel, as one byte in each 16-bit cell; or an error below zero. */
  _decode(packet: number, packetBytes: number, pcm: number): number;
  _encoder_ctl(request: number, value: number): number;
  _decoder_ctl(request: number, value: number): number;
}

/** What opusscript's module exports. */
interface OpusModule {
  /** Replaced when the memory grows: never kept. */
  readonly HEAPU8: Uint8Array;
  readonly HEAPU16: Uint16Array;
  _malloc(bytes: number): number;
  readonly OpusScriptHandler: {
    new (rate: number, channels: number, application: number): Handler;
    destroy_handler(handler: Handler): void;
  };
}

const RATE = 48_000;
const APPLICATIONS = { voip: 2048, audio: 2049, lowdelay: 2051 } as const satisfies Record<OpusApplication, number>;
const SET_BITRATE = 4002;
const SET_COMPLEXITY = 4010;
const SET_INBAND_FEC = 4012;
const RESET_STATE = 4028;

/** 20 ms: the module's own buffer for encoding holds no more in stereo, and does not check. */
const MAX_ENCODE_SAMPLES = 960;
/** 60 ms: longer packets overflow the module's stack of 64 KiB, by a few bytes. They are decoded frame by frame. */
const MAX_DECODE_SAMPLES = 2_880;
/** 120 ms: the longest packet there is (RFC 6716 section 3.2.5). */
const MAX_PACKET_SAMPLES = 5_760;
/** The module's own buffer for a packet. */
const MAX_PACKET_BYTES = 3_828;
/** Durations of one frame, longest first, with a TOC configuration that has it (RFC 6716 table 2). */
const FRAMES: readonly (readonly [samples: number, configuration: number])[] = [
  [2_880, 11],
  [1_920, 10],
  [960, 31],
  [480, 30],
  [240, 29],
  [120, 28],
];

/** Addresses of the memory that all codecs work in. */
interface Workspace {
  readonly module: OpusModule;
  readonly pcm: number;
  readonly packet: number;
}

/** Makes the codec of a loaded module. */
export function createOpusWasm(module: OpusModule): OpusCodec {
  // Two channels, two bytes for each sample, two bytes for each of those.
  const workspace: Workspace = {
    module,
    pcm: module._malloc(MAX_DECODE_SAMPLES * 2 * 2 * 2),
    packet: module._malloc(MAX_PACKET_BYTES),
  };
  return {
    name: 'opusscript',
    createEncoder: (options) => new WasmEncoder(workspace, options),
    createDecoder: (options) => new WasmDecoder(workspace, options),
  };
}

let loaded: Promise<OpusCodec> | undefined;

/**
 * The Opus of this package. Loaded once: the module takes 16 MiB, whatever the number of codecs.
 *
 * @throws RtcError (rejects) `ERR_RTC_OPUS_UNAVAILABLE`.
 */
export function loadOpus(): Promise<OpusCodec> {
  loaded ??= load();
  return loaded;
}

async function load(): Promise<OpusCodec> {
  try {
    // @ts-expect-error opusscript types its wrapper only.
    const imported: unknown = await import('opusscript/build/opusscript_native_wasm.js');
    const { default: create } = imported as { readonly default: () => OpusModule };
    return createOpusWasm(create());
  } catch (cause) {
    throw new RtcError('ERR_RTC_OPUS_UNAVAILABLE', messageOf(cause), { cause });
  }
}

/** A handler of libopus and whether it is still there. */
class Native {
  private handler: Handler | undefined;

  constructor(
    private readonly workspace: Workspace,
    readonly channels: 1 | 2,
    application: OpusApplication,
  ) {
    this.handler = guard(
      () => new workspace.module.OpusScriptHandler(RATE, channels, APPLICATIONS[application]),
      'no codec can be made',
    );
  }

  get alive(): Handler {
    if (this.handler === undefined) throw new RtcError('ERR_RTC_OPUS_FAILED', 'the codec was freed');
    return this.handler;
  }

  free(): void {
    if (this.handler === undefined) return;
    this.workspace.module.OpusScriptHandler.destroy_handler(this.handler);
    this.handler = undefined;
  }
}

class WasmEncoder implements OpusEncoder {
  readonly channels: 1 | 2;
  private readonly native: Native;

  constructor(
    private readonly workspace: Workspace,
    { channels, application = 'audio', bitrate = 64_000, complexity = 5 }: OpusEncoderOptions,
  ) {
    this.channels = channels;
    this.native = new Native(workspace, channels, application);
    this.setBitrate(bitrate);
    this.setComplexity(complexity);
    // Off: no receiver of Discord's is known to use it, and the module cannot decode it.
    this.control(SET_INBAND_FEC, 0);
  }

  encode(pcm: Int16Array): Uint8Array {
    const handler = this.native.alive;
    const samples = pcm.length / this.channels;
    if (samples > MAX_ENCODE_SAMPLES || !FRAMES.some(([frame]) => frame === samples)) {
      throw new RtcError('ERR_RTC_OPUS_FAILED', `a frame of ${samples} samples: Opus has none of that length`);
    }
    const { module, pcm: address, packet } = this.workspace;
    const cells = module.HEAPU16;
    let at = address >> 1;
    for (const sample of pcm) {
      cells[at] = sample & 0xff;
      cells[at + 1] = (sample >> 8) & 0xff;
      at += 2;
    }
    const length = guard(() => handler._encode(address, pcm.length * 2, packet, samples), 'encoding failed');
    if (length < 0) throw new RtcError('ERR_RTC_OPUS_FAILED', `libopus says ${length}`);
    return module.HEAPU8.slice(packet, packet + length);
  }

  setBitrate(bitsPerSecond: number): void {
    this.control(SET_BITRATE, bitsPerSecond);
  }

  setComplexity(complexity: number): void {
    this.control(SET_COMPLEXITY, complexity);
  }

  reset(): void {
    this.control(RESET_STATE, 0);
  }

  free(): void {
    this.native.free();
  }

  private control(request: number, value: number): void {
    const result = this.native.alive._encoder_ctl(request, value);
    if (result < 0) throw new RtcError('ERR_RTC_OPUS_FAILED', `libopus says ${result} to request ${request}, ${value}`);
  }
}

class WasmDecoder implements OpusDecoder {
  readonly channels: 1 | 2;
  private readonly native: Native;
  /** First byte of the last packet: how many channels it had. */
  private toc = 0;

  constructor(
    private readonly workspace: Workspace,
    { channels }: OpusDecoderOptions,
  ) {
    this.channels = channels;
    this.native = new Native(workspace, channels, 'audio');
  }

  decode(packet: Uint8Array): Int16Array | undefined {
    const samples = opus.samplesOf(packet);
    // No samples: an empty packet, which libopus would take for a loss of 120 ms, or one longer than there may be.
    if (samples === undefined || samples > MAX_PACKET_SAMPLES || packet.length > MAX_PACKET_BYTES) return undefined;
    this.toc = packet[0] as number;
    return samples > MAX_DECODE_SAMPLES ? this.decodeLong(packet, samples) : this.decodePart(packet);
  }

  conceal(samples: number): Int16Array {
    const pcm = new Int16Array(samples * this.channels);
    let done = 0;
    for (const [frame, configuration] of FRAMES) {
      while (samples - done >= frame) {
        // A packet that ends behind its first byte is a frame that was not sent (RFC 6716 section 2.1.9): libopus conceals
        // exactly one frame of the duration it names, and takes the way of coding from the packet before.
        this.workspace.module.HEAPU8[this.workspace.packet] = (configuration << 3) | (this.toc & 4);
        const made = this.run(1);
        if (made !== undefined) pcm.set(made, done * this.channels);
        done += frame;
      }
    }
    return pcm;
  }

  reset(): void {
    this.native.alive._decoder_ctl(RESET_STATE, 0);
  }

  free(): void {
    this.native.free();
  }

  private decodeLong(packet: Uint8Array, samples: number): Int16Array | undefined {
    const parts = splitOpus(packet)?.map((part) => this.decodePart(part));
    if (parts === undefined) return undefined;
    const pcm = new Int16Array(samples * this.channels);
    let at = 0;
    for (const part of parts) {
      if (part === undefined) return undefined;
      pcm.set(part, at);
      at += part.length;
    }
    return pcm;
  }

  private decodePart(packet: Uint8Array): Int16Array | undefined {
    this.workspace.module.HEAPU8.set(packet, this.workspace.packet);
    return this.run(packet.length);
  }

  private run(packetBytes: number): Int16Array | undefined {
    const handler = this.native.alive;
    const { module, pcm: address, packet } = this.workspace;
    const samples = guard(() => handler._decode(packet, packetBytes, address), 'decoding failed');
    if (samples < 0) return undefined;
    const pcm = new Int16Array(samples * this.channels);
    const cells = module.HEAPU16;
    let at = address >> 1;
    for (let n = 0; n < pcm.length; n += 1) {
      pcm[n] = (cells[at] as number) | ((cells[at + 1] as number) << 8);
      at += 2;
    }
    return pcm;
  }
}

/** What the module throws has no code and may be no Error. */
function guard<T>(call: () => T, what: string): T {
  try {
    return call();
  } catch (cause) {
    throw new RtcError('ERR_RTC_OPUS_FAILED', `${what}: ${messageOf(cause)}`, { cause });
  }
}
