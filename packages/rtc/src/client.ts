/**
 * Owns the public client: connecting, events, figures. Refuses protocol: `protocol/voice-session.ts` decides,
 * `io/voice-connection.ts` carries out, the media engine sends and receives.
 */
import {
  type Logger,
  messageOf,
  Redacted,
  TypedEmitter,
  type Unsubscribe,
  type VoiceServerSignal,
  type VoiceStateSignal,
} from '@guildkit/core';
import type { EncryptionMode } from '@guildkit/rtp';
import { measuredModes } from './codec/measure-modes.js';
import { type ConnectWait, createConnectWait } from './connect-wait.js';
import { createDaveClient, type DaveClient, type DaveEvent, type DaveLibrary, loadDaveLibrary } from './dave/dave.js';
import { disconnectedError, RtcError, type RtcErrorCode } from './errors.js';
import type { RtcEncryptionEvent, RtcEvents } from './events.js';
import { type ConnectionNews, VoiceConnection } from './io/voice-connection.js';
import type {
  AudioSender,
  AudioSource,
  MixedAudio,
  ReceiveAudioOptions,
  ReceivedAudio,
  SendAudioOptions,
} from './media/audio-types.js';
import { createMediaEngine, type MediaEngine } from './media/media-engine.js';
import type { MediaSinkWants } from './media/transport.js';
import type {
  ReceivedVideo,
  ReceiveVideoOptions,
  SendVideoOptions,
  VideoSender,
  VideoSource,
} from './media/video-types.js';
import {
  type ConnectOptions,
  type DiscordRtcClientOptions,
  resolveConnect,
  resolveSettings,
  rulesOf,
  type Settings,
} from './options.js';
import type { ExternalAddress } from './protocol/udp-datagrams.js';
import type { VoiceNews } from './protocol/voice-news.js';
import type { EndCause, VoiceCause, VoicePhase } from './protocol/voice-types.js';
import { Speakers } from './speakers.js';
import type { RtcStats } from './stats.js';

/**
 * A bot's place in the voice channels of one guild. One client carries one connection; it can be connected again.
 */
export class DiscordRtcClient extends TypedEmitter<RtcEvents> {
  private readonly settings: Settings;
  private readonly log: Logger;
  private readonly connection: VoiceConnection;
  private readonly speakers: Speakers;
  private readonly media: MediaEngine;
  /** Those that work here, quickest first; `undefined` until they were measured. */
  private modes: readonly EncryptionMode[] | undefined;
  private library: DaveLibrary | undefined;
  private wait: ConnectWait | undefined;
  private subscriptions: readonly Unsubscribe[] = [];
  /** What the main gateway threw at the last join. */
  private signallingError: unknown;
  private endpointInvalid = false;
  private disposed = false;

  /** @throws TypeError naming the option and what it must be. */
  constructor(options: DiscordRtcClientOptions) {
    super();
    this.settings = resolveSettings(options);
    const { guildId, clock, random, logger, endpointScheme, ca, signalling, rtpHeaderExtensions, videoCodecs } =
      this.settings;
    this.log = logger;
    this.speakers = new Speakers((event) => this.emit('speaking', event));
    this.connection = new VoiceConnection(
      {
        guildId,
        userId: () => this.userId ?? '',
        scheme: endpointScheme,
        ca,
        rules: rulesOf(this.settings, () => this.modes),
        clock,
        random,
        logger,
        headerExtensions: rtpHeaderExtensions,
        videoCodecs,
        createDave: (channelId) => this.createDave(channelId),
        sendVoiceState: (request) => signalling.sendVoiceState(request),
      },
      (news) => this.onNews(news),
    );
    const { opusCodec, audioBitrate, minJitterMs, maxJitterMs } = this.settings;
    this.media = createMediaEngine({
      transport: this.connection.link,
      opusCodec,
      audioBitrate,
      minJitterMs,
      maxJitterMs,
      random,
      onTalk: ({ userId, talking }) => this.speakers.heard(userId, talking),
      onError: (error) => this.fail(rtcErrorOf(error)),
    });
  }

  /** Where the connection is. */
  get state(): VoicePhase {
    return this.connection.state.phase;
  }

  /** Where the bot is, or is to be; `undefined` when it is nowhere. */
  get channelId(): string | undefined {
    const { state } = this.connection;
    return state.phase === 'idle' ? undefined : state.target.channelId;
  }

  /**
   * Joins a channel, or goes over to another one. Resolves when media can flow. Afterwards the connection is kept up by
   * itself, until `disconnected`.
   *
   * @throws RtcError `ERR_RTC_CONNECT_*`, `ERR_RTC_JOIN_TIMEOUT`, `ERR_RTC_SIGNALLING_*`, or why the voice server refuses
   * (rejects).
   */
  async connect(channelId: string, options?: ConnectOptions): Promise<void> {
    const { selfMute, selfDeaf, signal } = resolveConnect(options);
    if (typeof channelId !== 'string' || !/^\d{1,20}$/.test(channelId))
      throw new TypeError('connect: channelId must be an id');
    this.assertOpen();
    if (this.wait !== undefined) throw new RtcError('ERR_RTC_CLIENT_BUSY', 'The client is connecting');
    if (signal?.aborted) throw abortedError(signal.reason);
    const { clock, connectTimeoutMs } = this.settings;
    const wait = createConnectWait(clock, connectTimeoutMs, signal, (why, cause) => {
      this.giveUp(why === 'aborted' ? abortedError(cause) : this.timeoutError());
    });
    this.wait = wait;
    this.signallingError = undefined;
    this.endpointInvalid = false;
    try {
      await Promise.race([wait.done, this.begin({ channelId, selfMute, selfDeaf })]);
      await wait.done;
    } catch (error) {
      wait.settle();
      throw error;
    } finally {
      if (this.wait === wait) this.wait = undefined;
    }
  }

  /** Leaves the channel. Resolves when no socket and no timer is left. Calling it again does nothing. */
  async disconnect(): Promise<void> {
    this.giveUp(new RtcError('ERR_RTC_CONNECT_ABORTED', 'disconnect() was called while connecting'));
    await this.connection.settled();
  }

  /** As {@link disconnect}, for good. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.disposed = true;
    await this.disconnect();
    this.media.close();
  }

  /**
   * Sends audio: Opus packets, PCM, or a file by `@guildkit/rtc/files`. Before and between sessions it waits.
   *
   * @throws RtcError `ERR_RTC_SOURCE_INVALID`; TypeError for a wrong option.
   */
  sendAudio(source: AudioSource, options?: SendAudioOptions): AudioSender {
    this.assertOpen();
    return this.media.sendAudio(source, options);
  }

  /**
   * Sends encoded video. Discord shows none of bots: this is for the sandbox.
   *
   * @throws RtcError `ERR_RTC_SOURCE_INVALID`; TypeError for a wrong option.
   */
  sendVideo(source: VideoSource, options?: SendVideoOptions): VideoSender {
    this.assertOpen();
    return this.media.sendVideo(source, options);
  }

  /** Calls back for each 20 ms of each user's voice, in order and in time, lost ones concealed. */
  onAudio(listener: (frame: ReceivedAudio) => void, options?: ReceiveAudioOptions): Unsubscribe {
    this.assertOpen();
    return this.media.onAudio(listener, options);
  }

  /** Calls back every 20 ms with everyone's voice together. */
  onMixedAudio(listener: (frame: MixedAudio) => void): Unsubscribe {
    this.assertOpen();
    return this.media.onMixedAudio(listener);
  }

  /** Calls back for each whole frame of video, in order. */
  onVideo(listener: (frame: ReceivedVideo) => void, options?: ReceiveVideoOptions): Unsubscribe {
    this.assertOpen();
    return this.media.onVideo(listener, options);
  }

  /** Asks a user for a keyframe. Repeats within half a second are not sent. */
  requestKeyframe(userId: string): void {
    this.media.requestKeyframe(userId);
  }

  /** Tells the server which qualities are wanted of others, 0 to 100 by SSRC. */
  setMediaSinkWants(wants: MediaSinkWants): void {
    this.connection.link.setSinkWants(wants);
  }

  /** Whether media is encrypted end to end, and the code that all members of the call see alike. */
  get encryption(): RtcEncryptionEvent {
    const { client: dave } = this.connection.dave;
    return { activity: dave?.activity ?? 'off', epochCode: dave?.epochCode };
  }

  /**
   * The 45 digits that this bot and that user share, to be compared out of band.
   *
   * @throws RtcError `ERR_RTC_DAVE_INACTIVE` when the user is not in the encrypted group (rejects).
   */
  async verificationCode(userId: string): Promise<string> {
    const { client: dave } = this.connection.dave;
    if (dave === undefined) throw new RtcError('ERR_RTC_DAVE_INACTIVE', 'The call is not encrypted end to end');
    return dave.verificationCode(userId);
  }

  /** Figures of gateway, path, encryption and every stream. */
  stats(): RtcStats {
    const { state, counters, link } = this.connection;
    const { client: dave } = this.connection.dave;
    const { messages, malformed, duplicates, unexpected, reconnects, resumes, heartbeatMs } = counters;
    const held = 'link' in state ? state.link : undefined;
    const external = held?.external;
    return {
      ...this.media.stats(),
      state: state.phase,
      channelId: this.channelId,
      mode: link.session?.mode,
      gateway: { latencyMs: heartbeatMs, messages, malformed, duplicates, unexpected, reconnects, resumes },
      path: {
        ...link.counters,
        externalAddress: external === undefined ? undefined : hostAndPort(external),
        keepalivesSent: held?.keepalive.sent ?? 0,
        keepalivesAnswered: held?.keepalive.answered ?? 0,
        keepalivesLost: held?.keepalive.lost ?? 0,
        roundTripMs: held?.keepalive.roundTripMs,
      },
      dave: dave === undefined ? undefined : { ...dave.stats, activity: dave.activity },
    };
  }

  /** @internal A listener that throws is told as `error`, unless it was one of `error`. */
  protected override onListenerError(error: unknown, event: string): void {
    if (event === 'error') super.onListenerError(error, event);
    else this.fail(new RtcError('ERR_RTC_LISTENER_FAILED', `A listener of "${event}" threw`, { cause: error }));
  }

  private get userId(): string | undefined {
    return this.settings.userId ?? this.settings.signalling.userId;
  }

  private async begin(target: { channelId: string; selfMute: boolean; selfDeaf: boolean }): Promise<void> {
    const { wait } = this;
    void this.measure();
    if (this.settings.dave) this.library ??= await loadDaveLibrary();
    // Given up meanwhile.
    if (this.wait !== wait) return;
    if (this.userId === undefined) throw new RtcError('ERR_RTC_SIGNALLING_UNREADY', 'The join was not sent');
    this.subscribe();
    const { state } = this.connection;
    const isThere = state.phase === 'ready' && state.target.channelId === target.channelId;
    this.connection.dispatch({ type: 'join', target });
    if (isThere) this.wait?.settle();
  }

  /** Beside the join, which takes longer: a server that is quicker gets what suits most machines. */
  private async measure(): Promise<void> {
    if (this.modes !== undefined) return;
    this.modes = await measuredModes();
    const { modes } = this.settings;
    if ((modes ?? this.modes).some((mode) => this.modes?.includes(mode))) return;
    this.giveUp(new RtcError('ERR_RTC_CIPHER_UNAVAILABLE', 'No encryption mode can be used'));
  }

  private createDave(channelId: string): DaveClient | undefined {
    const { library, userId } = this;
    if (library === undefined || userId === undefined) return undefined;
    return createDaveClient({ userId, channelId, library });
  }

  private assertOpen(): void {
    if (this.disposed) throw new RtcError('ERR_RTC_CLIENT_CLOSED', 'The client is closed');
  }

  private giveUp(error: RtcError): void {
    const { wait } = this;
    this.wait = undefined;
    this.connection.dispatch({ type: 'leave' });
    wait?.settle(error);
  }

  private subscribe(): void {
    if (this.subscriptions.length > 0) return;
    const { signalling, guildId } = this.settings;
    const onState = (state: VoiceStateSignal): void => {
      if (state.guildId !== guildId || state.userId !== this.userId) return;
      const { channelId, sessionId } = state;
      this.connection.dispatch({ type: 'voiceState', channelId, sessionId });
    };
    const onServer = (server: VoiceServerSignal): void => {
      if (server.guildId !== guildId) return;
      this.connection.dispatch({ type: 'voiceServer', token: new Redacted(server.token), endpoint: server.endpoint });
    };
    this.subscriptions = [signalling.onVoiceState(onState), signalling.onVoiceServer(onServer)];
  }

  private unsubscribe(): void {
    const { subscriptions } = this;
    this.subscriptions = [];
    for (const unsubscribe of subscriptions) unsubscribe();
  }

  private onNews(news: ConnectionNews): void {
    const { guildId } = this.settings;
    switch (news.type) {
      case 'phase': {
        const { from, to, cause } = news;
        this.log.info({ guildId, channelId: this.channelId, from, to, ...cause }, 'voice connection changed');
        this.emit('stateChange', { from, to, reason: cause.reason, code: cause.code });
        return;
      }
      case 'sessionStarted':
      case 'resumed':
        this.wait?.settle();
        return;
      case 'moved':
        this.log.info({ guildId, from: news.from, to: news.to }, 'voice connection was moved');
        this.emit('moved', { from: news.from, to: news.to });
        return;
      case 'legacyMode':
        this.log.warn(
          { guildId, mode: news.mode },
          'voice server offers legacy encryption only: headers are not authenticated',
        );
        return;
      case 'alert': {
        const { attempts, cause } = news;
        this.log.error({ guildId, attempts, ...cause }, 'voice connection cannot be made; it goes on trying');
        this.fail(
          new RtcError('ERR_RTC_CONNECTION_LOST', `${attempts} tries in a row have failed (${cause.reason})`, {
            status: cause.code,
            retryable: true,
          }),
        );
        return;
      }
      case 'ended':
        this.onEnded(news.how, news.cause);
        return;
      case 'signallingFailed':
        this.signallingError = news.error;
        this.log.warn({ guildId, error: messageOf(news.error) }, 'voice state could not be sent');
        return;
      case 'endpointInvalid':
        this.endpointInvalid = true;
        this.fail(new RtcError('ERR_RTC_ENDPOINT_INVALID', 'The voice server update names no usable address'));
        return;
      case 'malformed':
        this.fail(
          new RtcError('ERR_RTC_FRAME_MALFORMED', `A message of the voice gateway could not be read: ${news.problem}`),
        );
        return;
      case 'failure':
        this.fail(rtcErrorOf(news.error));
        return;
      case 'dave':
        this.onDave(news.event);
        return;
      case 'news':
        this.onVoiceNews(news.news);
        return;
      default:
    }
  }

  private onVoiceNews(news: VoiceNews): void {
    switch (news.type) {
      case 'speaking':
        this.speakers.announced(news.userId, news.flags);
        return;
      case 'clientDisconnect':
        this.speakers.left(news.userId);
        this.emit('userLeft', { userId: news.userId });
        return;
      case 'clientsConnect':
        for (const userId of news.userIds) if (userId !== this.userId) this.emit('userJoined', { userId });
        return;
      default:
    }
  }

  private onDave(event: DaveEvent): void {
    const { guildId } = this.settings;
    switch (event.type) {
      case 'activity':
        this.log.info({ guildId, from: event.from, to: event.to }, 'end-to-end encryption changed');
        this.emit('encryption', this.encryption);
        return;
      case 'epoch':
        this.log.debug({ guildId, users: event.userIds.length }, 'end-to-end encryption has new keys');
        this.emit('encryption', this.encryption);
        return;
      case 'problem':
        this.log.warn(
          { guildId, reason: event.reason, detail: event.detail },
          'end-to-end encryption message not used',
        );
        return;
      default:
    }
  }

  private onEnded(how: EndCause, cause: VoiceCause): void {
    this.unsubscribe();
    this.speakers.clear();
    this.media.abortSenders(how === 'closed' ? 'the client was disconnected' : `the connection ended: ${how}`);
    const error = how === 'closed' ? undefined : disconnectedError(how, cause);
    const { guildId } = this.settings;
    this.log.info({ guildId, how, ...cause, error: error?.code }, 'voice connection ended');
    this.wait?.settle(error);
    this.emit('disconnected', { cause: how, code: cause.code, error });
    if (how === 'fatal' && error !== undefined) this.fail(error);
  }

  /** Why a join takes so long. */
  private timeoutError(): RtcError {
    const { state } = this.connection;
    const { reason, code: status } = state.cause;
    const tried: RtcErrorCode =
      this.signallingError !== undefined
        ? 'ERR_RTC_SIGNALLING_FAILED'
        : this.endpointInvalid
          ? 'ERR_RTC_ENDPOINT_INVALID'
          : state.phase === 'signalling' || reason === 'signallingTimeout'
            ? 'ERR_RTC_JOIN_TIMEOUT'
            : 'ERR_RTC_CONNECT_TIMEOUT';
    const { trouble } = this.connection;
    const where = [state.phase, reason, trouble].filter((part) => part !== undefined).join(', ');
    const what = `No session within ${this.settings.connectTimeoutMs} ms (${where})`;
    return new RtcError(tried, what, { retryable: true, status, cause: this.signallingError });
  }

  private fail(error: RtcError): void {
    this.log.warn({ guildId: this.settings.guildId, code: error.code, error: error.message }, 'voice error');
    this.emit('error', error);
  }
}

/** What the inside threw, as an error of this package. */
function rtcErrorOf(error: unknown): RtcError {
  if (RtcError.is(error)) return error;
  return new RtcError('ERR_RTC_SESSION_FAILED', messageOf(error), { cause: error });
}

function hostAndPort({ address, port }: ExternalAddress): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function abortedError(cause: unknown): RtcError {
  return new RtcError('ERR_RTC_CONNECT_ABORTED', 'The signal of connect() fired', { cause });
}
