/** Owns the settings of a command bus, and the shapes that it takes and tells. Refuses commands that nobody could carry out. */
import { type Clock, check, type Logger, resolveOptions, silentLogger, systemClock } from '@guildkit/core';
import type { Principal } from '../principal.js';
import type { AnswerStore } from './answer-store.js';
import type { CommandDefinition, CommandLink } from './definition.js';
import type { TokenBucket } from './token-bucket.js';

/** What is written down of each command. */
export interface CommandAudit {
  readonly name: string;
  readonly userId: string;
  readonly requestId: string;
  readonly traceId: string;
  /** Unix ms. */
  readonly sentAt: number;
  readonly latencyMs: number;
  /** `ok`, or the code of the refusal. */
  readonly outcome: string;
  readonly status: number;
  readonly channelId?: string | undefined;
}

/** The bus in numbers. */
export interface CommandStats {
  /** Commands that wait for the link. */
  readonly queued: number;
  /** Commands that are being carried out. */
  readonly running: number;
  /** Counter: commands by outcome: `ok`, or the code of the refusal. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** Counter: commands that were answered as before. */
  readonly repeated: number;
}

/** Settings of `CommandBus`. */
export interface CommandBusOptions {
  /** By name. Make each with {@link defineCommand}. */
  readonly commands: Readonly<Record<string, CommandDefinition>>;
  /**
   * The roles of a user now. When it rejects, the command is refused as failed.
   * @defaultValue the principal's own roles
   */
  readonly resolveUser?: ((principal: Principal) => Promise<{ readonly roles: readonly string[] }>) | undefined;
  /** Carries out commands without a `run`. */
  readonly link?: CommandLink | undefined;
  /**
   * The bucket of each user; `false` for none.
   * @defaultValue 5 commands each 5 s, at most 10 at once
   */
  readonly userBucket?: TokenBucket | false | undefined;
  /**
   * The bucket of each channel; `false` for none.
   * @defaultValue 5 commands each 5 s, at most 10 at once
   */
  readonly channelBucket?: TokenBucket | false | undefined;
  /**
   * Commands that may wait while the link is down.
   * @defaultValue 1000
   */
  readonly maxQueued?: number | undefined;
  /**
   * How long a command waits for the link, in ms.
   * @defaultValue 10000
   */
  readonly queueTimeoutMs?: number | undefined;
  /**
   * How long a command may take, in ms.
   * @defaultValue 10000
   */
  readonly runTimeoutMs?: number | undefined;
  /**
   * How long an answer is kept for the same command sent again, in ms.
   * @defaultValue 300000
   */
  readonly rememberMs?: number | undefined;
  /**
   * Answers that the store in memory keeps.
   * @defaultValue 10000
   */
  readonly maxRemembered?: number | undefined;
  /**
   * Where answers are kept. With one that several processes share, a command that is sent again to another process gets
   * its answer there; while it is being carried out, it is waited for up to `runTimeoutMs`, then 409.
   * @defaultValue `memoryAnswerStore()`: of this process
   */
  readonly answers?: AnswerStore | undefined;
  /** Called once for each command, also for those that were refused. Must not throw. */
  readonly audit?: ((entry: CommandAudit) => void) | undefined;
  readonly logger?: Logger | undefined;
  readonly clock?: Clock | undefined;
}

/** Options with their defaults. */
export type CommandBusSettings = { readonly [K in keyof Required<CommandBusOptions>]: CommandBusOptions[K] } & {
  readonly commands: Readonly<Record<string, CommandDefinition>>;
  readonly maxQueued: number;
  readonly queueTimeoutMs: number;
  readonly runTimeoutMs: number;
  readonly rememberMs: number;
  readonly maxRemembered: number;
  readonly logger: Logger;
  readonly clock: Clock;
};

const DEFAULTS = {
  commands: undefined as never,
  resolveUser: undefined,
  link: undefined,
  userBucket: undefined,
  channelBucket: undefined,
  maxQueued: 1_000,
  queueTimeoutMs: 10_000,
  runTimeoutMs: 10_000,
  rememberMs: 300_000,
  maxRemembered: 10_000,
  answers: undefined,
  audit: undefined,
  logger: silentLogger,
  clock: systemClock,
} as const satisfies CommandBusSettings;

/** Checks options and fills in the defaults. @throws TypeError on options out of range, and on commands that nobody could carry out. */
export function resolveCommandBusOptions(options: CommandBusOptions): CommandBusSettings {
  const settings = resolveOptions<CommandBusSettings>('CommandBus', DEFAULTS, options, {
    commands: (value) => (typeof value === 'object' && value !== null ? undefined : 'must be an object of commands'),
    resolveUser: check.optional(check.function()),
    audit: check.optional(check.function()),
    maxQueued: check.integer(0, 1_000_000),
    queueTimeoutMs: check.integer(1, 600_000),
    runTimeoutMs: check.integer(1, 600_000),
    rememberMs: check.integer(0),
    maxRemembered: check.integer(0, 10_000_000),
    answers: (value) =>
      value === undefined || typeof (value as Partial<AnswerStore> | null)?.claim === 'function'
        ? undefined
        : 'must be an answer store',
  });
  const { commands, link } = settings;
  for (const [name, { input, run }] of Object.entries(commands)) {
    if (typeof input?.safeParse !== 'function')
      throw new TypeError(`CommandBus: command "${name}" has no input schema`);
    if (run === undefined && link === undefined)
      throw new TypeError(`CommandBus: command "${name}" has no run, and there is no link`);
  }
  return settings;
}
