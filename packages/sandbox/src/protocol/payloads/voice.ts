/** Owns the wire shapes of voice: states and regions (Discord docs, Resources: Voice). */
import type { APIBaseVoiceState, APIVoiceRegion, GatewayVoiceState } from 'discord-api-types/v10';
import type { Guild, VoiceState, World } from '../world/types.js';
import { memberOf, userOf } from '../world/world.js';
import { memberPayload } from './guild.js';

/** A voice state as GUILD_CREATE lists it: without guild and member. */
export function voiceStatePayload(guild: Guild, state: VoiceState, channelId: string | null): APIBaseVoiceState {
  const member = memberOf(guild, state.userId);
  return {
    user_id: state.userId,
    channel_id: channelId,
    session_id: state.sessionId,
    deaf: member.deaf,
    mute: member.mute,
    self_deaf: state.selfDeaf,
    self_mute: state.selfMute,
    self_video: state.selfVideo,
    ...(state.selfStream ? { self_stream: true } : {}),
    suppress: false,
    request_to_speak_timestamp: null,
  };
}

/** A voice state as VOICE_STATE_UPDATE and REST carry it. */
export function voiceStateUpdatePayload(
  world: World,
  guild: Guild,
  state: VoiceState,
  channelId: string | null,
): GatewayVoiceState {
  return {
    ...voiceStatePayload(guild, state, channelId),
    guild_id: guild.id,
    member: memberPayload(memberOf(guild, state.userId), userOf(world, state.userId)),
  };
}

/** The regions that the sandbox offers. */
export const VOICE_REGIONS: readonly APIVoiceRegion[] = [
  { id: 'rotterdam', name: 'Rotterdam', optimal: true, deprecated: false, custom: false },
  { id: 'us-east', name: 'US East', optimal: false, deprecated: false, custom: false },
];
