/** Owns what a session is told when it begins, and what its requests (opcodes 4 and 8) do to the world. */
import { type APIGuildMember, GatewayDispatchEvents, GatewayIntentBits, GatewayOpcodes } from 'discord-api-types/v10';
import { memberPayload } from '../payloads/guild.js';
import { guildCreatePayload, readyPayload } from '../payloads/ready.js';
import { randomHex } from '../random.js';
import { shardOf } from '../snowflake.js';
import { type WorldEvent, worldEvent } from '../world/events.js';
import type { Guild, World } from '../world/types.js';
import { changeVoice, enterVoice, leaveVoice, voiceRefusal } from '../world/voice.js';
import { guildOfBot, userOf } from '../world/world.js';
import type { ClientRequest } from './frames.js';
import type { Session } from './session.js';

/** Members in one chunk (Discord docs, Gateway Events: Guild Members Chunk). */
const CHUNK_MEMBERS = 1000;
/** Members that a query by prefix may ask for. */
const MAX_QUERY_MEMBERS = 100;

/** READY, then GUILD_CREATE for each guild of the session's shard. */
export function welcome(
  world: World,
  session: Session,
  { version, resumeUrl }: { readonly version: number; readonly resumeUrl: string },
): readonly WorldEvent[] {
  const bot = world.bots.get(session.botId);
  if (bot === undefined) return [];
  bot.identifies += 1;
  const { shard } = session;
  const guilds = [...bot.guildIds]
    .filter((id) => shard === undefined || shardOf(id, shard[1]) === shard[0])
    .flatMap((id) => world.guilds.get(id) ?? []);
  const ready = readyPayload({
    bot,
    user: userOf(world, bot.id),
    version,
    sessionId: session.id,
    resumeUrl,
    shard,
    guildIds: guilds.map(({ id }) => id),
  });
  return [
    worldEvent(GatewayDispatchEvents.Ready, '', ready),
    ...guilds.map((guild) =>
      worldEvent(
        GatewayDispatchEvents.GuildCreate,
        guild.id,
        guildCreatePayload(world, guild, bot.id, session.intents),
      ),
    ),
  ];
}

/** Carries out a request. What Discord ignores without a word (a guild the bot is not in, no such channel) is ignored. */
export function carryOut(
  world: World,
  session: Session,
  request: ClientRequest,
  voiceEndpoint: string,
): readonly WorldEvent[] {
  if (request.kind === 'sounds') return sendSounds(world, session, request.guildIds);
  if (request.kind !== 'voiceState' && request.kind !== 'members') return [];
  const bot = world.bots.get(session.botId);
  const guild = bot === undefined ? undefined : guildOfBot(world, bot, request.guildId);
  if (guild === undefined) return [];
  return request.kind === 'members'
    ? sendMembers(world, guild, session, request)
    : moveBot(world, guild, session, request, voiceEndpoint);
}

/** RATE_LIMITED (Discord docs, Gateway Events: Rate Limited). */
export function rateLimited(
  session: Session,
  { guildId, nonce }: Extract<ClientRequest, { kind: 'members' }>,
  waitSeconds: number,
): WorldEvent {
  const meta = nonce === undefined ? { guild_id: guildId } : { guild_id: guildId, nonce };
  const data = { opcode: GatewayOpcodes.RequestGuildMembers, retry_after: waitSeconds, meta } as const;
  return worldEvent(GatewayDispatchEvents.RateLimited, guildId, data, session.id);
}

/** A session that is over takes its voice connections with it. */
export function hangUp(world: World, session: Session): readonly WorldEvent[] {
  return [...world.guilds.values()].flatMap((guild) =>
    guild.voiceStates.get(session.botId)?.sessionId === session.id ? leaveVoice(world, guild, session.botId) : [],
  );
}

function moveBot(
  world: World,
  guild: Guild,
  session: Session,
  request: Extract<ClientRequest, { kind: 'voiceState' }>,
  voiceEndpoint: string,
): readonly WorldEvent[] {
  const { channelId, selfMute, selfDeaf, selfVideo } = request;
  if (channelId === null) return leaveVoice(world, guild, session.botId);
  const change = { sessionId: session.id, selfMute, selfDeaf, selfVideo };
  if (guild.voiceStates.get(session.botId)?.channelId === channelId) {
    return changeVoice(world, guild, session.botId, change);
  }
  if (voiceRefusal(guild, session.botId, channelId) !== undefined) return [];
  const server = { token: randomHex(world.random, 16), guild_id: guild.id, endpoint: voiceEndpoint };
  return [
    ...enterVoice(world, guild, session.botId, channelId, change),
    worldEvent(GatewayDispatchEvents.VoiceServerUpdate, guild.id, server, session.id),
  ];
}

/** One SOUNDBOARD_SOUNDS a guild. The sandbox's guilds have no sounds of their own. */
function sendSounds(world: World, session: Session, guildIds: readonly string[]): readonly WorldEvent[] {
  const bot = world.bots.get(session.botId);
  return guildIds
    .filter((id) => bot?.guildIds.has(id))
    .map((id) =>
      worldEvent(GatewayDispatchEvents.SoundboardSounds, id, { guild_id: id, soundboard_sounds: [] }, session.id),
    );
}

function sendMembers(
  world: World,
  guild: Guild,
  session: Session,
  request: Extract<ClientRequest, { kind: 'members' }>,
): readonly WorldEvent[] {
  const { members, notFound } = selectMembers(world, guild, session, request);
  const count = Math.max(1, Math.ceil(members.length / CHUNK_MEMBERS));
  return Array.from({ length: count }, (_, index) =>
    worldEvent(
      GatewayDispatchEvents.GuildMembersChunk,
      guild.id,
      {
        guild_id: guild.id,
        members: members.slice(index * CHUNK_MEMBERS, (index + 1) * CHUNK_MEMBERS),
        chunk_index: index,
        chunk_count: count,
        ...(notFound.length === 0 ? {} : { not_found: [...notFound] }),
        ...(request.nonce === undefined ? {} : { nonce: request.nonce }),
      },
      session.id,
    ),
  );
}

function selectMembers(
  world: World,
  guild: Guild,
  session: Session,
  { userIds, query = '', limit }: Extract<ClientRequest, { kind: 'members' }>,
): { readonly members: readonly APIGuildMember[]; readonly notFound: readonly string[] } {
  if (userIds !== undefined) {
    const notFound = userIds.filter((id) => !guild.members.has(id));
    const members = userIds.flatMap((id) => {
      const member = guild.members.get(id);
      return member === undefined ? [] : [memberPayload(member, userOf(world, id))];
    });
    return { members, notFound };
  }
  // The whole list needs GUILD_MEMBERS; without it a query gives what a query may give.
  const wholeList = query === '' && limit === 0 && (session.intents & GatewayIntentBits.GuildMembers) !== 0;
  const most = wholeList
    ? Number.POSITIVE_INFINITY
    : Math.min(limit === 0 ? MAX_QUERY_MEMBERS : limit, MAX_QUERY_MEMBERS);
  const prefix = query.toLowerCase();
  const members: APIGuildMember[] = [];
  for (const member of guild.members.values()) {
    if (members.length >= most) break;
    const user = userOf(world, member.userId);
    const names = [user.username, user.globalName, member.nick];
    if (names.some((name) => name?.toLowerCase().startsWith(prefix))) members.push(memberPayload(member, user));
  }
  return { members, notFound: [] };
}
