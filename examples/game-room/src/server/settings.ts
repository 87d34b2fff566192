/**
 * Owns the settings: what the environment may say, and what to do when it says something else. Refuses to read
 * `process.env` by itself: the serve entry hands it in.
 */
import { randomBytes } from 'node:crypto';
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
  .pipe(z.array(z.string().min(32)).min(1));

const privateJwk = z
  .string()
  .transform((text, context) => {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      context.addIssue({ code: 'custom', message: 'not JSON' });
      return z.NEVER;
    }
  })
  .pipe(z.looseObject({ kty: z.string(), d: z.string() }));

const SETTINGS = z.object({
  DISCORD_BOT_TOKEN: z
    .string()
    .regex(/^[\w.-]{10,200}$/)
    .optional(),
  PRIMARY_GUILD_ID: z
    .string()
    .regex(/^[0-9]{15,20}$/)
    .optional(),
  DISCORD_CLIENT_ID: z
    .string()
    .regex(/^[0-9]{15,20}$/)
    .optional(),
  DISCORD_CLIENT_SECRET: z.string().min(8).max(200).optional(),
  DISCORD_SEAT_TOKENS: z
    .string()
    .transform((text) => text.split(',').map((token) => token.trim()))
    .pipe(z.array(z.string().regex(/^[\w.-]{10,200}$/)).min(1))
    .optional(),
  DISCORD_SEAT_ROLE_ID: z
    .string()
    .regex(/^[0-9]{15,20}$/)
    .optional(),
  OPS_USER_IDS: z
    .string()
    .transform((text) => text.split(',').map((id) => id.trim()))
    .pipe(z.array(z.string().regex(/^[0-9]{15,20}$/)).min(1))
    .optional(),
  DISCORD_API_BASE: z.url({ protocol: /^https?$/ }).optional(),
  HOST: z.string().optional(),
  PORT: integer(0, 65_535, 3000),
  VITE_BASE_URL: z.url({ protocol: /^https?$/ }).optional(),
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  SESSION_SECRET: secretList.optional(),
  INVITE_SECRET: secretList.optional(),
  JWT_ISSUER: z.string().min(1).default('guildkit-game-room'),
  JWT_AUDIENCE: z.string().min(1).default('guildkit-game-room'),
  JWT_PRIVATE_JWK: privateJwk.optional(),
  MAX_WS_RECONNECT_ATTEMPTS: integer(1, 100, 5),
  TOPOLOGY: z.enum(['inline', 'webhook', 'link']).default('inline'),
  HUB_SECRET: secretList.optional(),
  LINK_URL: z.url({ protocol: /^wss?$/ }).optional(),
  LINK_TOKEN: secretList.optional(),
  STATE_DIRECTORY: z.string().min(1).optional(),
  REDIS_URL: z.url({ protocol: /^(rediss?|unix)$/ }).optional(),
  NODE_ENV: z.string().optional(),
});

/** What to set, by setting. Never repeats the value: it may be a secret. */
const REMEDIES: Readonly<Record<keyof typeof SETTINGS.shape, string>> = {
  DISCORD_BOT_TOKEN:
    "Copy the bot's token from the Discord developer portal, page Bot, without the word Bot before it.",
  PRIMARY_GUILD_ID:
    "Set the server's id, 15 to 20 digits: in Discord, developer mode, right-click the server, Copy Server ID.",
  DISCORD_CLIENT_ID:
    "Copy the application's id, 15 to 20 digits, from the Discord developer portal, page OAuth2. Add <address>/auth/discord/callback to its redirects.",
  DISCORD_CLIENT_SECRET: 'Copy the client secret from the Discord developer portal, page OAuth2.',
  DISCORD_SEAT_TOKENS:
    'Copy the tokens of the bots that speak for players, with commas between them; leave it out for none.',
  DISCORD_SEAT_ROLE_ID: "Set the id, 15 to 20 digits, of the role that the seats' bots have, with Move Members.",
  OPS_USER_IDS:
    'Set the Discord ids, 15 to 20 digits, of who may see the page /ops, with commas between them: in Discord, developer mode, right-click a person, Copy User ID.',
  DISCORD_API_BASE: 'Set an http or https address with the version: https://discord.com/api/v10.',
  HOST: 'Set the address to listen on: 127.0.0.1 for this machine alone, 0.0.0.0 for all.',
  PORT: 'Set a port from 1 to 65535, or 0 for any free one.',
  VITE_BASE_URL: 'Set the address that people type, with http or https: https://rooms.example.org.',
  LOG_LEVEL: 'Set one of debug, info, warn, error, silent.',
  SESSION_SECRET:
    'Set 32 characters or more, from `openssl rand -hex 32`. To change it, put the new one before the old one with a comma.',
  INVITE_SECRET:
    'Set 32 characters or more, from `openssl rand -hex 32`. To change it, put the new one before the old one with a comma.',
  JWT_ISSUER: 'Set the name that stands as issuer in tokens, or leave it out.',
  JWT_AUDIENCE: 'Set the name that stands as audience in tokens, or leave it out.',
  JWT_PRIVATE_JWK:
    'Set a private key as JSON Web Key, on one line, from generatePrivateJwk() of @guildkit/server-kit/jwt; a single process may leave it out for a key per start.',
  MAX_WS_RECONNECT_ATTEMPTS: 'Set a whole number from 1 to 100.',
  TOPOLOGY:
    'Set inline (this process is connected to Discord), webhook or link (a gateway worker is, see examples/gateway-worker).',
  HUB_SECRET:
    'Set 32 characters or more, from `openssl rand -hex 32`, the same as the gateway worker. To change it, put the new one before the old one with a comma.',
  LINK_URL: "Set the gateway worker's address: ws://127.0.0.1:8081/link, or wss:// when it is on another machine.",
  LINK_TOKEN: 'Set 32 characters or more, from `openssl rand -hex 32`, the same as the gateway worker.',
  STATE_DIRECTORY: 'Set a directory that this process may write and that is still there after a restart.',
  REDIS_URL:
    'Set redis://host:6379, rediss:// with TLS, or unix:///path for a socket file, with name and password where there are any.',
  NODE_ENV: 'Set production or development.',
};

/** Needed where real people come. */
const REQUIRED_IN_PRODUCTION = [
  'DISCORD_BOT_TOKEN',
  'DISCORD_CLIENT_ID',
  'DISCORD_CLIENT_SECRET',
  'PRIMARY_GUILD_ID',
  'VITE_BASE_URL',
  'SESSION_SECRET',
  'INVITE_SECRET',
] as const;

/** Needed with a bot of one's own: to know its server, and to let people log in. */
const REQUIRED_WITH_BOT = ['PRIMARY_GUILD_ID', 'DISCORD_CLIENT_ID', 'DISCORD_CLIENT_SECRET'] as const;

/**
 * Needed where several processes are one app: what one seals or signs the others have to open, and all of them have to see
 * the same Discord.
 */
const REQUIRED_WITH_REDIS = [
  'DISCORD_BOT_TOKEN',
  'SESSION_SECRET',
  'INVITE_SECRET',
  'JWT_PRIVATE_JWK',
  'VITE_BASE_URL',
] as const;

/** Needed where a worker is connected to Discord. */
const REQUIRED_BY_TOPOLOGY = { inline: [], webhook: ['HUB_SECRET'], link: ['LINK_URL', 'LINK_TOKEN'] } as const;

/** Where Discord's events come from. */
export type Topology =
  | { readonly kind: 'inline' }
  | { readonly kind: 'webhook'; readonly secrets: readonly Redacted[] }
  | { readonly kind: 'link'; readonly url: string; readonly token: Redacted };

/** The checked settings. */
export interface Settings {
  readonly production: boolean;
  readonly topology: Topology;
  /** `undefined`: nothing was said about Discord, so the sandbox takes its place. */
  readonly discord:
    | {
        readonly token: Redacted;
        readonly guildId: string;
        readonly clientId: string;
        readonly clientSecret: Redacted;
        readonly apiBase: string | undefined;
      }
    | undefined;
  /** Bots that speak for players who talk from a page. */
  readonly seats: { readonly tokens: readonly Redacted[]; readonly roleId: string | undefined };
  /** Who may see the page /ops, by Discord's ids; `undefined`: whoever is logged in, as in the sandbox. */
  readonly operators: readonly string[] | undefined;
  readonly host: string;
  readonly port: number;
  /** Whether `PORT` was given: then no other port will do. */
  readonly portFixed: boolean;
  /** The one origin that pages may come from, `undefined` for the loopback names. */
  readonly baseUrl: URL | undefined;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  /** The first signs, all verify. */
  readonly sessionSecrets: readonly Redacted[];
  /** The first signs, all verify. */
  readonly inviteSecrets: readonly Redacted[];
  readonly jwt: {
    readonly issuer: string;
    readonly audience: string;
    readonly privateJwk: Redacted<{ readonly kty: string; readonly [member: string]: unknown }> | undefined;
  };
  readonly maxReconnectAttempts: number;
  /** Where the place in Discord's event stream is kept for the next process, while there is no Redis; `undefined`: nowhere. */
  readonly stateDirectory: string | undefined;
  /** What several processes share; `undefined`: this one is alone. May hold a password. */
  readonly redisUrl: Redacted | undefined;
}

/**
 * Reads the settings from the environment. An empty variable counts as not set.
 *
 * @throws SettingsError listing every missing or malformed setting.
 */
export function readSettings(env: Readonly<Record<string, string | undefined>>): Settings {
  const given = Object.fromEntries(
    Object.keys(SETTINGS.shape)
      .map((name) => [name, env[name]?.trim()] as const)
      .filter(([, value]) => value !== undefined && value !== ''),
  );
  const problems = new Map<string, string>();
  const production = given.NODE_ENV === 'production';
  if (production) {
    for (const name of REQUIRED_IN_PRODUCTION) {
      if (given[name] === undefined) problems.set(name, 'is missing, and in production nothing stands in for it.');
    }
  } else if (given.DISCORD_BOT_TOKEN !== undefined) {
    for (const name of REQUIRED_WITH_BOT) {
      if (given[name] === undefined) problems.set(name, 'is missing: DISCORD_BOT_TOKEN needs it beside it.');
    }
  }
  if (given.REDIS_URL !== undefined) {
    for (const name of REQUIRED_WITH_REDIS) {
      if (given[name] === undefined)
        problems.set(name, 'is missing: with REDIS_URL every process needs the same, so nothing stands in for it.');
    }
    if (given.TOPOLOGY === 'link')
      problems.set('TOPOLOGY', 'is link, and a worker is linked to one process: with REDIS_URL it cannot be.');
  }
  const topology = given.TOPOLOGY as keyof typeof REQUIRED_BY_TOPOLOGY;
  for (const name of REQUIRED_BY_TOPOLOGY[topology] ?? []) {
    if (given[name] === undefined) problems.set(name, `is missing: TOPOLOGY=${topology} needs it.`);
  }
  const parsed = SETTINGS.safeParse(given);
  for (const issue of parsed.error?.issues ?? []) problems.set(String(issue.path[0]), 'is malformed.');
  if (problems.size > 0 || !parsed.success) {
    throw new SettingsError(
      [...problems].map(([name, what]) => `${name} ${what} ${REMEDIES[name as keyof typeof REMEDIES] ?? ''}`.trim()),
    );
  }

  const s = parsed.data;
  return {
    production,
    topology: topologyOf(s),
    discord:
      s.DISCORD_BOT_TOKEN !== undefined && s.PRIMARY_GUILD_ID && s.DISCORD_CLIENT_ID && s.DISCORD_CLIENT_SECRET
        ? {
            token: new Redacted(s.DISCORD_BOT_TOKEN),
            guildId: s.PRIMARY_GUILD_ID,
            clientId: s.DISCORD_CLIENT_ID,
            clientSecret: new Redacted(s.DISCORD_CLIENT_SECRET),
            apiBase: s.DISCORD_API_BASE,
          }
        : undefined,
    seats: {
      tokens: (s.DISCORD_SEAT_TOKENS ?? []).map((token) => new Redacted(token)),
      roleId: s.DISCORD_SEAT_ROLE_ID,
    },
    operators: s.OPS_USER_IDS ?? (s.DISCORD_BOT_TOKEN === undefined ? undefined : []),
    host: s.HOST ?? (production ? '0.0.0.0' : '127.0.0.1'),
    port: s.PORT,
    portFixed: given.PORT !== undefined,
    baseUrl: s.VITE_BASE_URL === undefined ? undefined : new URL(s.VITE_BASE_URL),
    logLevel: s.LOG_LEVEL,
    // Without secrets of its own the app forgets its sessions and invites at a restart. In production they are required.
    sessionSecrets: secretsOf(s.SESSION_SECRET),
    inviteSecrets: secretsOf(s.INVITE_SECRET),
    jwt: {
      issuer: s.JWT_ISSUER,
      audience: s.JWT_AUDIENCE,
      privateJwk: s.JWT_PRIVATE_JWK === undefined ? undefined : new Redacted(s.JWT_PRIVATE_JWK),
    },
    maxReconnectAttempts: s.MAX_WS_RECONNECT_ATTEMPTS,
    stateDirectory: s.STATE_DIRECTORY ?? (production ? './state' : undefined),
    redisUrl: s.REDIS_URL === undefined ? undefined : new Redacted(s.REDIS_URL),
  };
}

function topologyOf({ TOPOLOGY: kind, HUB_SECRET, LINK_URL, LINK_TOKEN }: z.output<typeof SETTINGS>): Topology {
  if (kind === 'webhook') return { kind, secrets: secretsOf(HUB_SECRET) };
  if (kind === 'link') return { kind, url: LINK_URL ?? '', token: new Redacted(LINK_TOKEN?.[0] ?? '') };
  return { kind };
}

function secretsOf(given: readonly string[] | undefined): readonly Redacted[] {
  return (given ?? [randomBytes(32).toString('hex')]).map((secret) => new Redacted(secret));
}
