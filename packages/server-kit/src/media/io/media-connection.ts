/** Owns one page's media socket: frames between it and its seat, within their bounds. Refuses decisions about its life: those are the session's. */
import { type Clock, createDriver, type Driver, type Logger, messageOf, toLogText } from '@guildkit/core';
import { buildMediaFrame, type MediaControl, type MediaFrame, parseMediaFrame } from '@guildkit/core/wire';
import { mediaControlSchema } from '@guildkit/core/wire/schema';
import { WebSocket } from 'ws';
import type { Principal } from '../../principal.js';
import type { MediaErrorCode } from '../errors.js';
import { Intake } from '../protocol/intake.js';
import { Outflow, type Outgoing } from '../protocol/outflow.js';
import {
  createMediaReducer,
  type MediaEffect,
  type MediaInput,
  type MediaSession,
  type MediaSessionLimits,
  newMediaSession,
} from '../protocol/session.js';
import type { FromUser, MediaSeat, SeatAudio, SeatVideo } from '../seat.js';

/** Bounds of one connection. */
export interface MediaLimits extends MediaSessionLimits {
  readonly maxBitsPerSecond: number;
  readonly maxFramesPerSecond: number;
  readonly maxQueuedBytes: number;
}

/** What was relayed and dropped. */
export interface MediaCounters {
  audioIn: number;
  audioOut: number;
  videoIn: number;
  videoOut: number;
  videoInDropped: number;
  videoOutDropped: number;
  error(code: MediaErrorCode): void;
  close(code: number): void;
}

/** What a connection asks of its relay. */
export interface MediaHost {
  readonly limits: MediaLimits;
  readonly counters: MediaCounters;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Never rejects. */
  authenticate(
    token: string | undefined,
  ): Promise<{ readonly principal: Principal } | { readonly unavailable: boolean }>;
  admit(connection: MediaConnection, userId: string): boolean;
  /** `undefined`: there is none. May reject. */
  takeSeat(principal: Principal): Promise<MediaSeat | undefined>;
  releaseSeat(seat: MediaSeat, principal: Principal): void;
  release(connection: MediaConnection, userId: string): void;
  closed(connection: MediaConnection): void;
}

/** Bytes that the operating system may hold of ours before frames wait here, where video can still be dropped. */
const SOCKET_BYTES = 65_536;
/** How long after asking someone for a keyframe they are asked again, in ms. */
const ASK_AGAIN_MS = 500;
/** How often a page is told what was dropped of its frames, in ms. */
const TELL_DROPPED_MS = 1_000;
/** Streams of other people that one page is told of. */
const MAX_STREAMS = 256;

interface Stream {
  readonly id: number;
  readonly userId: string;
  askedAt: number;
}

/** One page. */
export class MediaConnection {
  readonly id: string;
  private readonly host: MediaHost;
  private readonly ws: WebSocket;
  private readonly driver: Driver<MediaSession, MediaInput>;
  private readonly intake: Intake;
  private readonly outflow: Outflow;
  private readonly streams = new Map<string, Stream>();
  private readonly undo: (() => void)[] = [];
  private seat: MediaSeat | undefined;
  private streamIds = 0;
  private readonly onSent = (): void => this.flush();
  private dropped = 0;
  private toldAt = 0;

  constructor(id: string, ws: WebSocket, host: MediaHost) {
    this.id = id;
    this.ws = ws;
    this.host = host;
    const { limits, clock, logger } = host;
    this.intake = new Intake(limits, clock.now());
    this.outflow = new Outflow(limits.maxQueuedBytes);
    this.driver = createDriver<MediaSession, MediaInput, MediaEffect>({
      reducer: createMediaReducer(limits),
      initial: newMediaSession(limits, clock.now()),
      run: (effect) => this.run(effect),
      onEffectError: (error, { type }) => {
        logger.error({ connectionId: id, effect: type, error: toLogText(messageOf(error)) }, 'media effect failed');
        ws.terminate();
      },
      clock,
    });
    ws.on('message', (data, isBinary) => this.onMessage(data as Buffer, isBinary));
    ws.on('pong', () => this.driver.dispatch({ type: 'pong' }));
    ws.on('error', (error: Error & { code?: string }) => {
      const isLarge = error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH';
      if (isLarge) this.break(4413, 'ERR_MEDIA_FRAME_TOO_LARGE');
      else if (error.code?.startsWith('WS_ERR_')) this.break(4400, 'ERR_MEDIA_FRAME_INVALID');
    });
    ws.on('close', (code) => {
      this.driver.dispatch({ type: 'socketClosed' });
      this.driver.stop();
      logger.info({ ...this.who(), code }, 'media connection closed');
      host.closed(this);
    });
    this.driver.dispatch({ type: 'opened' });
  }

  get userId(): string | undefined {
    return this.driver.state.principal?.userId;
  }

  drain(): void {
    this.driver.dispatch({ type: 'drain' });
  }

  terminate(): void {
    this.ws.terminate();
  }

  private who(): Readonly<Record<string, unknown>> {
    const { id: connectionId, userId } = this;
    return userId === undefined ? { connectionId } : { connectionId, userId: toLogText(userId) };
  }

  private break(code: 4400 | 4408 | 4413 | 4429, cause: MediaErrorCode): void {
    this.driver.dispatch({ type: 'broken', code, cause });
  }

  // ─── from the page ────────────────────────────────────────────────────────────────────────────────────────────

  private onMessage(data: Buffer, isBinary: boolean): void {
    const { phase } = this.driver.state;
    if (phase === 'closed') return;
    const parsed = isBinary ? parseMediaFrame(data) : undefined;
    if (parsed?.kind !== 'frame') {
      this.break(4400, 'ERR_MEDIA_FRAME_INVALID');
      return;
    }
    const { frame } = parsed;
    const kind = frame.kind === 'audio' || frame.kind === 'video' ? frame.kind : 'other';
    const now = this.host.clock.now();
    const verdict = this.intake.take(kind, data.length, frame.keyframe, now);
    if (verdict === 'flood') {
      this.break(4429, 'ERR_MEDIA_FRAME_RATE');
      return;
    }
    if (frame.kind === 'control') this.onControl(frame.payload);
    else if (phase !== 'open') this.break(4400, 'ERR_MEDIA_FRAME_INVALID');
    else if (frame.kind === 'keyframeRequest') this.askUser(frame.stream);
    else if (verdict === 'drop') this.onDropped(now);
    else this.toSeat(frame);
  }

  private onControl(payload: Uint8Array): void {
    const control = parseControl(payload);
    if (control === undefined) this.break(4400, 'ERR_MEDIA_FRAME_INVALID');
    else if (control.type === 'auth') this.driver.dispatch({ type: 'auth', token: control.token });
    // The others are ours to send: a page that echoes them does no harm.
  }

  private toSeat({ kind, codec, keyframe, timestamp, payload }: MediaFrame): void {
    const { counters } = this.host;
    if (kind === 'audio') {
      counters.audioIn += 1;
      this.seat?.sendAudio({ payload, timestamp });
    } else if (codec !== 'none' && codec !== 'opus') {
      counters.videoIn += 1;
      this.seat?.sendVideo({ codec, keyframe, payload, timestamp });
    }
  }

  private onDropped(now: number): void {
    this.host.counters.videoInDropped += 1;
    this.dropped += 1;
    if (this.intake.ask(now)) this.requestKeyframe();
    if (now - this.toldAt < TELL_DROPPED_MS) return;
    this.toldAt = now;
    this.control({ type: 'dropped', audio: 0, video: this.dropped });
    this.dropped = 0;
  }

  private requestKeyframe(): void {
    this.push('control', {
      kind: 'keyframeRequest',
      codec: 'none',
      stream: 0,
      keyframe: false,
      timestamp: 0,
      payload: NOTHING,
    });
  }

  /** The page asks someone for a keyframe, by the number of their stream. */
  private askUser(id: number): void {
    for (const stream of this.streams.values()) if (stream.id === id) this.ask(stream);
  }

  private ask(stream: Stream): void {
    const now = this.host.clock.now();
    if (now - stream.askedAt < ASK_AGAIN_MS) return;
    stream.askedAt = now;
    this.seat?.requestKeyframe?.(stream.userId);
  }

  // ─── to the page ──────────────────────────────────────────────────────────────────────────────────────────────

  private onAudio({ userId, payload, timestamp }: SeatAudio & FromUser): void {
    const stream = this.streamOf(userId, 'audio');
    if (stream === undefined) return;
    this.push('audio', { kind: 'audio', codec: 'opus', stream: stream.id, keyframe: false, timestamp, payload });
  }

  private onVideo({ userId, codec, keyframe, payload, timestamp }: SeatVideo & FromUser): void {
    const stream = this.streamOf(userId, 'video');
    if (stream === undefined) return;
    this.push('video', { kind: 'video', codec, stream: stream.id, keyframe, timestamp, payload });
  }

  private streamOf(userId: string, kind: 'audio' | 'video'): Stream | undefined {
    const key = `${kind} ${userId}`;
    const known = this.streams.get(key);
    if (known !== undefined || this.streams.size >= MAX_STREAMS) return known;
    this.streamIds += 1;
    const stream = { id: this.streamIds, userId, askedAt: Number.NEGATIVE_INFINITY };
    this.streams.set(key, stream);
    this.control({ type: 'stream', stream: stream.id, userId, kind });
    return stream;
  }

  private onLeft(userId: string): void {
    for (const kind of ['audio', 'video']) {
      const stream = this.streams.get(`${kind} ${userId}`);
      if (stream === undefined) continue;
      this.streams.delete(`${kind} ${userId}`);
      this.control({ type: 'streamEnded', stream: stream.id });
    }
  }

  private control(control: MediaControl): void {
    const payload = new TextEncoder().encode(JSON.stringify(control));
    this.push('control', { kind: 'control', codec: 'none', stream: 0, keyframe: false, timestamp: 0, payload });
  }

  private push(kind: Outgoing['kind'], frame: MediaFrame): void {
    if (this.driver.state.phase === 'closed') return;
    let bytes: Uint8Array;
    try {
      bytes = buildMediaFrame(frame);
    } catch {
      // A picture beyond the bound of a frame: its stream goes on with the next keyframe.
      this.host.counters.videoOutDropped += 1;
      return;
    }
    const before = this.outflow.length;
    const lost = this.outflow.push({ kind, stream: frame.stream, keyframe: frame.keyframe, bytes });
    if (lost === 'full') {
      this.break(4408, 'ERR_MEDIA_CONNECTION_SLOW');
      return;
    }
    this.host.counters.videoOutDropped += Math.max(0, before + 1 - this.outflow.length);
    if (lost.size > 0) for (const stream of this.streams.values()) if (lost.has(stream.id)) this.ask(stream);
    this.flush();
  }

  /** Hands on what the socket takes; the rest waits for it to be taken. */
  private flush(): void {
    const { ws, outflow, host } = this;
    while (ws.readyState === WebSocket.OPEN && ws.bufferedAmount < SOCKET_BYTES) {
      const next = outflow.shift();
      if (next === undefined) return;
      if (next.kind === 'audio') host.counters.audioOut += 1;
      else if (next.kind === 'video') host.counters.videoOut += 1;
      ws.send(next.bytes, this.onSent);
    }
  }

  // ─── effects ──────────────────────────────────────────────────────────────────────────────────────────────────

  private run(effect: MediaEffect): void {
    const { host, ws } = this;
    switch (effect.type) {
      case 'authenticate':
        void host.authenticate(effect.token).then((outcome) => this.onAuthOutcome(effect.attempt, outcome));
        return;
      case 'takeSeat':
        void this.takeSeat(effect.principal);
        return;
      case 'ready': {
        const { maxBitsPerSecond, maxFramesPerSecond } = host.limits;
        host.logger.info(this.who(), 'media connection opened');
        this.control({ type: 'ready', maxFrameBytes: MAX_FRAME_BYTES, maxBitsPerSecond, maxFramesPerSecond });
        this.listen();
        return;
      }
      case 'ping':
        ws.ping();
        return;
      case 'close':
        host.counters.error(effect.cause);
        host.counters.close(effect.code);
        host.logger.warn({ ...this.who(), code: effect.code, cause: effect.cause }, 'media connection is let go');
        ws.close(effect.code, effect.cause);
        return;
      case 'release':
        this.release();
        return;
    }
  }

  private onAuthOutcome(
    attempt: number,
    outcome: { readonly principal: Principal } | { readonly unavailable: boolean },
  ): void {
    if ('unavailable' in outcome) {
      this.driver.dispatch({ type: 'authFailed', attempt, unavailable: outcome.unavailable });
      return;
    }
    const { principal } = outcome;
    const { phase, principal: before } = this.driver.state;
    const expiresInMs = principal.expiresAt - this.host.clock.wallTime();
    const takesPlace = phase !== 'closed' && before === undefined && expiresInMs > 0;
    const admitted = !takesPlace || this.host.admit(this, principal.userId);
    this.driver.dispatch({ type: 'authenticated', attempt, principal, expiresInMs, admitted });
  }

  private async takeSeat(principal: Principal): Promise<void> {
    const { host } = this;
    try {
      const seat = await host.takeSeat(principal);
      if (seat !== undefined && this.driver.state.phase === 'closed') host.releaseSeat(seat, principal);
      else if (seat === undefined) this.driver.dispatch({ type: 'unseated', cause: 'ERR_MEDIA_SEAT_UNAVAILABLE' });
      else {
        this.seat = seat;
        this.driver.dispatch({ type: 'seated' });
      }
    } catch (error) {
      host.logger.warn({ ...this.who(), error: toLogText(messageOf(error)) }, 'media takeSeat failed');
      this.driver.dispatch({ type: 'unseated', cause: 'ERR_MEDIA_SEAT_FAILED' });
    }
  }

  private listen(): void {
    const { seat, undo } = this;
    if (seat === undefined) return;
    undo.push(
      seat.onAudio((frame) => this.onAudio(frame)),
      seat.onVideo((frame) => this.onVideo(frame)),
    );
    const optional = [
      seat.onKeyframeRequest?.(() => this.requestKeyframe()),
      seat.onLeft?.((userId) => this.onLeft(userId)),
      seat.onEnded?.(() => this.driver.dispatch({ type: 'unseated', cause: 'ERR_MEDIA_SEAT_ENDED' })),
    ];
    for (const each of optional) if (each !== undefined) undo.push(each);
  }

  private release(): void {
    for (const each of this.undo.splice(0)) each();
    const { seat } = this;
    const { principal } = this.driver.state;
    this.seat = undefined;
    if (principal === undefined) return;
    if (seat !== undefined) this.host.releaseSeat(seat, principal);
    this.host.release(this, principal.userId);
  }
}

const NOTHING = new Uint8Array(0);
const MAX_FRAME_BYTES = 262_144;

function parseControl(payload: Uint8Array): MediaControl | undefined {
  try {
    const parsed = mediaControlSchema.safeParse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload)));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}
