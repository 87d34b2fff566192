/** Owns the invite methods. Discord's invites: those of the app itself are made elsewhere. */
import { type APIExtendedInvite, type APIInvite, Routes } from 'discord-api-types/v10';
import * as z from 'zod';
import { parseId, parseInput } from '../input.js';
import type { CallOptions } from '../options.js';
import { doneOnce, type MethodContext } from './context.js';

/** What a new invite allows. */
export interface InviteInput {
  /** Seconds, 0 to 604,800; 0 for ever. @defaultValue `86_400` */
  readonly maxAgeSeconds?: number | undefined;
  /** 0 to 100; 0 for any number. @defaultValue `0` */
  readonly maxUses?: number | undefined;
  /** Membership ends when they leave, unless a role was given. */
  readonly temporary?: boolean | undefined;
  /** Never an existing invite with the same settings. */
  readonly unique?: boolean | undefined;
}

/** Discord's code of an unknown invite. */
const UNKNOWN_INVITE = 10_006;

const invite = z.strictObject({
  maxAgeSeconds: z.int().min(0).max(604_800, 'must be at most 604800').optional(),
  maxUses: z.int().min(0).max(100, 'must be at most 100').optional(),
  temporary: z.boolean().optional(),
  unique: z.boolean().optional(),
});
const code = z.string().regex(/^[\w-]{2,64}$/, 'must be an invite code');

export function createChannelInvite(
  context: MethodContext,
  channelId: unknown,
  input: unknown,
  options: CallOptions,
): Promise<APIExtendedInvite> {
  const { maxAgeSeconds, maxUses, ...same } = parseInput(invite, input);
  const body = { ...same, max_age: maxAgeSeconds, max_uses: maxUses };
  return context.send('POST', Routes.channelInvites(parseId('channelId', channelId)), { ...options, body });
}

export function getChannelInvites(
  context: MethodContext,
  channelId: unknown,
  options: CallOptions,
): Promise<APIExtendedInvite[]> {
  return context.send('GET', Routes.channelInvites(parseId('channelId', channelId)), options);
}

export function getInvite(context: MethodContext, inviteCode: unknown, options: CallOptions): Promise<APIInvite> {
  return context.send('GET', Routes.invite(parseInput(code, inviteCode, 'code')), options);
}

export function deleteInvite(context: MethodContext, inviteCode: unknown, options: CallOptions): Promise<void> {
  return doneOnce(context.send('DELETE', Routes.invite(parseInput(code, inviteCode, 'code')), options), UNKNOWN_INVITE);
}
