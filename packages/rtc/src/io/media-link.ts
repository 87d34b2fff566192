/**
 * Owns the port to media ({@link MediaTransport}) over one voice connection: ciphers, what was announced, who is who. Refuses
 * sockets: it is handed datagrams and given a way to send them.
 */
import type { Clock, Logger, Redacted, Unsubscribe } from '@guildkit/core';
import {
  buildRtcp,
  buildRtp,
  createPacketCipher,
  demux,
  type EncryptionMode,
  type PacketCipher,
  parseRtcp,
  parseRtp,
  type RtcpPacket,
  type RtpPacketInit,
} from '@guildkit/rtp';
import { encodeSinkWants, encodeSpeaking, encodeVideo } from '../codec/encode-voice-message.js';
import type { DaveClient, DaveCodec } from '../dave/dave.js';
import type {
  MediaSession,
  MediaSinkWants,
  MediaTransport,
  MediaTransportListener,
  RemoteSpeaking,
  RemoteVideo,
  RtpHeaderExtensionIds,
  VideoAnnouncement,
} from '../media/transport.js';
import { type CodecName, isVideoCodec, type VideoCodec } from '../protocol/voice-codecs.js';
import type { ServerOffer, SessionDescription } from '../protocol/voice-frames.js';
import type { VoiceNews } from '../protocol/voice-news.js';

/** Counters of the UDP path since the client was made. */
export interface PathCounters {
  packetsSent: number;
  bytesSent: number;
  packetsReceived: number;
  bytesReceived: number;
  /** Packets that could not be decrypted: forged, damaged, or of a session before. */
  packetsForged: number;
  /** Packets that are none. */
  packetsMalformed: number;
  /** Packets that could not be sent: no session, or the socket refused. */
  packetsUnsent: number;
}

/** What a link works with. */
export interface MediaLinkInit {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly headerExtensions: RtpHeaderExtensionIds;
  readonly videoCodecs: readonly VideoCodec[];
  /** To the voice gateway, if it is open. */
  sendText(text: string): void;
  /** To the voice server; whether it was handed over. */
  sendDatagram(bytes: Uint8Array): boolean;
  /** The end-to-end side; `undefined`: the call goes without. */
  dave(): DaveClient | undefined;
  /** A listener threw, or packets cannot be sealed any more. */
  onError(error: unknown): void;
  /** The key has sealed as many packets as it may. */
  onKeySpent(): void;
}

interface Prepared {
  readonly offer: ServerOffer;
  readonly videoCodec: VideoCodec | undefined;
  readonly cipher: PacketCipher;
  readonly key: Redacted<Uint8Array>;
}

interface Known {
  speaking?: RemoteSpeaking | undefined;
  video?: RemoteVideo | undefined;
}

/** More than a stage holds: what a server says of more people is not believed. */
const MAX_USERS = 50_000;

const DAVE_CODECS = {
  opus: 'opus',
  VP8: 'vp8',
  VP9: 'vp9',
  H264: 'h264',
  H265: 'h265',
  AV1: 'av1',
} as const satisfies Readonly<Record<CodecName, DaveCodec>>;

/** Media's way to a voice connection. */
export class MediaLink implements MediaTransport {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly headerExtensions: RtpHeaderExtensionIds;
  session: MediaSession | undefined;
  readonly counters: PathCounters = {
    packetsSent: 0,
    bytesSent: 0,
    packetsReceived: 0,
    bytesReceived: 0,
    packetsForged: 0,
    packetsMalformed: 0,
    packetsUnsent: 0,
  };
  private prepared: Prepared | undefined;
  private cipher: PacketCipher | undefined;
  private generation = 0;
  private speaking = 0;
  private video: VideoAnnouncement | undefined;
  private wants: MediaSinkWants | undefined;
  /** Who is in the channel, and what was told of them: a session that starts anew is told again. */
  private readonly users = new Map<string, Known>();
  private readonly listeners = new Set<MediaTransportListener>();

  constructor(private readonly init: MediaLinkInit) {
    this.clock = init.clock;
    this.logger = init.logger;
    this.headerExtensions = init.headerExtensions;
  }

  // ---- for the connection

  /**
   * Makes the cipher of a described session.
   *
   * @throws RtpError when it cannot be had (rejects).
   */
  async prepare(offer: ServerOffer, description: SessionDescription): Promise<void> {
    const { mode, secretKey } = description;
    const cipher = this.cipherOf(mode, secretKey) ?? (await createPacketCipher(mode, secretKey.reveal()));
    this.prepared = { offer, cipher, key: secretKey, videoCodec: this.suited(description.videoCodec) };
  }

  /** Lets media flow by what was prepared last. */
  start(userId: string, channelId: string): void {
    const { prepared } = this;
    if (prepared === undefined) return;
    const { offer, cipher, videoCodec } = prepared;
    this.generation += 1;
    this.cipher = cipher;
    this.video = undefined;
    this.wants = undefined;
    this.session = {
      generation: this.generation,
      userId,
      channelId,
      audioSsrc: offer.ssrc,
      videoStreams: offer.streams,
      videoCodec,
      mode: cipher.mode,
    };
    // Docs, Voice: Speaking: at least one before sending or receiving, else the server closes for an invalid SSRC.
    this.init.sendText(encodeSpeaking(this.speaking, offer.ssrc));
    const { session } = this;
    this.tell((listener) => listener.onSession?.(session));
    // What was said before, or of a session that only changed its key.
    const userIds = [...this.users.keys()].filter((id) => id !== userId);
    if (userIds.length > 0) this.tell((listener) => listener.onUsersJoined?.(userIds));
    for (const { speaking, video } of [...this.users.values()]) {
      if (speaking !== undefined) this.tell((listener) => listener.onSpeaking?.(speaking));
      if (video !== undefined) this.tell((listener) => listener.onVideo?.(video));
    }
  }

  /** A new session is about to be made: who was there is told anew. */
  forget(): void {
    this.users.clear();
  }

  /** No media any more. */
  stop(): void {
    this.cipher = undefined;
    if (this.session === undefined) return;
    this.session = undefined;
    this.users.clear();
    this.tell((listener) => listener.onSession?.(undefined));
  }

  /** The voice gateway is back: what was announced meanwhile, it has not heard. */
  repeat(): void {
    const { session } = this;
    if (session === undefined) return;
    this.init.sendText(encodeSpeaking(this.speaking, session.audioSsrc));
    if (this.video !== undefined) this.init.sendText(encodeVideo(session.audioSsrc, this.video));
    if (this.wants !== undefined) this.init.sendText(encodeSinkWants(this.wants));
  }

  /** Takes a datagram that is no answer to discovery or keepalive. */
  receive(datagram: Uint8Array): void {
    const { cipher, counters } = this;
    counters.packetsReceived += 1;
    counters.bytesReceived += datagram.length;
    if (cipher === undefined) return;
    const kind = demux(datagram);
    if (kind === undefined) {
      counters.packetsMalformed += 1;
      return;
    }
    const opened = cipher.open(datagram);
    if (!opened.ok) {
      counters[opened.reason === 'forged' ? 'packetsForged' : 'packetsMalformed'] += 1;
      return;
    }
    const now = this.clock.now();
    if (kind === 'rtp') {
      const packet = parseRtp(opened.value);
      if (packet.ok) this.tell((listener) => listener.onRtp?.(packet.value, now));
      else counters.packetsMalformed += 1;
    } else {
      const packets = parseRtcp(opened.value);
      if (packets.ok) this.tell((listener) => listener.onRtcp?.(packets.value, now));
      else counters.packetsMalformed += 1;
    }
  }

  /** Takes what the voice gateway says of others. */
  hear(news: VoiceNews): void {
    switch (news.type) {
      case 'speaking':
        this.join([news.userId]);
        this.know(news.userId, { speaking: news });
        if (this.session !== undefined) this.tell((listener) => listener.onSpeaking?.(news));
        return;
      case 'video':
        this.join([news.userId]);
        this.know(news.userId, { video: news });
        if (this.session !== undefined) this.tell((listener) => listener.onVideo?.(news));
        return;
      case 'clientsConnect':
        this.join(news.userIds);
        return;
      case 'clientDisconnect':
        this.users.delete(news.userId);
        if (this.session !== undefined) this.tell((listener) => listener.onUserLeft?.(news.userId));
        return;
      case 'codecs': {
        if (this.session === undefined) return;
        const videoCodec = this.suited(news.videoCodec);
        if (videoCodec === this.session.videoCodec) return;
        this.session = { ...this.session, videoCodec };
        this.tell((listener) => listener.onCodec?.(videoCodec));
        return;
      }
      case 'sinkWants':
        this.tell((listener) => listener.onSinkWants?.(news.wants));
        return;
      default:
    }
  }

  /** Frames that were refused may be tried again. */
  hasKeys(): void {
    this.tell((listener) => listener.onKeys?.());
  }

  // ---- for media

  sendRtp(packet: RtpPacketInit): boolean {
    return this.seal(() => buildRtp(packet));
  }

  sendRtcp(packets: readonly RtcpPacket[]): boolean {
    return this.seal(() => buildRtcp(packets));
  }

  setSpeaking(flags: number): void {
    if (flags === this.speaking) return;
    this.speaking = flags;
    if (this.session !== undefined) this.init.sendText(encodeSpeaking(flags, this.session.audioSsrc));
  }

  announceVideo(video: VideoAnnouncement | undefined): void {
    if (JSON.stringify(video) === JSON.stringify(this.video)) return;
    this.video = video;
    if (this.session !== undefined) this.init.sendText(encodeVideo(this.session.audioSsrc, video));
  }

  setSinkWants(wants: MediaSinkWants): void {
    if (JSON.stringify(wants) === JSON.stringify(this.wants)) return;
    this.wants = wants;
    if (this.session !== undefined) this.init.sendText(encodeSinkWants(wants));
  }

  encryptFrame(codec: CodecName, frame: Uint8Array): Uint8Array | undefined {
    const dave = this.init.dave();
    if (dave === undefined) return frame;
    const result = dave.encrypt(codec === 'opus' ? 'audio' : 'video', DAVE_CODECS[codec], frame);
    return result.ok ? result.data : undefined;
  }

  decryptFrame(userId: string, codec: CodecName, frame: Uint8Array): ReturnType<MediaTransport['decryptFrame']> {
    const dave = this.init.dave();
    if (dave === undefined) return { ok: true, frame };
    const result = dave.decrypt(userId, codec === 'opus' ? 'audio' : 'video', frame, this.clock.now());
    if (result.ok) return { ok: true, frame: result.data };
    return { ok: false, reason: result.reason === 'pending' ? 'noKey' : 'forged' };
  }

  listen(listener: MediaTransportListener): Unsubscribe {
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
    };
  }

  // ---- helpers

  private seal(build: () => Uint8Array): boolean {
    const { cipher, counters } = this;
    let sealed: Uint8Array | undefined;
    if (cipher !== undefined) {
      try {
        sealed = cipher.seal(build());
      } catch (error) {
        if ((error as { code?: unknown }).code === 'ERR_RTP_NONCE_EXHAUSTED') this.init.onKeySpent();
        else this.init.onError(error);
      }
    }
    if (sealed === undefined || !this.init.sendDatagram(sealed)) {
      counters.packetsUnsent += 1;
      return false;
    }
    counters.packetsSent += 1;
    counters.bytesSent += sealed.length;
    return true;
  }

  /** A key that is told again goes on with its cipher: nonces must not repeat. */
  private cipherOf(mode: EncryptionMode, key: Redacted<Uint8Array>): PacketCipher | undefined {
    const { prepared } = this;
    if (prepared === undefined || prepared.cipher.mode !== mode) return undefined;
    const bytes = key.reveal();
    return prepared.key.reveal().every((byte, index) => byte === bytes[index]) ? prepared.cipher : undefined;
  }

  private suited(codec: CodecName | undefined): VideoCodec | undefined {
    const { videoCodecs } = this.init;
    // A server that names none leaves the choice to us.
    if (codec === undefined) return videoCodecs[0];
    return isVideoCodec(codec) && videoCodecs.includes(codec) ? codec : undefined;
  }

  private join(userIds: readonly string[]): void {
    const room = MAX_USERS - this.users.size;
    const fresh = userIds.filter((userId) => !this.users.has(userId) && userId !== this.session?.userId).slice(0, room);
    if (fresh.length === 0) return;
    for (const userId of fresh) this.users.set(userId, {});
    if (this.session !== undefined) this.tell((listener) => listener.onUsersJoined?.(fresh));
  }

  private know(userId: string, news: Known): void {
    const known = this.users.get(userId);
    if (known !== undefined) Object.assign(known, news);
  }

  private tell(call: (listener: MediaTransportListener) => void): void {
    for (const listener of this.listeners) {
      try {
        call(listener);
      } catch (error) {
        this.init.onError(error);
      }
    }
  }
}
