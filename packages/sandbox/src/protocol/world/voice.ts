/** Owns voice states: who is in which voice channel, and how. */
import { ChannelType, GatewayDispatchEvents } from 'discord-api-types/v10';
import { voiceStateUpdatePayload } from '../payloads/voice.js';
import { type WorldEvent, worldEvent } from './events.js';
import type { Channel, Guild, VoiceState, World } from './types.js';

/** Why someone cannot enter a channel. */
export type VoiceRefusal = 'channelUnknown' | 'channelNotVoice' | 'channelFull';

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

/** Why a user cannot enter a channel; `undefined` when nothing is in the way. A bypass stands for MOVE_MEMBERS. */
export function voiceRefusal(
  guild: Guild,
  userId: string,
  channelId: string,
  bypassLimit: boolean,
): VoiceRefusal | undefined {
  const channel = guild.channels.get(channelId);
  if (channel === undefined) return 'channelUnknown';
  if (!isVoiceChannel(channel)) return 'channelNotVoice';
  if (bypassLimit || channel.userLimit === 0 || guild.voiceStates.get(userId)?.channelId === channelId)
    return undefined;
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

/** Disconnects a user; nothing when it is not connected. */
export function leaveVoice(world: World, guild: Guild, userId: string): readonly WorldEvent[] {
  const state = guild.voiceStates.get(userId);
  if (state === undefined) return [];
  guild.voiceStates.delete(userId);
  return [stateUpdate(world, guild, { ...state, selfVideo: false, selfStream: false }, null)];
}

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
