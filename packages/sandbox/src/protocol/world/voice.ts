/** Owns voice states: who is in which voice channel, and how. */
import { ChannelType, GatewayDispatchEvents, PermissionFlagsBits as P } from 'discord-api-types/v10';
import { voiceStateUpdatePayload } from '../payloads/voice.js';
import { mayIn } from './access.js';
import { type WorldEvent, worldEvent } from './events.js';
import type { Channel, Guild, VoiceState, World } from './types.js';

/** Why someone cannot enter a channel. */
export type VoiceRefusal = 'channelUnknown' | 'channelNotVoice' | 'notPermitted' | 'channelFull';

/** How someone is in voice; what is left out stays as it was. */
export interface VoiceChange {
  readonly sessionId?: string | undefined;
  readonly selfMute?: boolean | undefined;
  readonly selfDeaf?: boolean | undefined;
  readonly selfVideo?: boolean | undefined;
  readonly selfStream?: boolean | undefined;
}

/** Whether people can be connected to a channel. */
export function isVoiceChannel(channel: Channel): boolean {
  return channel.type === ChannelType.GuildVoice || channel.type === ChannelType.GuildStageVoice;
}

/** Why a user cannot enter a channel; `undefined` when nothing is in the way. MOVE_MEMBERS passes by the user limit. */
export function voiceRefusal(guild: Guild, userId: string, channelId: string): VoiceRefusal | undefined {
  const channel = guild.channels.get(channelId);
  if (channel === undefined) return 'channelUnknown';
  if (!isVoiceChannel(channel)) return 'channelNotVoice';
  if (!mayIn(guild, channel, userId, P.ViewChannel | P.Connect)) return 'notPermitted';
  if (channel.userLimit === 0 || guild.voiceStates.get(userId)?.channelId === channelId) return undefined;
  if (mayIn(guild, channel, userId, P.MoveMembers)) return undefined;
  return countIn(guild, channelId) >= channel.userLimit ? 'channelFull' : undefined;
}

/** Connects a user to a voice channel, or moves it there; the channel was checked with {@link voiceRefusal}. */
export function enterVoice(
  world: World,
  guild: Guild,
  userId: string,
  channelId: string,
  change: VoiceChange & { readonly sessionId: string },
): readonly WorldEvent[] {
  const existing = guild.voiceStates.get(userId);
  const state: VoiceState = existing ?? {
    userId,
    channelId,
    sessionId: change.sessionId,
    selfMute: false,
    selfDeaf: false,
    selfVideo: false,
    selfStream: false,
  };
  state.channelId = channelId;
  apply(state, change);
  guild.voiceStates.set(userId, state);
  return [stateUpdate(world, guild, state, state.channelId)];
}

/** Changes how a user is in voice; nothing when it is not connected. */
export function changeVoice(world: World, guild: Guild, userId: string, change: VoiceChange): readonly WorldEvent[] {
  const state = guild.voiceStates.get(userId);
  if (state === undefined) return [];
  apply(state, change);
  return [stateUpdate(world, guild, state, state.channelId)];
}

/** Tells that a user's voice state changed through its member (server mute, deafen); nothing when not connected. */
export function memberVoiceChanged(world: World, guild: Guild, userId: string): readonly WorldEvent[] {
  return changeVoice(world, guild, userId, {});
}

/** Disconnects a user; nothing when it is not connected. */
export function leaveVoice(world: World, guild: Guild, userId: string): readonly WorldEvent[] {
  const state = guild.voiceStates.get(userId);
  if (state === undefined) return [];
  guild.voiceStates.delete(userId);
  return [stateUpdate(world, guild, { ...state, selfVideo: false, selfStream: false }, null)];
}

/** Tells one session of the main gateway where its voice server is; `null`: nowhere for now. */
export const voiceServerUpdate = (
  guildId: string,
  token: string,
  endpoint: string | null,
  sessionId: string,
): WorldEvent =>
  worldEvent(GatewayDispatchEvents.VoiceServerUpdate, guildId, { token, guild_id: guildId, endpoint }, sessionId);

function apply(state: VoiceState, change: VoiceChange): void {
  if (change.sessionId !== undefined) state.sessionId = change.sessionId;
  if (change.selfMute !== undefined) state.selfMute = change.selfMute;
  if (change.selfDeaf !== undefined) state.selfDeaf = change.selfDeaf;
  if (change.selfVideo !== undefined) state.selfVideo = change.selfVideo;
  if (change.selfStream !== undefined) state.selfStream = change.selfStream;
}

function stateUpdate(world: World, guild: Guild, state: VoiceState, channelId: string | null): WorldEvent {
  return worldEvent(
    GatewayDispatchEvents.VoiceStateUpdate,
    guild.id,
    voiceStateUpdatePayload(world, guild, state, channelId),
  );
}

function countIn(guild: Guild, channelId: string): number {
  let count = 0;
  for (const state of guild.voiceStates.values()) if (state.channelId === channelId) count += 1;
  return count;
}
