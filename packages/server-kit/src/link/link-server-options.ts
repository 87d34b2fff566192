/** Owns the settings of the gateway service's end of the link, and the shapes that it takes and tells. */
import { type Clock, check, type Logger, resolveOptions, silentLogger, systemClock } from '@guildkit/core';
import type { SecretInput } from '../shared/secrets.js';
import type { LinkErrorCode } from './errors.js';

/** A command as the service carries it out. */
export interface LinkCommand {
  readonly name: string;
  /** Unchecked: what the app sent. */
  readonly input: unknown;
  /** The same id is carried out once. */
  readonly requestId: string;
  readonly traceId: string;
  /** Unix ms, by the app's clock. */
  readonly sentAt: number;
  /** For whom: a user id. */
  readonly actor: string | undefined;
}

/** Settings of `LinkServer`. */
export interface LinkServerOptions {
  /** `LINK_TOKEN`. Any one of them may be used. */
  readonly tokens: SecretInput;
  /** Carries a command out; what it returns is the result, what it throws an `error` or, with `retryAfterMs`, `rateLimited`. */
  readonly onCommand: (command: LinkCommand) => unknown;
  /** Events kept for apps that come back. @defaultValue 10000 */
  readonly maxEvents?: number | undefined;
  /** How long they are kept, in ms. @defaultValue 300000 */
  readonly maxEventAgeMs?: number | undefined;
  /** Commands whose results are kept. @defaultValue 10000 */
  readonly maxResults?: number | undefined;
  /** How long results are kept, in ms. @defaultValue 300000 */
  readonly resultTtlMs?: number | undefined;
  /** Largest frame of an app, in bytes. @defaultValue 1048576 */
  readonly maxFrameBytes?: number | undefined;
  /** Bytes that may wait for one app. @defaultValue 8388608 */
  readonly maxBufferedBytes?: number | undefined;
  /** An app that says nothing for so long is gone, in ms. @defaultValue 20000 */
  readonly silenceMs?: number | undefined;
  readonly logger?: Logger | undefined;
  readonly clock?: Clock | undefined;
}

/** What a link server tells of. */
export interface LinkServerEvents {
  connected: { readonly peers: number };
  disconnected: { readonly peers: number };
}

/** What was counted. */
export interface LinkServerStats {
  readonly peers: number;
  readonly events: number;
  readonly commands: number;
  /** Commands that came again and were answered from memory. */
  readonly repeated: number;
  readonly resumed: number;
  readonly snapshots: number;
  readonly unauthorized: number;
  readonly errors: Readonly<Partial<Record<LinkErrorCode, number>>>;
}

/** Options with their defaults. */
export interface LinkServerSettings {
  readonly tokens: SecretInput;
  readonly onCommand: LinkServerOptions['onCommand'] | undefined;
  readonly maxEvents: number;
  readonly maxEventAgeMs: number;
  readonly maxResults: number;
  readonly resultTtlMs: number;
  readonly maxFrameBytes: number;
  readonly maxBufferedBytes: number;
  readonly silenceMs: number;
  readonly logger: Logger;
  readonly clock: Clock;
}

const DEFAULTS: LinkServerSettings = {
  tokens: [],
  onCommand: undefined,
  maxEvents: 10_000,
  maxEventAgeMs: 300_000,
  maxResults: 10_000,
  resultTtlMs: 300_000,
  maxFrameBytes: 1_048_576,
  maxBufferedBytes: 8_388_608,
  silenceMs: 20_000,
  logger: silentLogger,
  clock: systemClock,
};

/** Checks options and fills in the defaults. @throws TypeError on options out of range. */
export function resolveLinkServerOptions(options: LinkServerOptions): LinkServerSettings {
  return resolveOptions<LinkServerSettings>('LinkServer', DEFAULTS, options, {
    onCommand: check.function(),
    maxEvents: check.integer(0),
    maxEventAgeMs: check.integer(0),
    maxResults: check.integer(1),
    resultTtlMs: check.integer(0),
    maxFrameBytes: check.integer(1_024),
    maxBufferedBytes: check.integer(1_024),
    silenceMs: check.integer(100),
  });
}
