/** Owns the sandbox's bots: applications with a token and permissions of their own. */
import { clientSecretOf } from './codec/derive.js';
import { createToken, TokenBook } from './codec/token.js';
import { checkPermissions } from './people.js';
import { ALL_PRIVILEGED, PRIVILEGED_INTENTS, type PrivilegedIntentName } from './protocol/gateway/intents.js';
import type { WorldEvent } from './protocol/world/events.js';
import { addBot } from './protocol/world/members.js';
import { bitsOf, type PermissionName } from './protocol/world/permissions.js';
import type { Bot, Guild, World } from './protocol/world/types.js';

/** A bot account. */
export interface SandboxBot {
  /** Of its user and its application. */
  readonly id: string;
  /** Without the `Bot ` before it. */
  readonly token: string;
  /** Secret of its application, for OAuth2. */
  readonly clientSecret: string;
}

/** Settings of a new bot. */
export interface BotOptions {
  /** User name, and name of its application. @defaultValue `'bot'` */
  readonly name?: string | undefined;
  /** Which are switched on for it. @defaultValue all */
  readonly privilegedIntents?: readonly PrivilegedIntentName[] | undefined;
  /** Of its role, beside those of @everyone. @defaultValue `['Administrator']` */
  readonly permissions?: readonly PermissionName[] | undefined;
}

/** The sandbox's bots. */
export interface SandboxBots {
  /**
   * Creates an application with a bot in the guild.
   *
   * @throws TypeError for an unknown intent or permission.
   */
  create(options?: BotOptions): Promise<SandboxBot>;
  /** Every bot, the first one first. */
  list(): readonly SandboxBot[];
  /** Gives a bot a new token: the old one is void, and its connections close with 4004. */
  resetToken(botId: string): Promise<SandboxBot>;
}

/** The bots, and what the rest of the sandbox asks of them. */
export interface BotRegistry extends SandboxBots {
  /** How often each bot's token was reset. */
  readonly generations: ReadonlyMap<string, number>;
  add(options: BotOptions): SandboxBot;
  /** The bot of a token. */
  of(token: string): Bot | undefined;
  /** Makes a bot's token void. */
  revoke(botId: string): void;
}

/** What bots need of the sandbox. */
export interface BotsContext {
  readonly world: World;
  readonly guild: Guild;
  readonly seed: number;
  /** Of a saved state. */
  readonly generations: ReadonlyMap<string, number>;
  broadcast(events: readonly WorldEvent[]): void;
  /** Ends a bot's connections: its token is void. */
  expel(botId: string): void;
  timestamp(): string;
}

/** Creates the bots of a sandbox; those that a saved world has keep their tokens. */
export function createBots(context: BotsContext): BotRegistry {
  const { world, guild, seed } = context;
  const tokens = new TokenBook();
  const generations = new Map(context.generations);
  const show = (id: string): SandboxBot => ({
    id,
    token: createToken(id, seed, generations.get(id)),
    clientSecret: clientSecretOf(seed, id),
  });
  const register = (id: string): SandboxBot => {
    const bot = show(id);
    tokens.add(id, bot.token);
    return bot;
  };
  for (const id of world.bots.keys()) register(id);

  const add = ({ name = 'bot', privilegedIntents, permissions }: BotOptions): SandboxBot => {
    checkPermissions('bots.create', permissions);
    const unknown = privilegedIntents?.find((intent) => !Object.hasOwn(PRIVILEGED_INTENTS, intent));
    if (unknown !== undefined) {
      throw new TypeError(`bots.create: "${unknown}" is not one of ${Object.keys(PRIVILEGED_INTENTS).join(', ')}`);
    }
    const { user, events } = addBot(world, guild, {
      name,
      joinedAt: context.timestamp(),
      privilegedIntents:
        privilegedIntents?.reduce((all, intent) => all | PRIVILEGED_INTENTS[intent], 0) ?? ALL_PRIVILEGED,
      permissions: permissions && bitsOf(permissions),
    });
    const bot = register(user.id);
    context.broadcast(events);
    return bot;
  };

  return {
    generations,
    add,
    create: async (options = {}) => add(options),
    list: () => [...world.bots.keys()].map(show),
    async resetToken(botId) {
      if (!world.bots.has(botId)) throw new RangeError(`bots.resetToken: there is no bot ${botId}`);
      generations.set(botId, (generations.get(botId) ?? 0) + 1);
      tokens.revoke(botId);
      const bot = register(botId);
      context.expel(botId);
      return bot;
    },
    // Discord takes the header's form in IDENTIFY, too, and some clients send it.
    of: (token) => world.bots.get(tokens.ownerOf(token) ?? ''),
    revoke: (botId) => tokens.revoke(botId),
  };
}
