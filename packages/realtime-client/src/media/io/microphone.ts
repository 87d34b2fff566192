/** Owns the way from a microphone's track to the media socket: samples in, Opus out. Refuses to ask for the microphone: the page does. */
import type { MediaSender } from './camera.js';
import type { MediaClient } from './media-client.js';

/** Settings of {@link sendMicrophone}. */
export interface SendMicrophoneOptions {
  /** Of 48 kHz. It must have been started by something the user did. */
  readonly audioContext: AudioContext;
  /** @defaultValue 32_000: speech */
  readonly bitsPerSecond?: number | undefined;
  /** Called when the encoder fails: nothing is sent any more. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/** What Discord plays: 48 kHz, packets of 20 ms. */
const SAMPLE_RATE = 48_000;
const PACKET_SAMPLES = 960;

/** Runs beside the page: gathers what comes in blocks of 128 samples to packets. */
const WORKLET = `
registerProcessor('guildkit-tap', class extends AudioWorkletProcessor {
  packet = new Float32Array(${PACKET_SAMPLES});
  filled = 0;
  process([[samples]]) {
    for (let at = 0; samples && at < samples.length; ) {
      const count = Math.min(samples.length - at, this.packet.length - this.filled);
      this.packet.set(samples.subarray(at, at + count), this.filled);
      this.filled += count;
      at += count;
      if (this.filled === this.packet.length) {
        this.port.postMessage(this.packet, [this.packet.buffer]);
        this.packet = new Float32Array(${PACKET_SAMPLES});
        this.filled = 0;
      }
    }
    return true;
  }
});`;

/**
 * Encodes a microphone's samples as Opus, mono, 20 ms a packet, and sends them.
 *
 * @throws TypeError where the browser has no `AudioEncoder`, or the context is not of 48 kHz.
 */
export async function sendMicrophone(
  client: MediaClient,
  track: MediaStreamTrack,
  { audioContext, bitsPerSecond = 32_000, onError = () => {} }: SendMicrophoneOptions,
): Promise<MediaSender> {
  if (typeof AudioEncoder === 'undefined') throw new TypeError('this browser has no AudioEncoder');
  if (audioContext.sampleRate !== SAMPLE_RATE) throw new TypeError(`the AudioContext must be of ${SAMPLE_RATE} Hz`);
  await addWorklet(audioContext);
  let isPaused = false;
  let isStopped = false;
  let packets = 0;

  const encoder = new AudioEncoder({
    output(chunk) {
      const payload = new Uint8Array(chunk.byteLength);
      chunk.copyTo(payload);
      // Microseconds in ticks of 48 kHz.
      const timestamp = Math.round((chunk.timestamp * 48) / 1_000) >>> 0;
      client.send({ kind: 'audio', codec: 'opus', keyframe: false, timestamp, payload });
    },
    error(error) {
      stop();
      onError(error);
    },
  });
  encoder.configure({ codec: 'opus', sampleRate: SAMPLE_RATE, numberOfChannels: 1, bitrate: bitsPerSecond });
  const source = audioContext.createMediaStreamSource(new MediaStream([track]));
  const tap = new AudioWorkletNode(audioContext, 'guildkit-tap', {
    numberOfOutputs: 0,
    channelCount: 1,
    channelCountMode: 'explicit',
  });
  tap.port.onmessage = ({ data }: MessageEvent<Float32Array<ArrayBuffer>>) => {
    // Silence too takes its time: the timestamps go on.
    const timestamp = (packets * PACKET_SAMPLES * 1_000_000) / SAMPLE_RATE;
    packets += 1;
    if (isPaused || isStopped || client.state.status !== 'open') return;
    const audio = new AudioData({
      format: 'f32-planar',
      sampleRate: SAMPLE_RATE,
      numberOfChannels: 1,
      numberOfFrames: PACKET_SAMPLES,
      timestamp,
      data,
    });
    encoder.encode(audio);
    audio.close();
  };
  source.connect(tap);

  function stop(): void {
    if (isStopped) return;
    isStopped = true;
    track.removeEventListener('ended', stop);
    source.disconnect();
    tap.port.onmessage = null;
    tap.port.close();
    if (encoder.state !== 'closed') encoder.close();
  }

  track.addEventListener('ended', stop);
  return {
    pause() {
      isPaused = true;
    },
    resume() {
      isPaused = false;
    },
    stop,
  };
}

/** Contexts that know the worklet. */
const prepared = new WeakMap<AudioContext, Promise<void>>();

/** Needs `script-src blob:` where a page has a content security policy: worklets are scripts to it, not workers. */
function addWorklet(audioContext: AudioContext): Promise<void> {
  let adding = prepared.get(audioContext);
  if (!adding) {
    const url = URL.createObjectURL(new Blob([WORKLET], { type: 'text/javascript' }));
    adding = audioContext.audioWorklet.addModule(url).finally(() => URL.revokeObjectURL(url));
    prepared.set(audioContext, adding);
    adding.catch(() => prepared.delete(audioContext));
  }
  return adding;
}
