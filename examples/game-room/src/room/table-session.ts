/**
 * Owns a page's place at the table: its camera and microphone, the media socket, who is heard and seen. Refuses to draw:
 * components read its view and hand in their canvases. Runs in browsers only, and is loaded when somebody sits down.
 */
import type { Unsubscribe } from '@guildkit/core';
import {
  type AudioPlayer,
  MediaClient,
  type MediaSender,
  type MediaView,
  playAudio,
  playVideo,
  sendCamera,
  sendMicrophone,
} from '@guildkit/realtime-client/media';
import { TABLE_OFF, type TableStatus, type TableView } from './table-view.js';

/** Enough for faces and cards on two cores. */
const PICTURE = { width: 320, height: 240, frameRate: 15 } as const;
const BITS_PER_SECOND = 300_000;
const SAMPLE_RATE = 48_000;
/** How often it is looked who speaks and shows, ms. */
const LOOK_MS = 150;
/** Without a picture for this long the camera is off, ms. */
const STALE_MS = 2_500;
/** Loudest sample from which somebody speaks. */
const LOUD = 0.02;
/** The relay's word for a seat that is gone: removed by a moderator, or with its channel. */
const REMOVED = 'ERR_MEDIA_SEAT_ENDED';
/** Between words nobody falls silent, ms. */
const PAUSE_MS = 400;

interface Heard {
  readonly userId: string;
  readonly player: AudioPlayer;
  readonly loudness: () => number;
}

interface Device {
  readonly track: MediaStreamTrack;
  sender: MediaSender | undefined;
  loudness?: (() => number) | undefined;
}

export class TableSession {
  private readonly url: string;
  private readonly ownId: string;
  private readonly listeners = new Set<() => void>();
  private shown: TableView = TABLE_OFF;
  private client: MediaClient | undefined;
  private audio: AudioContext | undefined;
  private readonly heard = new Map<number, Heard>();
  /** Streams of video by person, and when the last picture of each came. */
  private readonly seen = new Map<string, { readonly stream: number; at: number }>();
  private readonly lastLoud = new Map<string, number>();
  private microphone: Device | undefined;
  private camera: Device | undefined;
  private timer: ReturnType<typeof setInterval> | undefined;

  /** @param ownId Of whose page this is: what they say in Discord themselves is not played back to them. */
  constructor(channelId: string, ownId: string) {
    this.url = `/api/media?room=channel:${channelId}`;
    this.ownId = ownId;
  }

  readonly view = (): TableView => this.shown;

  readonly subscribe = (listener: () => void): Unsubscribe => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Takes a seat. Called by something the player did: sound may play from then on. */
  listen(): void {
    this.audio ??= new AudioContext({ sampleRate: SAMPLE_RATE });
    void this.audio.resume();
    if (this.client !== undefined) return;
    const client = new MediaClient({ url: this.url });
    this.client = client;
    client.on('stateChange', (view) => {
      // Whoever was removed does not come back by themselves.
      if (view.reason === REMOVED) queueMicrotask(() => this.client === client && this.removed());
      else this.change({ status: statusOf(view, this.shown.status) });
    });
    client.on('stream', ({ stream, userId, kind }) => {
      if (userId === this.ownId) return;
      if (kind === 'audio') this.hear(client, stream, userId);
      else this.seen.set(userId, { stream, at: performance.now() });
      this.look();
    });
    client.on('streamEnded', ({ stream, userId, kind }) => {
      if (kind === 'video' && this.seen.get(userId)?.stream === stream) this.seen.delete(userId);
      else this.heard.delete(stream);
      this.look();
    });
    client.on('frame', ({ kind, userId }) => {
      const video = kind === 'video' ? this.seen.get(userId) : undefined;
      if (video !== undefined) video.at = performance.now();
    });
    this.timer = setInterval(() => this.look(), LOOK_MS);
    this.change({ status: 'connecting' });
    client.connect();
  }

  async toggleMicrophone(): Promise<void> {
    if (this.microphone !== undefined) {
      stopDevice(this.microphone);
      this.microphone = undefined;
      this.change({ microphone: 'off', speaking: false });
      return;
    }
    await this.start('microphone', { audio: { echoCancellation: true, noiseSuppression: true } }, async (device) => {
      const audioContext = this.audio as AudioContext;
      device.sender = await sendMicrophone(this.client as MediaClient, device.track, { audioContext });
      const analyser = createAnalyser(audioContext);
      audioContext.createMediaStreamSource(new MediaStream([device.track])).connect(analyser);
      device.loudness = loudnessOf(analyser);
    });
  }

  async toggleCamera(): Promise<void> {
    if (this.camera !== undefined) {
      stopDevice(this.camera);
      this.camera = undefined;
      this.change({ camera: 'off', preview: undefined });
      return;
    }
    await this.start('camera', { video: PICTURE }, async (device) => {
      device.sender = sendCamera(this.client as MediaClient, device.track, { bitsPerSecond: BITS_PER_SECOND });
      this.change({ preview: new MediaStream([device.track]) });
    });
  }

  /**
   * Draws a stream. `onFrame` gets each picture when it is due: the place where an app looks at what a camera sees.
   *
   * @returns ends it.
   */
  play(stream: number, canvas: HTMLCanvasElement, onFrame?: (frame: VideoFrame) => void): () => void {
    if (this.client === undefined) return () => {};
    return playVideo(this.client, { stream, canvas, onFrame }).stop;
  }

  /** Tries at once where a wait is under way, and again where it was given up. */
  retry(): void {
    this.client?.close();
    this.client?.connect();
  }

  /** Gives the seat back; camera and microphone are off. `listen()` may follow. */
  leave(): void {
    clearInterval(this.timer);
    this.client?.close();
    this.client = undefined;
    for (const { player } of this.heard.values()) player.stop();
    for (const device of [this.microphone, this.camera]) if (device !== undefined) stopDevice(device);
    this.microphone = this.camera = undefined;
    for (const map of [this.heard, this.seen, this.lastLoud]) map.clear();
    void this.audio?.close().catch(() => {});
    this.audio = undefined;
    this.change(TABLE_OFF);
  }

  private removed(): void {
    this.leave();
    this.change({ problem: 'You were removed from the table, or the room has ended.' });
  }

  private async start(
    kind: 'microphone' | 'camera',
    constraints: MediaStreamConstraints,
    use: (device: Device) => Promise<void>,
  ): Promise<void> {
    if (this.shown[kind] === 'starting') return;
    this.listen();
    const { client } = this;
    this.change({ [kind]: 'starting', problem: undefined });
    let device: Device | undefined;
    try {
      const [track] = (await navigator.mediaDevices.getUserMedia(constraints)).getTracks();
      if (track === undefined) throw new DOMException('no track', 'NotFoundError');
      device = { track, sender: undefined };
      // Left while the browser asked.
      if (client !== this.client) return stopDevice(device);
      await use(device);
      if (client !== this.client) return stopDevice(device);
      this[kind] = device;
      // Unplugged, or taken away in the browser's own menu.
      track.addEventListener('ended', () => {
        if (this[kind] === device) void (kind === 'camera' ? this.toggleCamera() : this.toggleMicrophone());
      });
      this.change({ [kind]: 'on' });
    } catch (error) {
      if (device !== undefined) stopDevice(device);
      if (client === this.client) this.change({ [kind]: 'off', problem: problemOf(kind, error) });
    }
  }

  private hear(client: MediaClient, stream: number, userId: string): void {
    const audioContext = this.audio as AudioContext;
    const analyser = createAnalyser(audioContext);
    analyser.connect(audioContext.destination);
    const player = playAudio(client, { stream, audioContext, output: analyser });
    this.heard.set(stream, { userId, player, loudness: loudnessOf(analyser) });
  }

  /** Who speaks and who shows, now. */
  private look(): void {
    const now = performance.now();
    const speaks = (id: string, loudness: number): boolean => {
      if (loudness > LOUD) this.lastLoud.set(id, now);
      return now - (this.lastLoud.get(id) ?? -PAUSE_MS) < PAUSE_MS;
    };
    const loud = new Map<string, number>();
    for (const { userId, loudness } of this.heard.values()) loud.set(userId, loudness());
    const people = [...new Set([...this.seen.keys(), ...loud.keys()])].sort().map((userId) => {
      const video = this.seen.get(userId);
      return {
        userId,
        video: video?.stream,
        showing: video !== undefined && now - video.at < STALE_MS,
        speaking: speaks(userId, loud.get(userId) ?? 0),
      };
    });
    const { loudness } = this.microphone ?? {};
    const speaking = loudness !== undefined && speaks('', loudness());
    const before = this.shown;
    if (speaking !== before.speaking || JSON.stringify(people) !== JSON.stringify(before.people)) {
      this.change({ people, speaking });
    }
  }

  private change(part: Partial<TableView>): void {
    this.shown = { ...this.shown, ...part };
    for (const listener of this.listeners) listener();
  }
}

function statusOf({ status, attempt, reason }: MediaView, before: TableStatus): TableStatus {
  if (status === 'open') return status;
  // A try after one that failed changes nothing yet: what is said and read out stays.
  if (status === 'connecting') return attempt > 0 ? before : status;
  if (status === 'closed') return reason === undefined ? 'off' : 'refused';
  return reason === 'ERR_MEDIA_SEAT_UNAVAILABLE' ? 'full' : 'lost';
}

function stopDevice({ sender, track }: Device): void {
  sender?.stop();
  track.stop();
}

/** Remembers as much as passes between two looks. */
function createAnalyser(audioContext: AudioContext): AnalyserNode {
  return new AnalyserNode(audioContext, { fftSize: 8_192 });
}

/** Loudest sample of the last moment. */
function loudnessOf(analyser: AnalyserNode): () => number {
  const samples = new Float32Array(analyser.fftSize);
  return () => {
    analyser.getFloatTimeDomainData(samples);
    return samples.reduce((loudest, sample) => Math.max(loudest, Math.abs(sample)), 0);
  };
}

/** What people read. The names are those of getUserMedia. */
function problemOf(kind: 'microphone' | 'camera', error: unknown): string {
  const name = error instanceof Error ? error.name : '';
  if (name === 'NotAllowedError') return `The browser does not let this page use your ${kind}. Allow it and try again.`;
  if (name === 'NotFoundError') return `No ${kind} was found.`;
  if (name === 'NotReadableError') return `Your ${kind} is in use by another program.`;
  return `Your ${kind} could not be started.`;
}
