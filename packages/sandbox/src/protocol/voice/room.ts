/**
 * Owns who takes part in one voice channel: their SSRCs, what they announced, what they want to receive, and so what each
 * is told of the others and who gets which stream. Refuses sockets, keys and encryption.
 */
import type { StreamClaim, VideoClaim } from './frames.js';
import { VoiceOp } from './opcodes.js';
import type { Seat, VoiceMessage } from './session-types.js';

/** Someone who takes part. */
export interface Participant {
  readonly userId: string;
  readonly seat: Pick<Seat, 'audioSsrc' | 'streams'>;
  /** As opcode 20 tells: 0 desktop; `null` for a bot. */
  readonly platform: number | null;
}

/** A message for one of the participants. `notice`: it counts only now, and has no number. */
export interface RoomOutput {
  readonly to: string;
  readonly message: VoiceMessage;
  readonly notice?: boolean | undefined;
}

/** What a user's voice state and member say of hearing and being heard. */
export interface Hearing {
  readonly muted: boolean;
  readonly deaf: boolean;
}

/** What an SSRC carries. */
export type StreamKind = 'audio' | 'video' | 'rtx';

/** Where a packet goes; or why nowhere. */
export type Route =
  | { readonly ok: true; readonly kind: StreamKind; readonly announced: boolean; readonly to: readonly string[] }
  | { readonly ok: false; readonly reason: 'spoofedSsrc' | 'muted' };

interface Seated extends Participant {
  /** As announced; `undefined` before. */
  speaking: { readonly bits: number; readonly delay: number } | undefined;
  video: VideoClaim | undefined;
  wants: Wants;
  /** What the others want of its streams, as it was told: 100 where nothing was said. */
  told: Map<number, number>;
}

interface Wants {
  readonly any: number;
  readonly bySsrc: ReadonlyMap<number, number>;
}

interface Source {
  readonly userId: string;
  readonly kind: StreamKind;
  /** Of a retransmission the stream it belongs to. */
  readonly mediaSsrc: number;
}

const FULL = 100;
const EVERYTHING: Wants = { any: FULL, bySsrc: new Map() };
/** What Discord's clients send as flags: clips are allowed. */
const CLIENT_FLAGS = 2;

/** One voice channel. */
export class VoiceRoom {
  private readonly seated = new Map<string, Seated>();
  private readonly sources = new Map<number, Source>();

  constructor(private readonly hearing: (userId: string) => Hearing) {}

  /** Ids of everyone who takes part, in order of arrival. */
  get userIds(): readonly string[] {
    return [...this.seated.keys()];
  }

  /** What someone last wanted to receive. */
  wantsOf(userId: string): { readonly any: number; readonly bySsrc: Readonly<Record<number, number>> } {
    const { any, bySsrc } = this.seated.get(userId)?.wants ?? EVERYTHING;
    return { any, bySsrc: Object.fromEntries(bySsrc) };
  }

  /** What someone has announced. */
  announcedBy(userId: string): { readonly speaking: number | undefined; readonly video: VideoClaim | undefined } {
    const seated = this.seated.get(userId);
    return { speaking: seated?.speaking?.bits, video: seated?.video };
  }

  /** Whose stream that is. */
  ownerOf(ssrc: number): string | undefined {
    return this.sources.get(ssrc)?.userId;
  }

  /** Takes someone in: the others are told of them, and they of the others. */
  join(participant: Participant): readonly RoomOutput[] {
    const gone = this.leave(participant.userId);
    const { userId, seat } = participant;
    const others = [...this.seated.values()];
    const newcomer: Seated = {
      ...participant,
      speaking: undefined,
      video: undefined,
      wants: EVERYTHING,
      told: new Map(),
    };
    this.seated.set(userId, newcomer);
    this.sources.set(seat.audioSsrc, { userId, kind: 'audio', mediaSsrc: seat.audioSsrc });
    for (const { ssrc, rtxSsrc } of seat.streams) {
      this.sources.set(ssrc, { userId, kind: 'video', mediaSsrc: ssrc });
      this.sources.set(rtxSsrc, { userId, kind: 'rtx', mediaSsrc: ssrc });
    }
    const outputs: RoomOutput[] = [
      ...gone,
      { to: userId, message: { op: VoiceOp.MediaSinkWants, d: { any: FULL } }, notice: true },
    ];
    if (others.length > 0) {
      const ids = others.map((other) => other.userId);
      outputs.push({ to: userId, message: { op: VoiceOp.ClientsConnect, d: { user_ids: ids } } });
    }
    for (const other of others) outputs.push(...introduce(other, userId), ...announcements(other, userId));
    for (const other of others) {
      const connect = { op: VoiceOp.ClientsConnect, d: { user_ids: [userId] } };
      outputs.push({ to: other.userId, message: connect }, ...introduce(newcomer, other.userId));
    }
    return outputs;
  }

  /** Lets someone go; nothing when they are not there. */
  leave(userId: string): readonly RoomOutput[] {
    if (!this.seated.delete(userId)) return [];
    for (const [ssrc, source] of this.sources) if (source.userId === userId) this.sources.delete(ssrc);
    const message = { op: VoiceOp.ClientDisconnect, d: { user_id: userId } };
    return [...this.toOthers(userId, message), ...this.tellWants()];
  }

  /** Someone begins or ends to speak. */
  speaking(userId: string, bits: number, delay: number): readonly RoomOutput[] {
    const speaker = this.seated.get(userId);
    if (speaker === undefined) return [];
    speaker.speaking = { bits, delay };
    return this.toOthers(userId, speakingMessage(speaker));
  }

  /** Someone begins or ends to send video. */
  video(userId: string, claim: VideoClaim): readonly RoomOutput[] {
    const sender = this.seated.get(userId);
    if (sender === undefined) return [];
    sender.video = isShowing(claim) ? claim : undefined;
    return [...this.toOthers(userId, videoMessage(sender, claim)), ...this.tellWants()];
  }

  /** Someone says what they want to receive. */
  wants(userId: string, wants: Wants): readonly RoomOutput[] {
    const receiver = this.seated.get(userId);
    if (receiver === undefined) return [];
    receiver.wants = wants;
    return this.tellWants();
  }

  /** Where a packet of that SSRC goes. */
  route(senderId: string, ssrc: number): Route {
    const source = this.sources.get(ssrc);
    const sender = this.seated.get(senderId);
    if (source === undefined || sender === undefined || source.userId !== senderId) {
      return { ok: false, reason: 'spoofedSsrc' };
    }
    const isAudio = source.kind === 'audio';
    if (isAudio && this.hearing(senderId).muted) return { ok: false, reason: 'muted' };
    const to: string[] = [];
    for (const { userId, wants } of this.seated.values()) {
      if (userId === senderId) continue;
      if (isAudio ? this.hearing(userId).deaf : wanted(wants, source.mediaSsrc) === 0) continue;
      to.push(userId);
    }
    const announced = isAudio ? sender.speaking !== undefined : sender.video !== undefined;
    return { ok: true, kind: source.kind, announced, to };
  }

  private toOthers(userId: string, message: VoiceMessage): readonly RoomOutput[] {
    return [...this.seated.keys()].filter((id) => id !== userId).map((to) => ({ to, message }));
  }

  /** Tells every sender what the others want of its streams, where that has changed. */
  private tellWants(): readonly RoomOutput[] {
    const outputs: RoomOutput[] = [];
    for (const sender of this.seated.values()) {
      const now = new Map<number, number>();
      const others = [...this.seated.values()].filter((other) => other !== sender);
      for (const { ssrc } of sender.seat.streams) {
        const most = others.length === 0 ? FULL : Math.max(...others.map(({ wants }) => wanted(wants, ssrc)));
        if (most !== FULL) now.set(ssrc, most);
      }
      if (isSame(sender.told, now)) continue;
      sender.told = now;
      const d = { any: FULL, ...Object.fromEntries(now) };
      outputs.push({ to: sender.userId, message: { op: VoiceOp.MediaSinkWants, d }, notice: true });
    }
    return outputs;
  }
}

const wanted = ({ any, bySsrc }: Wants, ssrc: number): number => bySsrc.get(ssrc) ?? any;

const isShowing = ({ videoSsrc, streams }: VideoClaim): boolean =>
  videoSsrc !== 0 || streams.some(({ active, ssrc }) => active && ssrc !== 0);

const isSame = (a: ReadonlyMap<number, number>, b: ReadonlyMap<number, number>): boolean =>
  a.size === b.size && [...a].every(([ssrc, quality]) => b.get(ssrc) === quality);

function introduce({ userId, platform }: Participant, to: string): readonly RoomOutput[] {
  return [
    { to, message: { op: VoiceOp.Flags, d: { user_id: userId, flags: CLIENT_FLAGS } } },
    { to, message: { op: VoiceOp.Platform, d: { user_id: userId, platform } } },
  ];
}

function announcements(participant: Seated, to: string): readonly RoomOutput[] {
  const outputs: RoomOutput[] = [];
  if (participant.speaking !== undefined) outputs.push({ to, message: speakingMessage(participant) });
  if (participant.video !== undefined) outputs.push({ to, message: videoMessage(participant, participant.video) });
  return outputs;
}

function speakingMessage({ userId, seat, speaking }: Seated): VoiceMessage {
  const d = { user_id: userId, ssrc: seat.audioSsrc, speaking: speaking?.bits ?? 0, delay: speaking?.delay ?? 0 };
  return { op: VoiceOp.Speaking, d };
}

function videoMessage({ userId, seat }: Participant, { videoSsrc, rtxSsrc, streams }: VideoClaim): VoiceMessage {
  const d = {
    user_id: userId,
    audio_ssrc: seat.audioSsrc,
    video_ssrc: videoSsrc,
    rtx_ssrc: rtxSsrc,
    streams: streams.map(showStream),
  };
  return { op: VoiceOp.Video, d };
}

function showStream({ type, rid, quality, ssrc, rtxSsrc, active, limits }: StreamClaim): unknown {
  const { maxBitrate, maxFramerate, maxResolution } = limits;
  return {
    type,
    rid,
    ssrc,
    rtx_ssrc: rtxSsrc,
    active,
    quality,
    ...(maxBitrate === undefined ? {} : { max_bitrate: maxBitrate }),
    ...(maxFramerate === undefined ? {} : { max_framerate: maxFramerate }),
    ...(maxResolution === undefined ? {} : { max_resolution: maxResolution }),
  };
}
