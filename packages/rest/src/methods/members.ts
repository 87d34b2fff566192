/** Owns the member methods: reading, adding by OAuth token, moving between voice channels, roles. */
import { type APIGuildMember, Routes } from 'discord-api-types/v10';
import * as z from 'zod';
import { parseInput, snowflake } from '../input.js';
import type { CallOptions } from '../options.js';
import { doneOnce, guildOf, type MethodContext } from './context.js';

/** One member of a guild. */
export interface MemberRef {
  readonly userId: string;
  /** @defaultValue the client's `guildId` */
  readonly guildId?: string | undefined;
}

/** A role of one member. */
export interface MemberRoleRef extends MemberRef {
  readonly roleId: string;
}

/** A member to move. */
export interface MemberMove extends MemberRef {
  /** The voice channel; the member must be in one already. */
  readonly channelId: string;
}

/** Someone to add to a guild. */
export interface NewMember extends MemberRef {
  /** Of that user, with the scope `guilds.join`. */
  readonly accessToken: string;
  /** 1 to 32 characters. */
  readonly nick?: string | undefined;
  readonly roles?: readonly string[] | undefined;
  readonly mute?: boolean | undefined;
  readonly deaf?: boolean | undefined;
}

/** What is to change in a member; `null` resets. */
export interface MemberEdit extends MemberRef {
  readonly nick?: string | null | undefined;
  readonly roles?: readonly string[] | undefined;
  /** Only while in a voice channel. */
  readonly mute?: boolean | undefined;
  readonly deaf?: boolean | undefined;
  /** ISO 8601, at most 28 days ahead. */
  readonly communicationDisabledUntil?: string | null | undefined;
}

/** Discord's code of a member who is not connected to voice. */
const NOT_IN_VOICE = 40_032;

const member = z.strictObject({ userId: snowflake, guildId: snowflake.optional() });
const memberRole = member.extend({ roleId: snowflake });
const memberMove = member.extend({ channelId: snowflake });
const nick = z.string().max(32, 'must be at most 32 characters');
const roles = z.array(snowflake).max(250);
const newMember = member.extend({
  accessToken: z.string().regex(/^[\x21-\x7e]+$/, 'must be an OAuth2 access token'),
  nick: nick.optional(),
  roles: roles.optional(),
  mute: z.boolean().optional(),
  deaf: z.boolean().optional(),
});
const memberEdit = member.extend({
  nick: nick.nullable().optional(),
  roles: roles.optional(),
  mute: z.boolean().optional(),
  deaf: z.boolean().optional(),
  communicationDisabledUntil: z.iso.datetime({ offset: true }).nullable().optional(),
});

export function getGuildMember(context: MethodContext, ref: unknown, options: CallOptions): Promise<APIGuildMember> {
  return context.send('GET', memberRoute(context, parseInput(member, ref)), options);
}

export function addGuildMember(
  context: MethodContext,
  input: unknown,
  options: CallOptions,
): Promise<APIGuildMember | undefined> {
  const { userId, guildId, accessToken, ...same } = parseInput(newMember, input);
  const body = { access_token: accessToken, ...same };
  return context.send('PUT', memberRoute(context, { userId, guildId }), { ...options, body });
}

export function modifyGuildMember(
  context: MethodContext,
  edit: unknown,
  options: CallOptions,
): Promise<APIGuildMember> {
  const { userId, guildId, communicationDisabledUntil, ...same } = parseInput(memberEdit, edit);
  const body = { ...same, communication_disabled_until: communicationDisabledUntil };
  return context.send('PATCH', memberRoute(context, { userId, guildId }), { ...options, body });
}

export function moveMember(context: MethodContext, move: unknown, options: CallOptions): Promise<APIGuildMember> {
  const { channelId, ...ref } = parseInput(memberMove, move);
  return context.send('PATCH', memberRoute(context, ref), { ...options, body: { channel_id: channelId } });
}

export function disconnectMember(context: MethodContext, ref: unknown, options: CallOptions): Promise<void> {
  const route = memberRoute(context, parseInput(member, ref));
  return doneOnce(context.send('PATCH', route, { ...options, body: { channel_id: null } }), NOT_IN_VOICE);
}

export function addGuildMemberRole(context: MethodContext, ref: unknown, options: CallOptions): Promise<void> {
  return context.send('PUT', memberRoleRoute(context, ref), options);
}

export function removeGuildMemberRole(context: MethodContext, ref: unknown, options: CallOptions): Promise<void> {
  return context.send('DELETE', memberRoleRoute(context, ref), options);
}

function memberRoute(context: MethodContext, { userId, guildId }: z.output<typeof member>): string {
  return Routes.guildMember(guildOf(context, guildId), userId);
}

function memberRoleRoute(context: MethodContext, ref: unknown): string {
  const { userId, roleId, guildId } = parseInput(memberRole, ref);
  return Routes.guildMemberRole(guildOf(context, guildId), userId, roleId);
}
