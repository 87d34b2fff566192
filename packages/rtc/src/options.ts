/** Owns the client's options: defaults, checks, and the settings they come to. */
import {
  type BackoffPolicy,
  type Clock,
  check,
  type Logger,
  type OptionCheck,
  resolveOptions,
  silentLogger,
  systemClock,
  type VoiceSignalling,
} from '@guildkit/core';
import { ENCRYPTION_MODES, type EncryptionMode, isEncryptionMode, traitsOf } from '@guildkit/rtp';
import type { OpusCodec } from './media/codec/opus-codec.js';
import type { MediaOptions } from './media/media-engine.js';
import type { RtpHeaderExtensionIds } from './media/transport.js';
import { isVideoCodec, type VideoCodec } from './protocol/voice-codecs.js';
import type { EndpointScheme } from './protocol/voice-endpoint.js';
import { aeadFirst } from './protocol/voice-modes.js';
import { VOICE_RULES, type VoiceRules } from './protocol/voice-rules.js';

/** Options of `DiscordRtcClient`. */
export interface DiscordRtcClientOptions extends MediaOptions {
  /** The main gateway: `gateway.signalling` of @guildkit/gateway, or anything alike. */
  readonly signalling: VoiceSignalling;
  /** A bot is in one voice channel of a guild. */
  readonly guildId: string;
  /** The bot's own id. @defaultValue `signalling.userId` */
  readonly userId?: string | undefined;
  /**
   * Encryption modes that may be used, best first; legacy ones go last whatever the order.
   *
   * @defaultValue every mode that works here, quickest first: measured once, while the first join is under way
   */
  readonly modes?: readonly EncryptionMode[] | undefined;
  /** Video codecs, best first; none: the connection carries no video. @defaultValue VP8, VP9, H264 */
  readonly videoCodecs?: readonly VideoCodec[] | undefined;
  /** End-to-end encryption, which Discord demands outside stages. @defaultValue true */
  readonly dave?: boolean | undefined;
  /** Ids of header extensions that are sent. @defaultValue audio level 1, playout delay 5; sources differ */
  readonly rtpHeaderExtensions?: RtpHeaderExtensionIds | undefined;
  /**
   * How the voice gateway is spoken to. `auto`: TLS; on loopback plain text first, then TLS, for a sandbox with or without it.
   *
   * @defaultValue auto
   */
  readonly endpointScheme?: EndpointScheme | undefined;
  /** Certificate authorities to trust for the voice gateway instead of the machine's, PEM. For a sandbox with TLS. */
  readonly ca?: string | undefined;
  /** How long `connect()` goes on trying, ms. @defaultValue 30000: two joins that nobody answers, and a third */
  readonly connectTimeoutMs?: number | undefined;
  /** Between two UDP keepalives, ms. @defaultValue 5000: NAT bindings live longer */
  readonly keepaliveIntervalMs?: number | undefined;
  /** Delays between tries, full jitter. @defaultValue 1 s doubling to 30 s, 100 ms at least */
  readonly backoff?: BackoffPolicy | undefined;
  /** pino's shape. @defaultValue silent */
  readonly logger?: Logger | undefined;
  /** Source of time. @defaultValue the machine's */
  readonly clock?: Clock | undefined;
  /** Source of jitter, `[0, 1)`. @defaultValue `Math.random` */
  readonly random?: (() => number) | undefined;
}

/** Options of `DiscordRtcClient.connect`. */
export interface ConnectOptions {
  /** Shown to others. @defaultValue false */
  readonly selfMute?: boolean | undefined;
  /** Shown to others; Discord sends a deaf bot no media. @defaultValue false */
  readonly selfDeaf?: boolean | undefined;
  /** Ends the try: the bot leaves. */
  readonly signal?: AbortSignal | undefined;
}

/** What the options come to. */
export interface Settings {
  readonly signalling: VoiceSignalling;
  readonly guildId: string;
  readonly userId: string | undefined;
  readonly modes: readonly EncryptionMode[] | undefined;
  readonly videoCodecs: readonly VideoCodec[];
  readonly dave: boolean;
  readonly rtpHeaderExtensions: RtpHeaderExtensionIds;
  readonly endpointScheme: EndpointScheme;
  readonly ca: string | undefined;
  readonly connectTimeoutMs: number;
  readonly keepaliveIntervalMs: number;
  readonly backoff: BackoffPolicy;
  readonly opusCodec: OpusCodec | undefined;
  readonly audioBitrate: number | undefined;
  readonly minJitterMs: number | undefined;
  readonly maxJitterMs: number | undefined;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: () => number;
}

const DEFAULTS = {
  signalling: undefined as unknown as VoiceSignalling,
  guildId: '',
  userId: undefined,
  modes: undefined,
  videoCodecs: ['VP8', 'VP9', 'H264'],
  dave: true,
  rtpHeaderExtensions: { audioLevel: 1, playoutDelay: 5 },
  endpointScheme: 'auto',
  ca: undefined,
  connectTimeoutMs: 30_000,
  keepaliveIntervalMs: VOICE_RULES.keepaliveMs,
  backoff: VOICE_RULES.backoff,
  opusCodec: undefined,
  audioBitrate: undefined,
  minJitterMs: undefined,
  maxJitterMs: undefined,
  logger: silentLogger,
  clock: systemClock,
  random: Math.random,
} as const satisfies Settings;

/** The longest time that an option may name: platform timers take 24 days, and end longer ones at once. */
const MAX_OPTION_MS = 86_400_000;

const checkMethods =
  (...names: readonly string[]): OptionCheck =>
  (value) =>
    names.every((name) => typeof (value as Record<string, unknown> | null | undefined)?.[name] === 'function')
      ? undefined
      : `must have the methods ${names.join(', ')}`;

const checkSnowflake: OptionCheck = (value) =>
  typeof value === 'string' && /^\d{1,20}$/.test(value) ? undefined : 'must be an id';

const checkList =
  (isItem: (item: string) => boolean, what: string, min: number): OptionCheck =>
  (value) =>
    Array.isArray(value) &&
    value.length >= min &&
    new Set(value).size === value.length &&
    value.every((item) => typeof item === 'string' && isItem(item))
      ? undefined
      : `must be a list of different ${what}`;

const checkExtensions: OptionCheck = (value) => {
  const given = (value ?? {}) as Record<string, unknown>;
  const known = Object.keys(given).every((key) => key === 'audioLevel' || key === 'playoutDelay');
  // RFC 8285 section 4.2: the one-byte form has the ids 1 to 14.
  const ids = Object.values(given).filter((id) => id !== undefined);
  const valid = ids.every((id) => check.integer(1, 14)(id) === undefined) && new Set(ids).size === ids.length;
  return typeof value === 'object' && value !== null && known && valid
    ? undefined
    : 'must be { audioLevel?, playoutDelay? } with different ids from 1 to 14';
};

const checkBackoff: OptionCheck = (value) => {
  const { baseMs, capMs, minMs = 0 } = (value ?? {}) as Partial<Record<keyof BackoffPolicy, unknown>>;
  return [baseMs, capMs, minMs].every((ms) => check.integer(0, MAX_OPTION_MS)(ms) === undefined)
    ? undefined
    : 'must be { baseMs, capMs, minMs? } in whole milliseconds, a day at most';
};

/**
 * Merges options over the defaults.
 *
 * @throws TypeError naming the option and what it must be.
 */
export function resolveSettings(options: DiscordRtcClientOptions): Settings {
  return resolveOptions<Settings>('DiscordRtcClient', DEFAULTS, options, {
    signalling: checkMethods('sendVoiceState', 'onVoiceState', 'onVoiceServer'),
    guildId: checkSnowflake,
    userId: check.optional(checkSnowflake),
    modes: check.optional(checkList(isEncryptionMode, 'encryption modes', 1)),
    videoCodecs: checkList(isVideoCodec, 'video codecs', 0),
    dave: check.boolean(),
    rtpHeaderExtensions: checkExtensions,
    endpointScheme: check.oneOf('auto', 'wss', 'ws'),
    ca: check.optional(check.text('certificates in PEM')),
    connectTimeoutMs: check.integer(1, MAX_OPTION_MS),
    keepaliveIntervalMs: check.integer(100, 60_000),
    backoff: checkBackoff,
    logger: checkMethods('debug', 'info', 'warn', 'error'),
    clock: checkMethods('now', 'wallTime', 'setTimer', 'clearTimer'),
    random: check.function(),
  });
}

/** What the options of one connect() come to. */
export interface ConnectSettings {
  readonly selfMute: boolean;
  readonly selfDeaf: boolean;
  readonly signal: AbortSignal | undefined;
}

const CONNECT_DEFAULTS = {
  selfMute: false,
  selfDeaf: false,
  signal: undefined,
} as const satisfies ConnectSettings;

/**
 * Merges options of one connect() over the defaults.
 *
 * @throws TypeError naming the option and what it must be.
 */
export function resolveConnect(options: ConnectOptions | undefined): ConnectSettings {
  return resolveOptions<ConnectSettings>('connect', CONNECT_DEFAULTS, options, {
    selfMute: check.boolean(),
    selfDeaf: check.boolean(),
    signal: check.optional(checkMethods('addEventListener', 'removeEventListener')),
  });
}

/**
 * The connection's rules, with what the options say.
 *
 * @param measured Modes that work here, quickest first; asked when a server offers. `undefined`: not known yet.
 */
export function rulesOf(settings: Settings, measured: () => readonly EncryptionMode[] | undefined): VoiceRules {
  const { backoff, keepaliveIntervalMs: keepaliveMs, modes } = settings;
  return {
    ...VOICE_RULES,
    backoff,
    keepaliveMs,
    get modes() {
      const usable = measured() ?? [...VOICE_RULES.modes, ...ENCRYPTION_MODES.filter((mode) => traitsOf(mode).legacy)];
      return aeadFirst(modes === undefined ? usable : modes.filter((mode) => usable.includes(mode)));
    },
  };
}
