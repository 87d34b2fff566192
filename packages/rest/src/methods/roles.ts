/** Owns the role methods. */
import { type APIRole, Routes } from 'discord-api-types/v10';
import * as z from 'zod';
import { name100, parseInput, permissionBits, snowflake } from '../input.js';
import type { CallOptions } from '../options.js';
import { doneOnce, guildOf, type MethodContext } from './context.js';

/** What a role is. */
export interface RoleInput {
  /** 1 to 100 characters. */
  readonly name?: string | undefined;
  /** @defaultValue the client's `guildId` */
  readonly guildId?: string | undefined;
  /** Permission bits. @defaultValue none: what `@everyone` has */
  readonly permissions?: string | bigint | number | undefined;
  /** RGB, 0 to 0xffffff; 0 for none. */
  readonly color?: number | undefined;
  /** Shown apart in the member list. */
  readonly hoist?: boolean | undefined;
  readonly mentionable?: boolean | undefined;
}

/** One role of a guild. */
export interface RoleRef {
  readonly roleId: string;
  /** @defaultValue the client's `guildId` */
  readonly guildId?: string | undefined;
}

/** What is to change in a role. */
export interface RoleEdit extends RoleInput, RoleRef {}

/** Discord's code of an unknown role. */
const UNKNOWN_ROLE = 10_011;

const role = z.strictObject({
  name: name100.optional(),
  guildId: snowflake.optional(),
  permissions: permissionBits.optional(),
  color: z.int().min(0).max(0xffffff, 'must be from 0 to 0xffffff').optional(),
  hoist: z.boolean().optional(),
  mentionable: z.boolean().optional(),
});
const roleRef = z.strictObject({ roleId: snowflake, guildId: snowflake.optional() });
const roleEdit = role.extend({ roleId: snowflake });

export function getGuildRoles(context: MethodContext, guildId: unknown, options: CallOptions): Promise<APIRole[]> {
  return context.send('GET', Routes.guildRoles(guildOf(context, guildId)), options);
}

export function createGuildRole(context: MethodContext, input: unknown, options: CallOptions): Promise<APIRole> {
  // Unlike Discord's default, which copies @everyone's permissions: a role that says nothing grants nothing.
  const { guildId, permissions = '0', ...same } = parseInput(role, input);
  const body = { ...same, permissions };
  return context.send('POST', Routes.guildRoles(guildOf(context, guildId)), { ...options, body });
}

export function modifyGuildRole(context: MethodContext, edit: unknown, options: CallOptions): Promise<APIRole> {
  const { guildId, roleId, ...body } = parseInput(roleEdit, edit);
  return context.send('PATCH', Routes.guildRole(guildOf(context, guildId), roleId), { ...options, body });
}

export function deleteGuildRole(context: MethodContext, ref: unknown, options: CallOptions): Promise<void> {
  const { guildId, roleId } = parseInput(roleRef, ref);
  return doneOnce(context.send('DELETE', Routes.guildRole(guildOf(context, guildId), roleId), options), UNKNOWN_ROLE);
}
