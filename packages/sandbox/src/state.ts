/** Owns a sandbox's saved state: the world, and what a restart needs beside it. */
import { ChannelType } from 'discord-api-types/v10';
import { createChannel } from './protocol/world/channels.js';
import { loadWorld, saveWorld } from './protocol/world/snapshot.js';
import type { Guild, World } from './protocol/world/types.js';
import { addGuild, addUser, createWorld } from './protocol/world/world.js';

/**
 * A saved sandbox, as JSON that may be written to a file. Its tokens are those of its seed: a bot keeps its token.
 * Logins, gateway sessions and the bytes of attachments are not in it; the tokens of webhooks are.
 */
export interface SandboxState {
  /** Of this shape. */
  readonly version: 1;
  /** Gives ids, tokens and secrets. */
  readonly seed: number;
  /** What `sandbox.guildId` and the like are. */
  readonly main: MainIds;
  /** How often the tokens of bots were reset. */
  readonly generations: Readonly<Record<string, number>>;
  /** Guilds, channels, people and the rest: for the sandbox to read. */
  readonly world: unknown;
}

/** The ids that a sandbox names. */
export interface MainIds {
  /** The guild. */
  readonly guildId: string;
  /** The text channel it began with. */
  readonly textChannelId: string;
  /** The voice channel it began with. */
  readonly voiceChannelId: string;
  /** The first bot, whose token is in `connection`. */
  readonly botId: string;
}

/** Saves. */
export function saveState(
  world: World,
  rest: { readonly seed: number; readonly main: MainIds; readonly generations: ReadonlyMap<string, number> },
): SandboxState {
  return {
    version: 1,
    seed: rest.seed,
    main: rest.main,
    generations: Object.fromEntries(rest.generations),
    world: saveWorld(world),
  };
}

/** A world to run, with the ids that a sandbox names. */
export interface Beginning {
  readonly world: World;
  readonly guild: Guild;
  /** `botId` is empty when the first bot is yet to be made. */
  readonly main: MainIds;
}

/** A world with a guild, a text and a voice channel. */
export function beginWorld(
  seed: number,
  now: (() => number) | undefined,
  { guildName, joinedAt }: { readonly guildName: string; readonly joinedAt: string },
): Beginning {
  const world = createWorld(seed, now);
  const owner = addUser(world, { username: 'owner', globalName: 'Owner', avatar: null, bot: false });
  const guild = addGuild(world, { name: guildName, ownerId: owner.id, joinedAt });
  const text = createChannel(world, guild, { name: 'general', type: ChannelType.GuildText }).channel;
  const voice = createChannel(world, guild, { name: 'General', type: ChannelType.GuildVoice }).channel;
  guild.systemChannelId = text.id;
  return { world, guild, main: { guildId: guild.id, textChannelId: text.id, voiceChannelId: voice.id, botId: '' } };
}

/** Loads. @throws TypeError for what is no saved state, with where it is wrong. */
export function loadState(state: SandboxState, now: (() => number) | undefined): Beginning {
  const wrong = (problem: string): TypeError =>
    new TypeError(`createSandbox: option "state" is not a saved sandbox: ${problem}`);
  if (typeof state !== 'object' || state === null || state.version !== 1) throw wrong('version must be 1');
  if (!Number.isSafeInteger(state.seed) || state.seed < 0) throw wrong('seed must be a whole number');
  const { generations, main } = state;
  if (!isRecord(generations) || !Object.values(generations).every((it) => Number.isSafeInteger(it) && it >= 0)) {
    throw wrong('generations must be whole numbers');
  }
  const loaded = loadWorld(state.world, state.seed, now);
  if (!loaded.ok) throw wrong(`world: ${loaded.problem}`);
  const guild = isRecord(main) ? loaded.world.guilds.get(main.guildId) : undefined;
  if (guild === undefined || !loaded.world.bots.has(main.botId)) throw wrong('main must name its guild and bot');
  return { world: loaded.world, guild, main };
}

const isRecord = (value: unknown): boolean => typeof value === 'object' && value !== null;
