/**
 * Owns the voice side of a sandbox: joins voice states, the voice gateway, the media server and DAVE. Follows the dispatches
 * of the main gateway, which say who is where.
 */
import { type Clock, Redacted } from '@guildkit/core';
import { createPacketCipher, isEncryptionMode } from '@guildkit/rtp';
import { GatewayDispatchEvents } from 'discord-api-types/v10';
import { type MediaPeer, MediaServer, newMediaStats } from '../io/media-server.js';
import { sessionKey, VoiceHub, type VoiceHubCount, type VoiceTarget } from '../io/voice-hub.js';
import { listenForVoice, type VoiceServer } from '../io/voice-server.js';
import { createRandom, randomHex, type SeededRandom } from '../protocol/random.js';
import { type AdmissionVerdict, VoiceGrants } from '../protocol/voice/admission.js';
import type { VoiceFrame, VoiceRequest } from '../protocol/voice/frames.js';
import type { VoiceRoom } from '../protocol/voice/room.js';
import type { Admission, Description, Seat, VoiceSession } from '../protocol/voice/session-types.js';
import type { DispatchData, WorldEvent } from '../protocol/world/events.js';
import type { Guild, World } from '../protocol/world/types.js';
import { changeVoice, voiceServerUpdate } from '../protocol/world/voice.js';
import type { TrafficLog } from '../traffic.js';
import type { SandboxVoice, VoiceChannelView, VoiceSessionView } from './inspection.js';
import { MediaFaultTable } from './media-fault-table.js';
import type { VoiceSettings } from './options.js';
import { Seats, ssrcsOf } from './seats.js';
import { VoiceChannels } from './voice-channels.js';
import { VoicePeople } from './voice-people.js';

/** What the voice side is made of. */
export interface VoiceSideOptions {
  readonly world: World;
  readonly seed: number;
  readonly clock: Clock;
  readonly traffic: TrafficLog;
  readonly settings: VoiceSettings;
  /** What the sandbox is bound to. */
  readonly host: string;
  /** How that is written in a URL. */
  readonly urlHost: string;
  readonly tls: { readonly key: string; readonly chain: string } | undefined;
  broadcast(events: readonly WorldEvent[]): void;
}

/** Where someone is. */
interface Place {
  readonly channelId: string;
  readonly sessionId: string;
  /** Of a simulated person. */
  readonly seat: Seat | undefined;
}

type VoiceStateData = DispatchData[typeof GatewayDispatchEvents.VoiceStateUpdate];
type ChannelData = DispatchData[typeof GatewayDispatchEvents.ChannelUpdate];

const KEY_BYTES = 32;
const MESSAGE_WINDOW_MS = 60_000;
/** A heartbeat may be half an interval late, and never less than this, so that a busy machine does not cut. */
const MIN_HEARTBEAT_GRACE_MS = 5_000;
/** Platforms of opcode 20: desktop. */
const DESKTOP = 0;
/** Keeps the sources of SSRCs and keys apart from those of ids and tokens. */
const SEED_SALT = 0x7011ce;

const NOTHING: Readonly<Record<VoiceHubCount, number>> = {
  connections: 0,
  disconnections: 0,
  identifies: 0,
  resumes: 0,
  resumesRefused: 0,
  heartbeats: 0,
  badFrames: 0,
  internalErrors: 0,
};

/** The voice side. */
export class VoiceSide implements SandboxVoice {
  readonly hub: VoiceHub;
  readonly faults: MediaFaultTable;
  private readonly grants: VoiceGrants;
  private readonly random: SeededRandom;
  private readonly channels: VoiceChannels;
  readonly people: VoicePeople;
  private readonly places = new Map<string, Place>();
  private readonly seats: Seats;
  private readonly modes = new Map<string, string>();
  private server: VoiceServer | undefined;

  private constructor(
    private readonly options: VoiceSideOptions,
    readonly mediaServer: MediaServer,
    private readonly announced: string,
    readonly counters: Record<VoiceHubCount, number>,
  ) {
    const { world, seed, clock, traffic, settings } = options;
    this.grants = new VoiceGrants(world);
    this.random = createRandom(seed ^ SEED_SALT);
    const { modes } = settings;
    this.seats = new Seats(this.random, () => ({ ip: announced, port: mediaServer.port, modes }));
    this.faults = new MediaFaultTable(mediaServer, clock, seed);
    this.channels = new VoiceChannels({
      clock,
      dave: settings.dave,
      deliver: (guildId, userId, message, notice) => this.hub.tell(sessionKey({ guildId, userId }), message, notice),
      deliverToPerson: (guildId, userId, message) => this.people.take(guildId, userId, message),
    });
    this.people = new VoicePeople({
      clock,
      server: mediaServer,
      channels: this.channels,
      placeOf: (guildId, userId) => {
        const { seat, channelId = '' } = this.places.get(sessionKey({ guildId, userId })) ?? {};
        const channel = this.channels.get(channelId);
        return seat === undefined || channel === undefined ? undefined : { channel, seat };
      },
      showCamera: (guildId, userId, on) => this.showCamera(guildId, userId, on),
    });
    const { heartbeatIntervalMs, messageLimit, resumeWindowMs } = settings;
    this.hub = new VoiceHub({
      clock,
      rules: {
        heartbeatIntervalMs,
        heartbeatGraceMs: Math.max(heartbeatIntervalMs / 2, MIN_HEARTBEAT_GRACE_MS),
        messageLimit,
        messageWindowMs: MESSAGE_WINDOW_MS,
        resumeWindowMs,
      },
      admit: (frame) => this.admit(frame),
      onStart: (session) => this.onStart(session),
      prepare: (session, mode) => this.prepare(session, mode),
      onEnter: (session) => this.onEnter(session),
      onRequest: (session, request) => this.onRequest(session, request),
      onConnection: (session, connected) => {
        const channel = this.channels.get(session.channelId);
        const { userId } = session;
        if (channel !== undefined) this.channels.step(channel, { type: connected ? 'resumed' : 'detached', userId });
      },
      onEnd: (session) => this.onEnd(session),
      note: (direction, what, socket) => traffic.add('voice', direction, what, { socket }),
      count: (what) => {
        this.counters[what] += 1;
      },
    });
    // Those whom a saved state has in voice.
    for (const guild of world.guilds.values()) {
      for (const { userId, channelId, sessionId } of guild.voiceStates.values()) {
        this.follow(guild, userId, channelId, sessionId);
      }
    }
  }

  /** Opens the ports. @throws SandboxError (rejects) `ERR_SANDBOX_PORT_UNAVAILABLE`. */
  static async open(options: VoiceSideOptions): Promise<VoiceSide> {
    const { settings, host, clock, tls } = options;
    const bound = settings.ipv6 && !host.includes(':') ? '::1' : host;
    const counters = { ...NOTHING };
    const onError = (): void => {
      counters.internalErrors += 1;
    };
    const media = await MediaServer.open({ host: bound, port: settings.udpPort, clock, onError });
    const side = new VoiceSide(options, media, announcedAddress(bound), counters);
    try {
      side.server = await listenForVoice({
        host,
        port: settings.port,
        tls,
        onConnection: (ws, version) => side.hub.accept(ws, version),
      });
    } catch (error) {
      await media.close();
      throw error;
    }
    return side;
  }

  get endpoint(): string {
    return `${this.options.urlHost}:${this.server?.port ?? 0}`;
  }

  get media(): { readonly address: string; readonly port: number } {
    return { address: this.announced, port: this.mediaServer.port };
  }

  get packets(): SandboxVoice['packets'] {
    return this.mediaServer.totals;
  }

  sessions(): readonly VoiceSessionView[] {
    return this.hub.list().map(({ session, connected }) => {
      const { userId, guildId, channelId, stage, daveVersion, seat } = session;
      const room = this.channels.get(channelId)?.room;
      const announced = room?.announcedBy(userId);
      return {
        userId,
        guildId,
        channelId,
        connected,
        stage,
        mode: this.modes.get(sessionKey(session)),
        daveVersion,
        audioSsrc: seat.audioSsrc,
        streams: seat.streams.map(({ type, rid, ssrc, rtxSsrc }) => ({ type, rid, ssrc, rtxSsrc })),
        speaking: announced?.speaking,
        video: activeSsrcs(announced?.video),
        wants: room?.wantsOf(userId) ?? { any: 100, bySsrc: {} },
        media: this.mediaServer.peer(sessionKey(session))?.stats ?? newMediaStats(),
      };
    });
  }

  channel(channelId: string): VoiceChannelView | undefined {
    const channel = this.channels.get(channelId);
    if (channel === undefined) return undefined;
    const { room, dave } = channel;
    return {
      userIds: room.userIds,
      dave: dave === undefined ? undefined : { view: dave.view, counters: dave.counters },
    };
  }

  /** Follows a dispatch of the main gateway; what follows from it. */
  observe(event: WorldEvent): readonly WorldEvent[] {
    const guild = this.options.world.guilds.get(event.guildId);
    if (guild === undefined || event.sessionId !== undefined) return [];
    if (event.name === GatewayDispatchEvents.VoiceStateUpdate) {
      const data = event.data as VoiceStateData;
      return this.follow(guild, data.user_id, data.channel_id, data.session_id);
    }
    if (event.name !== GatewayDispatchEvents.ChannelUpdate) return [];
    const { id } = event.data as ChannelData;
    const region = guild.channels.get(id)?.rtcRegion ?? null;
    const channel = this.channels.get(id);
    if (channel === undefined || channel.region === region) return [];
    channel.region = region;
    return this.moveServer({ channelId: id }, false);
  }

  /** A bot without a voice session asks for the channel that it is in: it is told of its voice server again. */
  again(guildId: string, userId: string, sessionId: string): readonly WorldEvent[] {
    const key = sessionKey({ guildId, userId });
    // With another session of the main gateway it gets one anyway, as for another channel.
    if (this.places.get(key)?.sessionId !== sessionId || this.hub.session(key) !== undefined) return [];
    // A token that nobody came with yet stays as it is: someone may be on the way with it.
    const token = this.grants.unused(guildId, userId);
    if (token === undefined) return [this.grant(guildId, userId, sessionId)];
    return [voiceServerUpdate(guildId, token, this.endpoint, sessionId)];
  }

  /**
   * Gives every session of a channel, or of a user, another voice server: what bots are told. `outage`: first that there is
   * none.
   */
  moveServer({ userId, channelId }: VoiceTarget, outage: boolean): readonly WorldEvent[] {
    const events: WorldEvent[] = [];
    for (const { session } of this.hub.list()) {
      if (userId !== undefined && userId !== session.userId) continue;
      if (channelId !== undefined && channelId !== session.channelId) continue;
      const { guildId, id } = session;
      if (outage) events.push(voiceServerUpdate(guildId, randomHex(this.random, 16), null, id));
      events.push(this.grant(guildId, session.userId, id));
      this.hub.end(sessionKey(session), 4014);
    }
    return events;
  }

  async close(): Promise<void> {
    this.faults.dispose();
    this.people.close();
    this.hub.close();
    this.channels.close();
    await Promise.all([this.server?.close(), this.mediaServer.close()]);
  }

  /** Someone is somewhere else, or not in voice any more. */
  private follow(guild: Guild, userId: string, channelId: string | null, sessionId: string): readonly WorldEvent[] {
    const key = sessionKey({ guildId: guild.id, userId });
    const before = this.places.get(key);
    if (before !== undefined && before.channelId === channelId && before.sessionId === sessionId) return [];
    const isBot = this.options.world.bots.has(userId);
    if (before !== undefined) this.leave(guild, userId, before);
    if (channelId === null) {
      this.places.delete(key);
      return [];
    }
    if (isBot) {
      this.places.set(key, { channelId, sessionId, seat: undefined });
      return [this.grant(guild.id, userId, sessionId)];
    }
    const seat = this.seats.make();
    this.seats.occupy(seat);
    this.places.set(key, { channelId, sessionId, seat });
    const channel = this.channels.use(guild, channelId);
    this.channels.tell(channel, channel.room.join({ userId, seat, platform: DESKTOP }));
    return [];
  }

  private leave(guild: Guild, userId: string, { channelId, seat }: Place): void {
    if (seat === undefined) {
      this.grants.revoke(guild.id, userId);
      // Discord docs, Opcodes and Status Codes: 4022 when the channel is deleted.
      this.hub.end(sessionKey({ guildId: guild.id, userId }), guild.channels.has(channelId) ? 4014 : 4022);
      return;
    }
    this.people.end(guild.id, userId);
    this.seats.vacate(seat);
    this.channels.depart(channelId, userId);
  }

  private grant(guildId: string, userId: string, sessionId: string): WorldEvent {
    const token = randomHex(this.options.world.random, 16);
    this.grants.issue(guildId, userId, token);
    return voiceServerUpdate(guildId, token, this.endpoint, sessionId);
  }

  private admit(frame: Extract<VoiceFrame, { kind: 'identify' | 'resume' }>): Admission | undefined {
    const verdict: AdmissionVerdict = this.grants.judge(frame);
    if (!verdict.ok) return verdict;
    if (frame.kind === 'resume') return undefined;
    const { guild, channelId, userId } = verdict;
    if (this.channels.refuses(guild, channelId, frame.daveVersion)) return { ok: false, code: 4017 };
    this.grants.use(guild.id, userId);
    return { ok: true, channelId, seat: this.seats.make(frame.streams) };
  }

  private onStart(session: VoiceSession): void {
    const { userId, seat } = session;
    this.seats.occupy(seat);
    const peer: MediaPeer = {
      userId,
      audioSsrc: seat.audioSsrc,
      ssrcs: ssrcsOf(seat),
      stats: newMediaStats(),
      room: undefined,
      cipher: undefined,
      address: undefined,
      up: undefined,
      down: undefined,
    };
    this.mediaServer.add(sessionKey(session), peer);
    this.faults.apply(peer);
  }

  private async prepare(session: VoiceSession, mode: string): Promise<Description> {
    if (!isEncryptionMode(mode)) throw new RangeError(mode);
    const secretKey = Array.from({ length: KEY_BYTES }, () => Math.floor(this.random() * 256));
    const mediaSessionId = randomHex(this.random, 32);
    const key = sessionKey(session);
    const cipher = await createPacketCipher(mode, secretKey);
    const peer = this.mediaServer.peer(key);
    // Another session may have taken its place meanwhile.
    if (peer?.audioSsrc === session.seat.audioSsrc) {
      peer.cipher = cipher;
      this.modes.set(key, mode);
    }
    const guild = this.options.world.guilds.get(session.guildId);
    const daveVersion =
      guild === undefined ? 0 : this.channels.versionFor(guild, session.channelId, session.daveVersion);
    return { mode, secretKey: new Redacted(secretKey), mediaSessionId, daveVersion };
  }

  private onEnter(session: VoiceSession): void {
    const { userId, guildId, channelId, seat, daveVersion } = session;
    const guild = this.options.world.guilds.get(guildId);
    if (guild === undefined) return;
    const channel = this.channels.use(guild, channelId);
    this.mediaServer.enter(sessionKey(session), channel.room);
    this.channels.tell(channel, channel.room.join({ userId, seat, platform: null }));
    this.channels.enrol(channel, userId, daveVersion);
    this.people.enrolAll(channel);
  }

  private onRequest({ userId, guildId, channelId }: VoiceSession, request: VoiceRequest): void {
    const channel = this.channels.get(channelId);
    if (channel === undefined) return;
    switch (request.kind) {
      case 'speaking':
        this.channels.tell(channel, channel.room.speaking(userId, request.speaking, request.delay));
        return;
      case 'video':
        this.channels.tell(channel, channel.room.video(userId, request));
        this.showCamera(guildId, userId, channel.room.announcedBy(userId).video !== undefined);
        return;
      case 'wants':
        this.channels.tell(channel, channel.room.wants(userId, request));
        return;
      case 'keyPackage':
      case 'commitWelcome':
        this.channels.step(channel, { type: request.kind, userId, payload: request.payload });
        return;
      case 'transitionReady':
      case 'invalidCommitWelcome':
        this.channels.step(channel, { type: request.kind, userId, transitionId: request.transitionId });
        return;
      default:
        return;
    }
  }

  /** Who announces video is shown with a camera. */
  private showCamera(guildId: string, userId: string, selfVideo: boolean): void {
    const { world, broadcast } = this.options;
    const guild = world.guilds.get(guildId);
    const state = guild?.voiceStates.get(userId);
    if (guild === undefined || state === undefined || state.selfVideo === selfVideo) return;
    broadcast(changeVoice(world, guild, userId, { selfVideo }));
  }

  private onEnd(session: VoiceSession): void {
    const key = sessionKey(session);
    this.mediaServer.remove(key);
    this.modes.delete(key);
    this.seats.vacate(session.seat);
    this.channels.depart(session.channelId, session.userId);
  }
}

function activeSsrcs(video: ReturnType<VoiceRoom['announcedBy']>['video']): readonly number[] {
  if (video === undefined) return [];
  const active = video.streams.filter((stream) => stream.active && stream.ssrc !== 0).map(({ ssrc }) => ssrc);
  return active.length === 0 && video.videoSsrc !== 0 ? [video.videoSsrc] : active;
}

/** An address that packets can be sent to: of the unspecified ones loopback. */
function announcedAddress(host: string): string {
  if (host === '0.0.0.0' || host === 'localhost') return '127.0.0.1';
  return host === '::' ? '::1' : host;
}
