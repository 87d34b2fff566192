/**
 * Owns the settings: what the environment may say, and what to do when it says something else. Refuses to read
 * `process.env` by itself: `main.ts` hands it in.
 */
import { Redacted } from '@guildkit/core';
import * as z from 'zod';

/** Raised at start. Its message lists every setting that is missing or malformed, each with its remedy. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`The settings need attention:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.problems = problems;
  }
}

const integer = (min: number, max: number, fallback: number) =>
  z
    .string()
    .regex(/^[0-9]{1,9}$/)
    .transform(Number)
    .pipe(z.number().min(min).max(max))
    .default(fallback);

const secretList = z
  .string()
  .transform((text) => text.split(',').map((secret) => secret.trim()))
  .pipe(z.array(z.string().regex(/^[!-~]{32,}$/)).min(1));

const SETTINGS = z.object({
  TOPOLOGY: z.enum(['webhook', 'link']),
  DISCORD_BOT_TOKEN: z.string().regex(/^[\w.-]{10,200}$/),
  PRIMARY_GUILD_ID: z.string().regex(/^[0-9]{15,20}$/),
  DISCORD_API_BASE: z.url({ protocol: /^https?$/ }).optional(),
  HUB_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
  HUB_SECRET: secretList.optional(),
  LINK_TOKEN: secretList.optional(),
  HOST: z.string().default('127.0.0.1'),
  PORT: integer(0, 65_535, 8_081),
  HEALTH_CHECK_PORT: integer(0, 65_535, 8_080),
  STATE_DIRECTORY: z.string().min(1).default('./state'),
  MAX_API_RETRIES: integer(0, 20, 3),
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
});

/** Every setting there is. */
export const SETTING_NAMES = Object.keys(SETTINGS.shape);

/** What to set, by setting. Never repeats the value: it may be a secret. */
const REMEDIES: Readonly<Record<keyof typeof SETTINGS.shape, string>> = {
  TOPOLOGY:
    'Set webhook (events by signed HTTP requests) or link (events and commands over one connection). The app says the same; with inline it needs no worker.',
  DISCORD_BOT_TOKEN:
    "Copy the bot's token from the Discord developer portal, page Bot, without the word Bot before it.",
  PRIMARY_GUILD_ID:
    "Set the server's id, 15 to 20 digits: in Discord, developer mode, right-click the server, Copy Server ID.",
  DISCORD_API_BASE: 'Set an http or https address with the version: https://discord.com/api/v10.',
  HUB_ENDPOINT: "Set the app's address for events: https://rooms.example.org/api/internal/events.",
  HUB_SECRET:
    'Set 32 printable characters or more, from `openssl rand -hex 32`, the same as the app. To change it, put the new one before the old one with a comma.',
  LINK_TOKEN:
    'Set 32 printable characters or more, from `openssl rand -hex 32`, the same as the app. To change it, put the new one before the old one with a comma.',
  HOST: 'Set the address to listen on: 127.0.0.1 for this machine alone, 0.0.0.0 for all.',
  PORT: 'Set the port of the link, from 1 to 65535, or 0 for any free one.',
  HEALTH_CHECK_PORT: 'Set the port of /health and /metrics, from 1 to 65535, or 0 for any free one.',
  STATE_DIRECTORY: 'Set a directory that survives a restart: the Discord session is kept there.',
  MAX_API_RETRIES: 'Set a whole number from 0 to 20.',
  LOG_LEVEL: 'Set one of debug, info, warn, error, silent.',
};

const NEEDED_BY = { webhook: ['HUB_ENDPOINT', 'HUB_SECRET'], link: ['LINK_TOKEN'] } as const;

/** How events leave, and what that needs. */
export type Topology =
  | { readonly kind: 'webhook'; readonly endpoint: string; readonly secrets: readonly Redacted[] }
  | { readonly kind: 'link'; readonly tokens: readonly Redacted[]; readonly port: number };

/** The checked settings. */
export interface Settings {
  readonly topology: Topology;
  readonly token: Redacted;
  readonly guildId: string;
  readonly apiBase: string | undefined;
  readonly host: string;
  readonly healthPort: number;
  readonly stateDirectory: string;
  readonly maxRetries: number;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
}

/**
 * Reads the settings from the environment. An empty variable counts as not set.
 *
 * @throws SettingsError listing every missing or malformed setting.
 */
export function readSettings(env: Readonly<Record<string, string | undefined>>): Settings {
  const given = Object.fromEntries(
    SETTING_NAMES.map((name) => [name, env[name]?.trim()] as const).filter(
      ([, value]) => value !== undefined && value !== '',
    ),
  );
  const problems = new Map<string, string>();
  for (const name of NEEDED_BY[given.TOPOLOGY as keyof typeof NEEDED_BY] ?? []) {
    if (given[name] === undefined) problems.set(name, `is missing: TOPOLOGY=${given.TOPOLOGY} needs it.`);
  }
  const parsed = SETTINGS.safeParse(given);
  for (const { path } of parsed.error?.issues ?? []) {
    const name = String(path[0]);
    problems.set(name, given[name] === undefined ? 'is missing.' : 'is malformed.');
  }
  if (problems.size > 0 || !parsed.success) {
    throw new SettingsError(
      [...problems].map(([name, what]) => `${name} ${what} ${REMEDIES[name as keyof typeof REMEDIES]}`),
    );
  }
  const s = parsed.data;
  return {
    topology:
      s.TOPOLOGY === 'webhook'
        ? { kind: 'webhook', endpoint: s.HUB_ENDPOINT ?? '', secrets: redacted(s.HUB_SECRET) }
        : { kind: 'link', tokens: redacted(s.LINK_TOKEN), port: s.PORT },
    token: new Redacted(s.DISCORD_BOT_TOKEN),
    guildId: s.PRIMARY_GUILD_ID,
    apiBase: s.DISCORD_API_BASE,
    host: s.HOST,
    healthPort: s.HEALTH_CHECK_PORT,
    stateDirectory: s.STATE_DIRECTORY,
    maxRetries: s.MAX_API_RETRIES,
    logLevel: s.LOG_LEVEL,
  };
}

function redacted(secrets: readonly string[] = []): readonly Redacted[] {
  return secrets.map((secret) => new Redacted(secret));
}
