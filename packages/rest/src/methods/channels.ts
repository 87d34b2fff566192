/** Owns the channel methods: their input, routes and answers. */
import {
  type APIChannel,
  type APIGuildChannel,
  type APIGuildVoiceChannel,
  ChannelType,
  Routes,
} from 'discord-api-types/v10';
import * as z from 'zod';
import { name100, overwrite, type PermissionOverwriteInput, parseId, parseInput, snowflake } from '../input.js';
import type { CallOptions } from '../options.js';
import { doneOnce, guildOf, type MethodContext } from './context.js';

/** What a new voice channel is. */
export interface VoiceChannelInput {
  /** 1 to 100 characters. */
  readonly name: string;
  /** @defaultValue the client's `guildId` */
  readonly guildId?: string | undefined;
  /** The category it goes into. */
  readonly parentId?: string | undefined;
  /** People who fit in, 0 to 99; 0 for no limit. */
  readonly userLimit?: number | undefined;
  /** In bits per second, 8,000 or more; the guild's boosts bound it. */
  readonly bitrate?: number | undefined;
  readonly permissionOverwrites?: readonly PermissionOverwriteInput[] | undefined;
}

/** What is to change in a channel. */
export interface ChannelEdit {
  /** 1 to 100 characters. Discord takes two changes of name or topic in ten minutes; more wait. */
  readonly name?: string | undefined;
  /** At most 1024 characters. */
  readonly topic?: string | null | undefined;
  readonly parentId?: string | null | undefined;
  readonly userLimit?: number | undefined;
  readonly bitrate?: number | undefined;
  readonly position?: number | undefined;
  readonly permissionOverwrites?: readonly PermissionOverwriteInput[] | undefined;
}

const userLimit = z.int().min(0).max(99, 'must be from 0 to 99');
const bitrate = z.int().min(8_000).max(384_000);
const voiceChannel = z.strictObject({
  name: name100,
  guildId: snowflake.optional(),
  parentId: snowflake.optional(),
  userLimit: userLimit.optional(),
  bitrate: bitrate.optional(),
  permissionOverwrites: z.array(overwrite).max(500).optional(),
});
const channelEdit = z.strictObject({
  name: name100.optional(),
  topic: z.string().max(1_024, 'must be at most 1024 characters').nullable().optional(),
  parentId: snowflake.nullable().optional(),
  userLimit: userLimit.optional(),
  bitrate: bitrate.optional(),
  position: z.int().min(0).optional(),
  permissionOverwrites: z.array(overwrite).max(500).optional(),
});

/** Discord's code of an unknown channel. */
const UNKNOWN_CHANNEL = 10_003;

export function createVoiceChannel(
  context: MethodContext,
  input: unknown,
  options: CallOptions,
): Promise<APIGuildVoiceChannel> {
  const { guildId, ...rest } = parseInput(voiceChannel, input);
  const body = { type: ChannelType.GuildVoice, ...toBody(rest) };
  return context.send('POST', Routes.guildChannels(guildOf(context, guildId)), { ...options, body });
}

export function getChannels(
  context: MethodContext,
  guildId: unknown,
  options: CallOptions,
): Promise<APIGuildChannel[]> {
  return context.send('GET', Routes.guildChannels(guildOf(context, guildId)), options);
}

export function getChannel(context: MethodContext, channelId: unknown, options: CallOptions): Promise<APIChannel> {
  return context.send('GET', Routes.channel(parseId('channelId', channelId)), options);
}

export function modifyChannel(
  context: MethodContext,
  channelId: unknown,
  edit: unknown,
  options: CallOptions,
): Promise<APIChannel> {
  const body = toBody(parseInput(channelEdit, edit));
  return context.send('PATCH', Routes.channel(parseId('channelId', channelId)), { ...options, body });
}

export function deleteChannel(context: MethodContext, channelId: unknown, options: CallOptions): Promise<void> {
  return doneOnce(context.send('DELETE', Routes.channel(parseId('channelId', channelId)), options), UNKNOWN_CHANNEL);
}

export function editChannelPermissions(
  context: MethodContext,
  channelId: unknown,
  input: unknown,
  options: CallOptions,
): Promise<void> {
  const { id, ...body } = parseInput(overwrite, input);
  const route = Routes.channelPermission(parseId('channelId', channelId), id);
  return context.send('PUT', route, { ...options, body });
}

export function deleteChannelPermission(
  context: MethodContext,
  channelId: unknown,
  overwriteId: unknown,
  options: CallOptions,
): Promise<void> {
  const route = Routes.channelPermission(parseId('channelId', channelId), parseId('overwriteId', overwriteId));
  return context.send('DELETE', route, options);
}

function toBody(fields: {
  readonly parentId?: string | null | undefined;
  readonly userLimit?: number | undefined;
  readonly permissionOverwrites?: readonly unknown[] | undefined;
}): Record<string, unknown> {
  const { parentId, userLimit, permissionOverwrites, ...same } = fields;
  // JSON drops what is undefined.
  return { ...same, parent_id: parentId, user_limit: userLimit, permission_overwrites: permissionOverwrites };
}
