/** Owns what a session is told when it begins, and what its requests (opcodes 3, 4, 8, 31 and 43) do to the world. */
import { GatewayDispatchEvents, type GatewayGuildCreateDispatchData } from 'discord-api-types/v10';
import { readyPayload } from '../payloads/ready.js';
import { shardOf } from '../snowflake.js';
import { type WorldEvent, worldEvent } from '../world/events.js';
import { setPresence } from '../world/presence.js';
import type { Guild, World } from '../world/types.js';
import { changeVoice, enterVoice, isVoiceChannel, leaveVoice, voiceRefusal } from '../world/voice.js';
import { guildOfBot, userOf } from '../world/world.js';
import type { ClientRequest } from './frames.js';
import { type MemberRequestLimits, sendMembers } from './member-request.js';
import type { Session } from './session.js';
import type { VoiceSessions } from './voice-sessions.js';

/** What requests are carried out with. */
export interface RequestServices {
  /** What a bot is told that asks for the voice channel it is in. */
  voiceAgain(guildId: string, session: Session): readonly WorldEvent[];
  /** On the clock's scale. */
  readonly now: number;
  readonly memberLimits: MemberRequestLimits;
  readonly voiceSessions: VoiceSessions;
}

/** What a welcome needs beside world and session. */
export interface WelcomeInput {
  readonly version: number;
  readonly resumeUrl: string;
  /** Makes GUILD_CREATE; the same object for sessions that see the same. */
  guildCreate(guild: Guild): GatewayGuildCreateDispatchData;
}

/** READY, then GUILD_CREATE for each guild of the session's shard. */
export function welcome(
  world: World,
  session: Session,
  { version, resumeUrl, guildCreate }: WelcomeInput,
): readonly WorldEvent[] {
  const bot = world.bots.get(session.botId);
  if (bot === undefined) return [];
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
    ...guilds.map((guild) => worldEvent(GatewayDispatchEvents.GuildCreate, guild.id, guildCreate(guild))),
  ];
}

/** Carries out a request. What Discord ignores without a word (a guild the bot is not in, no such channel) is ignored. */
export function carryOut(
  world: World,
  session: Session,
  request: ClientRequest,
  services: RequestServices,
): readonly WorldEvent[] {
  const bot = world.bots.get(session.botId);
  if (bot === undefined) return [];
  switch (request.kind) {
    case 'presence':
      return setPresence(world, bot.id, request.presence);
    case 'soundboard':
      return [...new Set(request.guildIds)].flatMap((id) => {
        const guild = guildOfBot(world, bot, id);
        // The sandbox's guilds have no sounds of their own.
        const data = { guild_id: id, soundboard_sounds: [] };
        return guild === undefined ? [] : [worldEvent(GatewayDispatchEvents.SoundboardSounds, id, data, session.id)];
      });
    default: {
      const guild = guildOfBot(world, bot, request.guildId);
      if (guild === undefined) return [];
      if (request.kind === 'channelInfo') return [channelInfo(guild, session, request.fields, services)];
      if (request.kind === 'voiceState') return moveBot(world, guild, session, request, services);
      const { memberLimits, now } = services;
      return sendMembers(world, guild, session, request, { take: (...of) => memberLimits.take(...of), now });
    }
  }
}

/** A session that is over takes its voice connections with it. */
export function hangUp(world: World, session: Session): readonly WorldEvent[] {
  return [...world.guilds.values()].flatMap((guild) =>
    guild.voiceStates.get(session.botId)?.sessionId === session.id ? leaveVoice(world, guild, session.botId) : [],
  );
}

/** CHANNEL_INFO (Discord docs, Gateway Events: Request Channel Info): what is known of voice channels beside the channel. */
function channelInfo(
  guild: Guild,
  session: Session,
  fields: readonly string[],
  { voiceSessions }: RequestServices,
): WorldEvent {
  const channels = [...guild.channels.values()].filter(isVoiceChannel).map(({ id }) => ({
    id,
    ...(fields.includes('status') ? { status: null } : {}),
    ...(fields.includes('voice_start_time') ? { voice_start_time: voiceSessions.since(id) } : {}),
  }));
  return worldEvent(GatewayDispatchEvents.ChannelInfo, guild.id, { guild_id: guild.id, channels }, session.id);
}

/** VOICE_SERVER_UPDATE follows from the voice state: it is the voice side's to make. */
function moveBot(
  world: World,
  guild: Guild,
  session: Session,
  request: Extract<ClientRequest, { kind: 'voiceState' }>,
  services: RequestServices,
): readonly WorldEvent[] {
  const { channelId, selfMute, selfDeaf, selfVideo } = request;
  if (channelId === null) return leaveVoice(world, guild, session.botId);
  const change = { sessionId: session.id, selfMute, selfDeaf, selfVideo };
  if (guild.voiceStates.get(session.botId)?.channelId === channelId) {
    return [...changeVoice(world, guild, session.botId, change), ...services.voiceAgain(guild.id, session)];
  }
  if (voiceRefusal(guild, session.botId, channelId) !== undefined) return [];
  return enterVoice(world, guild, session.botId, channelId, change);
}
