/**
 * Owns one voice connection: runs the reducer, carries out its effects on a WebSocket, a UDP socket and the main gateway.
 * Refuses to decide anything that the reducer can.
 */
import { type Clock, createDriver, type Driver, type Logger, type VoiceStateRequest } from '@guildkit/core';
import { decodeVoiceBinary, decodeVoiceText } from '../codec/decode-voice-message.js';
import { encodeVoiceControl, type VoiceIdentity } from '../codec/encode-voice-message.js';
import type { DaveClient, DaveEvent } from '../dave/dave.js';
import { discoveryRequest, keepaliveRequest, parseControlDatagram } from '../protocol/udp-datagrams.js';
import { type EndpointScheme, voiceUrls } from '../protocol/voice-endpoint.js';
import type { VoiceControl } from '../protocol/voice-frames.js';
import type { VoiceNews } from '../protocol/voice-news.js';
import type { VoiceRules } from '../protocol/voice-rules.js';
import { createVoiceSession, initialVoice } from '../protocol/voice-session.js';
import type { VoiceCause, VoiceEffect, VoiceInput, VoicePhase, VoiceState } from '../protocol/voice-types.js';
import { DaveLink } from './dave-link.js';
import { MediaLink, type MediaLinkInit } from './media-link.js';
import { openUdpSocket, type UdpSocket } from './udp-socket.js';
import { openVoiceSocket, type VoiceSocket } from './voice-socket.js';

type Effect = VoiceEffect<VoiceNews>;
type Input = VoiceInput<VoiceNews>;

/** What a connection is made of. */
export interface VoiceConnectionConfig extends Pick<MediaLinkInit, 'headerExtensions' | 'videoCodecs'> {
  readonly guildId: string;
  /** The bot's own id; known once it is asked for. */
  readonly userId: () => string;
  readonly scheme: EndpointScheme;
  readonly ca: string | undefined;
  readonly rules: VoiceRules;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  /** Makes the end-to-end side of one session; `undefined` goes without. */
  readonly createDave: (channelId: string) => DaveClient | undefined;
  /** Opcode 4 of the main gateway. */
  readonly sendVoiceState: (request: VoiceStateRequest) => Promise<void>;
}

/** What a connection has to say. */
export type ConnectionNews =
  | { readonly type: 'phase'; readonly from: VoicePhase; readonly to: VoicePhase; readonly cause: VoiceCause }
  | Extract<Effect, { type: 'moved' | 'legacyMode' | 'alert' | 'ended' | 'sessionStarted' | 'resumed' }>
  | { readonly type: 'news'; readonly news: VoiceNews }
  | { readonly type: 'dave'; readonly event: DaveEvent }
  | { readonly type: 'malformed'; readonly problem: string }
  | { readonly type: 'endpointInvalid' }
  | { readonly type: 'signallingFailed'; readonly error: unknown }
  | { readonly type: 'failure'; readonly error: unknown };

/** Counters since the client was made. */
export interface ConnectionCounters {
  messages: number;
  malformed: number;
  duplicates: number;
  unexpected: number;
  /** Sessions that were made anew after a loss. */
  reconnects: number;
  resumes: number;
  heartbeatMs: number | undefined;
}

const NORMAL_CLOSURE = 1000;
/** What keeps the session at the server: anything but 1000 and 1001. */
const CLOSE_KEEPING_SESSION = 4900;
const ABNORMAL_CLOSURE = 1006;

/** A bot's place in the voice channels of one guild, over all its sockets. */
export class VoiceConnection {
  readonly counters: ConnectionCounters = {
    messages: 0,
    malformed: 0,
    duplicates: 0,
    unexpected: 0,
    reconnects: 0,
    resumes: 0,
    heartbeatMs: undefined,
  };
  /** Why the last socket failed, as the system names it; `undefined` after it worked. */
  trouble: string | undefined;
  readonly link: MediaLink;
  readonly dave: DaveLink;
  private readonly driver: Driver<VoiceState, Input>;
  private socket: { readonly gen: number; readonly handle: VoiceSocket } | undefined;
  private udp: { readonly udpGen: number; readonly handle: UdpSocket; heard: boolean } | undefined;
  /** Everything that is still open: `settled()` waits for it. */
  private readonly open = new Set<Promise<void>>();

  constructor(
    private readonly config: VoiceConnectionConfig,
    private readonly tell: (news: ConnectionNews) => void,
  ) {
    const { clock, logger, headerExtensions, videoCodecs } = config;
    this.dave = new DaveLink({
      clock,
      send: (data) => this.isKnown() && (this.socket?.handle.send(data) ?? false),
      onEvent: (event) => {
        if (event.type === 'keys') this.link.hasKeys();
        tell({ type: 'dave', event });
      },
    });
    this.link = new MediaLink({
      dave: () => this.dave.client,
      clock,
      logger,
      headerExtensions,
      videoCodecs,
      sendText: (text) => {
        // Not before the server knows us, nor while a resume is under way: it is repeated then.
        if (this.driver.state.phase === 'ready') this.socket?.handle.send(text);
      },
      sendDatagram: (bytes) => this.udp?.handle.send(bytes) ?? false,
      onError: (error) => tell({ type: 'failure', error }),
      onKeySpent: () => this.dispatch({ type: 'sessionFailed', gen: this.driver.state.gen }),
    });
    this.driver = createDriver<VoiceState, Input, Effect>({
      reducer: createVoiceSession(config.rules),
      initial: initialVoice(),
      run: (effect) => this.run(effect),
      onEffectError: (error) => tell({ type: 'failure', error }),
      onTransition: (from, to) => {
        if (from.phase === to.phase) return;
        if (to.phase === 'ready' && to.cause.reason === 'resumed') this.counters.resumes += 1;
        tell({ type: 'phase', from: from.phase, to: to.phase, cause: to.cause });
      },
      clock,
      random: config.random,
    });
  }

  get state(): VoiceState {
    return this.driver.state;
  }

  dispatch(input: Input): void {
    this.driver.dispatch(input);
  }

  /** Resolves when none of the sockets of now is left. Only after the connection has ended. */
  async settled(): Promise<void> {
    await Promise.all(this.open);
  }

  private run(effect: Effect): void {
    switch (effect.type) {
      case 'sendVoiceState':
        this.sendVoiceState(effect.target);
        return;
      case 'openSocket':
        this.openSocket(effect.gen, effect.endpoint);
        return;
      case 'closeSocket': {
        const { socket } = this;
        if (socket?.gen !== effect.gen) return;
        this.socket = undefined;
        if (effect.how === 'terminate') socket.handle.terminate();
        else socket.handle.close(effect.how === 'keep' ? CLOSE_KEEPING_SESSION : NORMAL_CLOSURE);
        return;
      }
      case 'send':
        this.sendControl(effect.gen, effect.control);
        return;
      case 'openUdp':
        this.openUdp(effect.udpGen, effect.offer.ip, effect.offer.port);
        return;
      case 'closeUdp':
        if (this.udp?.udpGen !== effect.udpGen) return;
        this.udp.handle.close();
        this.udp = undefined;
        return;
      case 'sendDiscovery':
        if (this.udp?.udpGen === effect.udpGen) this.udp.handle.send(discoveryRequest(effect.ssrc));
        return;
      case 'sendKeepalive':
        this.sendKeepalive(effect.udpGen, effect.seq);
        return;
      case 'prepareSession':
        this.dave.start(effect.description.daveVersion);
        void this.prepare(effect);
        return;
      case 'sessionStarted':
        this.trouble = undefined;
        this.link.start(this.config.userId(), effect.channelId);
        break;
      case 'sessionLost':
        this.counters.reconnects += 1;
        this.link.stop();
        return;
      case 'resumed':
        this.dave.resumed();
        this.link.repeat();
        break;
      case 'deliver':
        this.deliver(effect.news);
        return;
      case 'drop':
        this.counters[effect.what === 'duplicate' ? 'duplicates' : 'unexpected'] += 1;
        return;
      case 'heartbeat':
        this.counters.heartbeatMs = effect.latencyMs;
        this.dave.heartbeatAnswered(this.config.clock.now() - effect.latencyMs);
        return;
      case 'ended':
        this.dave.end();
        break;
      default:
    }
    this.tell(effect);
  }

  private sendVoiceState(target: { channelId: string; selfMute: boolean; selfDeaf: boolean } | null): void {
    const { guildId, sendVoiceState } = this.config;
    const { channelId = null, selfMute = false, selfDeaf = false } = target ?? {};
    // Whatever it throws, at once or later, is the join's failure; a leave that fails has left by itself.
    const onError = (error: unknown): void => {
      this.tell({ type: 'signallingFailed', error });
      if (channelId !== null) this.dispatch({ type: 'signallingFailed' });
    };
    try {
      sendVoiceState({ guildId, channelId, selfMute, selfDeaf }).catch(onError);
    } catch (error) {
      onError(error);
    }
  }

  private openSocket(gen: number, endpoint: string): void {
    const { scheme, ca, clock } = this.config;
    const onClose = (code: number): void => this.dispatch({ type: 'socketClosed', gen, code });
    const urls = voiceUrls(endpoint, scheme === 'auto' && ca !== undefined ? 'wss' : scheme);
    if (urls.length === 0) {
      this.tell({ type: 'endpointInvalid' });
      onClose(ABNORMAL_CLOSURE);
      return;
    }
    const handle = openVoiceSocket(
      urls,
      ca,
      {
        onText: (text) => this.receive(gen, () => decodeVoiceText(text)),
        onBinary: (bytes) => this.receive(gen, () => decodeVoiceBinary(bytes)),
        onClose: (code, trouble) => {
          if (trouble !== undefined) {
            this.trouble = trouble;
            this.config.logger.debug({ code, trouble }, 'voice socket failed');
          }
          if (this.socket?.gen === gen) this.socket = undefined;
          onClose(code);
        },
      },
      clock,
    );
    this.socket = { gen, handle };
    this.track(handle.gone);
  }

  private receive(gen: number, decode: () => ReturnType<typeof decodeVoiceText>): void {
    if (this.socket?.gen !== gen) return;
    const decoded = decode();
    this.counters.messages += 1;
    if (!decoded.ok) {
      this.counters.malformed += 1;
      this.tell({ type: 'malformed', problem: decoded.problem });
      return;
    }
    const { frame, seq } = decoded;
    if (frame !== undefined) this.dispatch({ type: 'frame', gen, frame, seq });
    // Of no concern, but numbered.
    else if (seq !== undefined) this.dispatch({ type: 'frame', gen, frame: { kind: 'ignored' }, seq });
  }

  private sendControl(gen: number, control: VoiceControl): void {
    if (this.socket?.gen !== gen) return;
    if (control.kind === 'identify') this.beginSession();
    this.socket.handle.send(encodeVoiceControl(control, this.identity()));
  }

  private identity(): VoiceIdentity {
    const { guildId, userId, videoCodecs } = this.config;
    return { guildId, userId: userId(), videoCodecs, maxDaveVersion: this.dave.client?.maxProtocolVersion ?? 0 };
  }

  private openUdp(udpGen: number, ip: string, port: number): void {
    const handle = openUdpSocket(ip, port, {
      onDatagram: (bytes) => this.receiveDatagram(udpGen, bytes),
      onFailed: (error) => {
        this.trouble = error.message;
        this.config.logger.warn({ error: error.message }, 'voice UDP socket failed');
        this.dispatch({ type: 'udpFailed', udpGen });
      },
    });
    this.udp = { udpGen, handle, heard: false };
    this.track(handle.gone);
  }

  private receiveDatagram(udpGen: number, bytes: Uint8Array): void {
    const { udp } = this;
    if (udp?.udpGen !== udpGen) return;
    const control = parseControlDatagram(bytes);
    switch (control?.kind) {
      case 'discovery': {
        const { address, port } = control;
        this.dispatch({ type: 'discovered', udpGen, address, port });
        return;
      }
      case 'keepalive':
        this.dispatch({ type: 'keepaliveAnswered', udpGen, seq: control.seq });
        return;
      default:
        udp.heard = true;
        this.link.receive(bytes);
    }
  }

  private sendKeepalive(udpGen: number, seq: number): void {
    const { udp } = this;
    if (udp?.udpGen !== udpGen) return;
    // Only now and then, not with every packet: the reducer wants to know whether, not how much.
    if (udp.heard) this.dispatch({ type: 'udpHeard', udpGen });
    udp.heard = false;
    udp.handle.send(keepaliveRequest(seq));
  }

  private async prepare({ gen, offer, description }: Extract<Effect, { type: 'prepareSession' }>): Promise<void> {
    try {
      await this.link.prepare(offer, description);
      this.dispatch({ type: 'sessionPrepared', gen });
    } catch (error) {
      this.tell({ type: 'failure', error });
      this.dispatch({ type: 'sessionFailed', gen });
    }
  }

  private deliver(news: VoiceNews): void {
    this.dave.hear(news);
    // What the server says of us is no news.
    if ('userId' in news && news.userId === this.config.userId()) return;
    this.link.hear(news);
    this.tell({ type: 'news', news });
  }

  /** Whether the server knows us on this socket. */
  private isKnown(): boolean {
    const { phase } = this.driver.state;
    return phase === 'ready' || phase === 'selecting' || phase === 'discovering';
  }

  /** One client for each session of the voice gateway. */
  private beginSession(): void {
    const { state } = this.driver;
    if (state.phase === 'idle') return;
    this.dave.begin(this.config.createDave(state.target.channelId));
    this.link.forget();
  }

  private track(gone: Promise<void>): void {
    this.open.add(gone);
    void gone.then(() => this.open.delete(gone));
  }
}
