/** Owns a guild's channels: creating, changing and deleting them, and what that does to those inside. */
import { type APIOverwrite, ChannelType, GatewayDispatchEvents } from 'discord-api-types/v10';
import { channelPayload, guildPayload } from '../payloads/guild.js';
import { type WorldEvent, worldEvent } from './events.js';
import type { Channel, Guild, SandboxChannelType, World } from './types.js';
import { leaveVoice } from './voice.js';

/** Most channels a guild may have (Discord error 30013). */
export const MAX_GUILD_CHANNELS = 500;
/** Most channels in one category. */
export const MAX_CATEGORY_CHANNELS = 50;

/** What can be set of a channel. What is left out keeps its value, or its default at creation. */
export interface ChannelChange {
  readonly name?: string | undefined;
  readonly position?: number | undefined;
  readonly parentId?: string | null | undefined;
  readonly overwrites?: readonly APIOverwrite[] | undefined;
  readonly nsfw?: boolean | undefined;
  readonly topic?: string | null | undefined;
  readonly slowmode?: number | undefined;
  readonly bitrate?: number | undefined;
  readonly userLimit?: number | undefined;
  readonly rtcRegion?: string | null | undefined;
  readonly videoQualityMode?: number | undefined;
}

/** What a creation or change gives. */
export interface ChannelResult {
  readonly channel: Channel;
  readonly events: readonly WorldEvent[];
}

const DEFAULT_BITRATE = 64_000;

/** Whether messages can be written in a channel: voice and stage channels have a chat of their own. */
export const isTextChannel = ({ type }: Channel): boolean => type !== ChannelType.GuildCategory;

/** Creates a channel. */
export function createChannel(
  world: World,
  guild: Guild,
  input: ChannelChange & { readonly name: string; readonly type: SandboxChannelType },
): ChannelResult {
  const channel: Channel = {
    id: world.ids.next(),
    guildId: guild.id,
    type: input.type,
    name: channelName(input.type, input.name),
    position: nextPosition(guild, input.type),
    parentId: null,
    overwrites: [],
    nsfw: false,
    topic: null,
    slowmode: 0,
    bitrate: DEFAULT_BITRATE,
    userLimit: 0,
    rtcRegion: null,
    videoQualityMode: 1,
    lastMessageId: null,
    messages: new Map(),
  };
  applyChange(channel, input);
  guild.channels.set(channel.id, channel);
  return { channel, events: [worldEvent(GatewayDispatchEvents.ChannelCreate, guild.id, channelPayload(channel))] };
}

/** Changes a channel. */
export function changeChannel(guild: Guild, channel: Channel, change: ChannelChange): ChannelResult {
  applyChange(channel, change);
  return { channel, events: [worldEvent(GatewayDispatchEvents.ChannelUpdate, guild.id, channelPayload(channel))] };
}

/** Deletes a channel: those in it are disconnected, a category's channels stay without a parent. */
export function deleteChannel(world: World, guild: Guild, channel: Channel): readonly WorldEvent[] {
  guild.channels.delete(channel.id);
  const events: WorldEvent[] = [];
  for (const child of guild.channels.values()) {
    if (child.parentId !== channel.id) continue;
    child.parentId = null;
    events.push(worldEvent(GatewayDispatchEvents.ChannelUpdate, guild.id, channelPayload(child)));
  }
  if (guild.systemChannelId === channel.id) {
    guild.systemChannelId = null;
    events.push(worldEvent(GatewayDispatchEvents.GuildUpdate, guild.id, guildPayload(guild)));
  }
  events.push(worldEvent(GatewayDispatchEvents.ChannelDelete, guild.id, channelPayload(channel)));
  for (const state of [...guild.voiceStates.values()]) {
    if (state.channelId === channel.id) events.push(...leaveVoice(world, guild, state.userId));
  }
  return events;
}

/** How many channels a category holds. */
export function countInCategory(guild: Guild, categoryId: string): number {
  let count = 0;
  for (const channel of guild.channels.values()) if (channel.parentId === categoryId) count += 1;
  return count;
}

/** A channel's name as Discord stores it: text channels are lower-cased, with `-` for spaces. */
function channelName(type: SandboxChannelType, name: string): string {
  const isText = type === ChannelType.GuildText || type === ChannelType.GuildAnnouncement;
  return isText ? name.toLowerCase().replaceAll(/\s+/g, '-') : name;
}

function nextPosition(guild: Guild, type: SandboxChannelType): number {
  let next = 0;
  for (const channel of guild.channels.values()) {
    if (channel.type === type) next = Math.max(next, channel.position + 1);
  }
  return next;
}

function applyChange(channel: Channel, change: ChannelChange): void {
  if (change.name !== undefined) channel.name = channelName(channel.type, change.name);
  if (change.position !== undefined) channel.position = change.position;
  if (change.parentId !== undefined) channel.parentId = change.parentId;
  if (change.overwrites !== undefined) channel.overwrites = change.overwrites.map((overwrite) => ({ ...overwrite }));
  if (change.nsfw !== undefined) channel.nsfw = change.nsfw;
  if (change.topic !== undefined) channel.topic = change.topic;
  if (change.slowmode !== undefined) channel.slowmode = change.slowmode;
  if (change.bitrate !== undefined) channel.bitrate = change.bitrate;
  if (change.userLimit !== undefined) channel.userLimit = change.userLimit;
  if (change.rtcRegion !== undefined) channel.rtcRegion = change.rtcRegion;
  if (change.videoQualityMode !== undefined) channel.videoQualityMode = change.videoQualityMode;
}
